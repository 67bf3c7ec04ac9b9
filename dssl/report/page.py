"""Sections to one self-contained HTML page."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from dssl.report.content import Part, Section

TEMPLATE = "page.html.j2"
# Chromium opens no data: address that is longer than 2 MiB
LONGEST_LINK = 2_000_000
SUMMARY = "short"
TIED = re.compile(r"(?<=\d) (?=%)|(?<=\b[np]) (?=[=<] \d)|(?<=\b[np] [=<]) (?=\d)")


class Headed(NamedTuple):
    """A section with the heading that it gets on the page."""

    identifier: str
    heading: str
    paragraphs: list[str]
    parts: list[Part]


def render(
    title: str, screen: str, version: str, simulated: bool, sections: Sequence[Section], other: str = "molecule"
) -> str:
    """The page: no network, no script; every text is escaped.

    Parameters
    ----------
    title, screen, version : what the page is called, of which screen it is, and which dssl made it.
    simulated : say clearly that the data are simulated.
    sections : in their order; they are numbered from 1, but for the summary.
    other : what is compared with the phenotypes.
    """
    return fill(
        TEMPLATE,
        title=title,
        screen=screen,
        version=version,
        simulated=simulated,
        sections=headed(sections),
        other=other,
        longest_link=LONGEST_LINK,
    )


def fill(template: str, **values: Any) -> str:
    """Fill a template of dssl/report; every text is escaped, and a value that is not given is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("dssl.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_tied,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return str(environment.get_template(template).render(values)).strip() + "\n"


def _tied(value: Any) -> Any:
    """Text whose numbers do not part from their sign or unit at the end of a line: "38 %", "n = 5", "p < 0.001"."""
    if isinstance(value, str) and not hasattr(value, "__html__"):
        return TIED.sub("\N{NO-BREAK SPACE}", value)
    return value


def headed(sections: Sequence[Section]) -> list[Headed]:
    """Number the sections from 1; the summary has no number."""
    found, number = [], 0
    for section in sections:
        number += section.identifier != SUMMARY
        heading = section.title if section.identifier == SUMMARY else f"{number} {section.title}"
        found.append(Headed(section.identifier, heading, section.paragraphs, section.parts))
    return found
