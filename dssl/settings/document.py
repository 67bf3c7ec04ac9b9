"""What is generated from the settings: the JSON schema of a screen's YAML and the table of its keys."""

import inspect
import json
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from dssl.io import write_text
from dssl.settings.base import Settings
from dssl.settings.screen import ScreenSettings

SCHEMA = Path("workflow/schemas/screen.schema.json")
README = Path("config/README.md")
BEGIN, END = "<!-- keys: begin (written by `make docs`) -->", "<!-- keys: end -->"


def schema_text() -> str:
    """JSON schema of a screen's YAML, for editors and for validation."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **ScreenSettings.model_json_schema()}
    return json.dumps(schema, indent=2) + "\n"


def keys_text() -> str:
    """Every key of a screen's YAML as Markdown: one table per section."""
    sections = [f"### Top level\n\n{ScreenSettings.__doc__}\n\n{_table(ScreenSettings, top=True)}"]
    for name, field in ScreenSettings.model_fields.items():
        if (model := _model_of(field.annotation)) is not None:
            prefix = "NAME." if get_origin(field.annotation) is dict else ""
            sections.append(f"### `{name}`\n\n{inspect.getdoc(model)}\n\n{_table(model, field.default, prefix=prefix)}")
    return "\n\n".join(sections)


def descriptions() -> dict[str, str]:
    """What every dotted key of a screen's YAML means."""
    sections = {name: _model_of(field.annotation) for name, field in ScreenSettings.model_fields.items()}
    found = {name: field.description or "" for name, field in ScreenSettings.model_fields.items()}
    for name, model in sections.items():
        if model is not None:
            found |= {key: field.description or "" for key, field, _ in _rows(model, None, f"{name}.")}
    return found


def _model_of(annotation: Any) -> type[Settings] | None:
    candidates = [annotation, *get_args(annotation)]
    return next((each for each in candidates if isinstance(each, type) and issubclass(each, Settings)), None)


def _rows(model: type[Settings], defaults: object, prefix: str = "") -> Iterator[tuple[str, FieldInfo, object]]:
    """Dotted names, fields and defaults of a section; `defaults` is its own default, whose values go before its class's."""
    sections = [_model_of(field.annotation) for field in ScreenSettings.model_fields.values()]
    for name, field in model.model_fields.items():
        default = getattr(defaults, name, field.default)
        inner = _model_of(field.annotation)
        # a section within a section (second_assay) has its keys where it stands by itself
        if inner is None or (inner in sections and model in sections):
            yield f"{prefix}{name}", field, default
        elif get_origin(field.annotation) is dict:
            yield f"{prefix}{name}", field, default
            yield from _rows(inner, None, f"{prefix}{name}.NAME.")
        else:
            if field.description:
                yield f"{prefix}{name}", field, default
            yield from _rows(inner, default, f"{prefix}{name}.")


def _table(model: type[Settings], defaults: object = None, top: bool = False, prefix: str = "") -> str:
    rows = list(_rows(model, defaults, prefix))
    if top:
        rows = [row for row in rows if "." not in row[0] and _model_of(row[1].annotation) is None]
    lines = ["| key | type | default | meaning |", "|---|---|---|---|"]
    lines += [
        f"| `{key}` | {_type_text(field.annotation)} | {_default_text(field, default)} | {_cell(field.description)} |"
        for key, field, default in rows
    ]
    return "\n".join(lines)


def _cell(text: str | None) -> str:
    return (text or "").replace("|", r"\|")


def _type_text(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(_type_text(each) for each in arguments)
    if origin is Annotated:
        return _type_text(arguments[0])
    if origin is list:
        return f"list of {_type_text(arguments[0])}"
    if origin is dict:
        return "mapping"
    if annotation is type(None):
        return "null"
    names = {str: "text", int: "whole number", float: "number", bool: "true or false"}
    return names.get(annotation, "section")


def _default_text(field: FieldInfo, default: object) -> str:
    if field.is_required():
        return "(required)"
    if isinstance(default, Settings):
        return ""
    return f"`{json.dumps(default)}`"


def with_keys(readme: str) -> str:
    """The README of config/ with the tables of keys brought up to date between its two marks."""
    before, rest = readme.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n\n{keys_text()}\n\n{END}{after}"


if __name__ == "__main__":
    write_text(SCHEMA, schema_text())
    write_text(README, with_keys(README.read_text(encoding="utf-8")))
