"""Sections to one self-contained HTML page."""

from collections.abc import Sequence
from typing import Any

from dssl.report.content import Section

TEMPLATE = "page.html.j2"


def render(title: str, screen: str, version: str, simulated: bool, sections: Sequence[Section]) -> str:
    """The page: no network, no script; every text is escaped.

    Parameters
    ----------
    title, screen, version : what the page is called, of which screen it is, and which dssl made it.
    simulated : say clearly that the data are simulated.
    sections : in their order; they are numbered from 1.
    """
    return fill(TEMPLATE, title=title, screen=screen, version=version, simulated=simulated, sections=sections)


def fill(template: str, **values: Any) -> str:
    """Fill a template of dssl/report; every text is escaped, and a value that is not given is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("dssl.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(values) + "\n"
