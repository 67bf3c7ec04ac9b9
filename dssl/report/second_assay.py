"""The words of a report whose codes are not of molecules but of a second assay's profiles."""

import re
from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

from dssl.report.content import Cell, Note, Section

_WORDS = re.compile(r"\b(an? )?(molecular|molecule|structure)(s?)('s?|’s?)?(?![\w-])", flags=re.IGNORECASE)
_SPOKEN_AS_VOWEL = re.compile(r"[AEFHILMNORSX](?=[A-Z0-9])|[aeioAEIO]")


def with_second_assay(sections: Sequence[Section], name: str) -> list[Section]:
    """Say `name` (such as "L1000 signature") where the sections say molecule or structure, and explain it first.

    In the figures and tables of what was screened, in the settings, and in what the user typed, molecules are molecules.
    """
    explained = Note(
        f"This screen compares two phenotypes of the same compounds: what elsewhere stands for the molecule is here its "
        f"{name}, the compound's mean profile in the second assay. Structures serve to join the two assays, and to hold "
        f"out compounds; no model sees them. Controls made of fingerprints are left out; descriptors are the {name}'s values."
    )
    summary, screened, *others, settings = sections
    opening = _reword(summary, name)
    return [
        replace(opening, parts=[explained, *opening.parts]),
        replace(screened, paragraphs=_reword(screened.paragraphs, name)),
        *(_reword(each, name) for each in others),
        settings,
    ]


def _reword(value: Any, name: str) -> Any:
    if isinstance(value, str):
        return value if value.startswith("data:") else _WORDS.sub(lambda found: _instead(found, name), value)
    if isinstance(value, list | tuple):
        return type(value)(_reword(each, name) for each in value)
    if isinstance(value, Cell) and value.quoted:
        return value
    if is_dataclass(value) and not isinstance(value, type):
        kept = ("identifier", "uri", "kind", "name", "data")
        return replace(
            value,
            **{each.name: _reword(getattr(value, each.name), name) for each in fields(value) if each.name not in kept},
        )
    return value


def _instead(found: re.Match[str], name: str) -> str:
    article, noun, plural, owner = (part or "" for part in found.groups())
    if article:
        article = "an " if _SPOKEN_AS_VOWEL.match(name) else "a "
    word = name[0].upper() + name[1:] if noun[0].isupper() else name
    return f"{article}{word}{plural}{owner}"
