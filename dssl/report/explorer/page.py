"""The explorer's page: template, style, scripts and data in one file."""

from importlib.resources import files
from typing import Any

from dssl.report.explorer.container import pack
from dssl.report.page import fill

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
    "counterfactual",
    "panel",
    "retrieval",
    "main",
)


def render(content: dict[str, Any]) -> str:
    """The page of `dssl.report.explorer.content.explorer_content`: no server, no network.

    What a user typed stands in the packed data and, escaped, in the title; the scripts write it as text only.
    """
    from markupsafe import Markup

    folder = files("dssl.report.explorer")
    return fill(
        "explorer/page.html.j2",
        about=content["about"],
        n=content["n"],
        style=Markup(folder.joinpath("style.css").read_text(encoding="utf-8")),
        scripts=[Markup(folder.joinpath(f"{name}.js").read_text(encoding="utf-8")) for name in SCRIPTS],
        data=pack(content),
    )
