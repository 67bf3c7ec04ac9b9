"""The words of a report whose codes are not of molecules but of a second assay's profiles."""

import re
from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pandas as pd

from dssl import keys
from dssl.report.content import Cell, Note, Section

_WORDS = re.compile(r"\b(an? )?(molecular|molecule|structure)(s?)('s?|’s?)?(?![\w-])", flags=re.IGNORECASE)
_SPOKEN_AS_VOWEL = re.compile(r"[AEFHILMNORSX](?=[A-Z0-9])|[aeioAEIO]")


def without_second_profile(excluded_wells: pd.DataFrame, without: pd.DataFrame, name: str) -> pd.DataFrame:
    """Excluded wells, of which those of compounds without a profile in the second assay say so.

    Parameters
    ----------
    excluded_wells : DataFrame
        compound_id and reason; to the pairing, such compounds were not among the molecules.
    without : DataFrame
        compound_id of the compounds without a second profile.
    name : str
        What the second profile is called.
    """
    lacks = excluded_wells[keys.COMPOUND_ID].astype(str).isin(without[keys.COMPOUND_ID].astype(str))
    unpaired = lacks & excluded_wells["reason"].astype(str).str.endswith("is not among the molecules")
    return excluded_wells.assign(reason=excluded_wells["reason"].mask(unpaired, f"compound has no {name}"))


def with_second_assay(sections: Sequence[Section], name: str, kept: Sequence[str] = ()) -> list[Section]:
    """Say `name` (such as "L1000 signature") where the sections say molecule or structure, and explain it first.

    In the figures and tables of what was screened, in the settings, in what the user typed, and in the texts `kept`,
    molecules are molecules and structures structures.
    """
    explained = Note(
        f"This screen compares two phenotypes of the same compounds: what elsewhere stands for the molecule is here its "
        f"{name}, the compound's mean profile in the second assay. Structures serve to join the two assays, and to hold "
        f"out compounds; only the models of the section on all three together see them. Elsewhere controls made of "
        f"fingerprints are left out, and descriptors are the {name}'s values."
    )
    summary, screened, *others, settings = sections
    opening = _reword(summary, name, kept)
    return [
        replace(opening, parts=[explained, *opening.parts]),
        replace(screened, paragraphs=_reword(screened.paragraphs, name, kept)),
        *(_reword(each, name, kept) for each in others),
        settings,
    ]


def reworded(text: str, other: str) -> str:
    """A text of a figure that names `other` (such as "L1000 signature") where it says molecule or structure.

    As it is where the phenotypes are compared with molecules (`other` is "molecule").
    """
    return text if other == keys.MOLECULE else _WORDS.sub(lambda found: _instead(found, other), text)


def _reword(value: Any, name: str, kept: Sequence[str]) -> Any:
    if isinstance(value, str):
        return value if value.startswith("data:") or value in kept else reworded(value, name)
    if isinstance(value, list | tuple):
        return type(value)(_reword(each, name, kept) for each in value)
    if isinstance(value, Cell) and value.quoted:
        return value
    if is_dataclass(value) and not isinstance(value, type):
        as_they_are = ("identifier", "uri", "kind", "name", "data")
        return replace(
            value,
            **{
                each.name: _reword(getattr(value, each.name), name, kept)
                for each in fields(value)
                if each.name not in as_they_are
            },
        )
    return value


def _instead(found: re.Match[str], name: str) -> str:
    article, noun, plural, owner = (part or "" for part in found.groups())
    if article:
        article = "an " if _SPOKEN_AS_VOWEL.match(name) else "a "
    word = name[0].upper() + name[1:] if noun[0].isupper() else name
    return f"{article}{word}{plural}{owner}"
