"""The YAML of docs/inputs.md is valid, and the page names every format and kind of dose there is."""

import re
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from dssl.settings.inputs import PlateTableSettings
from dssl.settings.screen import parse_screen

REST: dict[str, Any] = {
    "screen": "x",
    "molecules": {"table": "molecules.csv"},
    "plates": {"tables": ["plates.csv"]},
    "normalize_plate": {"method": "none"},
}


def blocks(repository: Path) -> list[dict[str, Any]]:
    text = (repository / "docs" / "inputs.md").read_text(encoding="utf-8")
    return [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL)]


@pytest.mark.parametrize("number", range(7))
def test_every_example_is_valid(repository: Path, number: int) -> None:
    found = blocks(repository)
    assert len(found) == 7
    parse_screen(REST | found[number], "docs/inputs.md")


def test_every_format_is_named(repository: Path) -> None:
    text = (repository / "docs" / "inputs.md").read_text(encoding="utf-8").lower()
    formats = get_args(get_args(PlateTableSettings.model_fields["format"].annotation)[0])
    assert len(formats) == 8
    assert [name for name in formats if name not in text] == []
