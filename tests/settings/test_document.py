import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dssl.settings import document
from dssl.settings.screen import ScreenSettings

CONFIGS = ["config.yaml", "cell-injury.yaml", "l1000.yaml"]
TABLE_ROW = re.compile(r"^\| `([^`]+)` \| (.+) \| (.+) \| (.+) \|$", flags=re.MULTILINE)


@pytest.fixture
def schema(repository: Path) -> dict[str, Any]:
    loaded = json.loads((repository / document.SCHEMA).read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def test_the_schema_is_up_to_date(schema: dict[str, Any]) -> None:
    expected = ScreenSettings.model_json_schema()
    assert {key: value for key, value in schema.items() if key != "$schema"} == expected, "run `make docs`"


def test_the_table_of_keys_is_up_to_date(repository: Path) -> None:
    text = (repository / document.README).read_text(encoding="utf-8")
    assert document.with_keys(text) == text, "run `make docs`"


def leaves(schema: dict[str, Any], node: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Dotted names of all keys of a JSON schema: an independent walk, by references instead of classes."""
    for name, each in node.get("properties", {}).items():
        candidates = [each, *each.get("anyOf", []), *each.get("allOf", [])]
        inner = next((part["$ref"] for part in candidates if "$ref" in part), None)
        named = next((part["additionalProperties"] for part in candidates if "additionalProperties" in part), None)
        if inner is not None:
            yield from leaves(schema, schema["$defs"][inner.split("/")[-1]], f"{prefix}{name}.")
        elif isinstance(named, dict) and "$ref" in named:
            yield from leaves(schema, schema["$defs"][named["$ref"].split("/")[-1]], f"{prefix}{name}.NAME.")
        else:
            yield f"{prefix}{name}"


def documented(repository: Path) -> dict[str, tuple[str, str, str]]:
    """Type, default and meaning of every key that config/README.md describes, by dotted name."""
    found = {}
    for part in (repository / document.README).read_text(encoding="utf-8").split("\n### ")[1:]:
        section = re.match(r"`(\w+)`", part)
        for key, *rest in TABLE_ROW.findall(part):
            found[f"{section[1]}.{key}" if section else key] = tuple(rest)
    return found


def _section_within(key: str, sections: set[str]) -> str | None:
    """The key as it stands in a section of its own, of a key such as new_data.NAME.molecules.smiles; else None."""
    parts = key.split(".")
    return next((".".join(parts[at:]) for at in range(1, len(parts) - 1) if parts[at] in sections), None)


def test_every_key_is_documented_with_a_meaning(repository: Path, schema: dict[str, Any]) -> None:
    keys, described = set(leaves(schema, schema)), documented(repository)
    assert len(keys) > 120, "the walk finds too few"
    # a section of a screen within another section (second_assay, embed, new_data): its keys stand where it is by itself
    sections = {key.split(".")[0] for key in keys}
    within = {key: own for key in keys if (own := _section_within(key, sections)) is not None}
    assert "second_assay.plates.columns.well" in within
    assert set(within.values()) <= set(described)
    assert keys - set(within) - set(described) == set()
    for key, (_, default, meaning) in described.items():
        assert meaning.strip() not in ("", "None"), key
        assert default, key


def test_defaults_in_the_table_are_the_defaults(repository: Path) -> None:
    described = documented(repository)
    assert described["screen"][1] == "(required)"
    assert described["evaluate_retrieval.n_bootstrap"][:2] == ("whole number", "`2000`")
    assert described["sweep.seed"][:2] == ("list of whole number", "`[0, 1, 2]`")
    assert described["plates.control.column"][:2] == ("text", "(required)")


def test_nested_defaults_in_the_table_are_those_of_the_section(repository: Path) -> None:
    """A section may give its inner models other defaults than their classes have."""
    described = documented(repository)
    screen = ScreenSettings.model_construct(screen="x")
    compared = 0
    for key, (_, default, _) in described.items():
        value: object = screen
        for name in key.split("."):
            value = getattr(value, name, "no default section")
        if value != "no default section" and default.startswith("`"):
            assert json.loads(default.strip("`")) == value, key
            compared += 1
    assert compared > 100


@pytest.mark.parametrize("name", CONFIGS)
def test_the_readme_and_the_screens_name_only_keys_that_exist(
    repository: Path, schema: dict[str, Any], name: str
) -> None:
    keys = set(leaves(schema, schema))
    content = yaml.safe_load((repository / "config" / name).read_text())
    for section, inner in content.items():
        names = [f"{section}.{key}" for key in inner] if isinstance(inner, dict) else [section]
        for each in names:
            assert any(key == each or key.startswith(f"{each}.") for key in keys), each


def test_with_keys_keeps_what_stands_around_the_table() -> None:
    text = f"before\n{document.BEGIN}\nold\n{document.END}\nafter\n"
    written = document.with_keys(text)
    assert written.startswith("before\n")
    assert written.endswith("\nafter\n")
    assert "\nold\n" not in written
    assert document.with_keys(written) == written


def test_no_meaning_breaks_its_row_of_the_table() -> None:
    """A bar inside a cell would start another column; it has to be escaped."""
    rows = [line for line in document.keys_text().splitlines() if line.startswith("| `")]
    assert [row for row in rows if len(re.findall(r"(?<!\\)\|", row)) != 5] == []
