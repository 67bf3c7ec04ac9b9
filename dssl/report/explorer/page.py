"""The explorer's page: template, style, scripts and data in one file."""

from importlib.resources import files
from typing import Any

from dssl.report.explorer.container import pack

SCRIPTS = (
    "data",
    "structure",
    "color",
    "map",
    "links",
    "picture",
    "export",
    "search",
    "profile",
    "panel",
    "retrieval",
    "main",
)


def render(content: dict[str, Any]) -> str:
    """The page of `dssl.report.explorer.content.explorer_content`: no server, no network.

    What a user typed stands in the packed data and, escaped, in the title; the scripts write it as text only.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    folder = files("dssl.report.explorer")
    environment = Environment(
        loader=PackageLoader("dssl.report.explorer", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("page.html.j2").render(
        about=content["about"],
        n=content["n"],
        style=Markup(folder.joinpath("style.css").read_text(encoding="utf-8")),
        scripts=[Markup(folder.joinpath(f"{name}.js").read_text(encoding="utf-8")) for name in SCRIPTS],
        data=pack(content),
    )
    return page + "\n"
