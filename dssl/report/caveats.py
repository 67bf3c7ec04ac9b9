"""What not to conclude, and how the page was made."""

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from dssl.report.content import Cell, Section, Table, number


def caveats_section(retrieval: pd.DataFrame, simulated: bool) -> Section:
    """Limits of the figures above, with this screen's own numbers."""
    sizes = retrieval.loc[retrieval["level"] == "compound", "library_size"]
    low, high = number(sizes.min()), number(sizes.max())
    size = low if low == high else f"{low} to {high}"
    points = [
        f"Figures depend on the size of the library (here {size} compounds on average): top-1 among a hundred is not "
        "top-1 among a million. Compare only within a block of the table, or with the chance given there.",
        "An interval says how far other compounds of the same kind would move the figure. It does not cover another "
        "laboratory, cell line, assay or chemical space, nor another choice of settings made after looking at this "
        "page.",
        "beta and lambda were chosen on validation compounds; test compounds were used for this page only. Who "
        "changes the settings until these figures improve has made the test compounds validation compounds, and "
        "needs new ones.",
        "A method that finds partners better than chance has found something that structure and phenotype share; it "
        "has not shown a mechanism. A compound that is near another in a map or a list is a hypothesis for an "
        "experiment.",
        "No significant difference is not equality, and one significant difference among many comparisons may be "
        "chance.",
        "Compounds that stand first in a list were chosen because they scored best. Measured again, they will on "
        "average do less well; so will the mechanism that is found most clearly of many.",
        "A probe that fails says that a linear model cannot read the column from so few compounds, not that the "
        "code lacks it.",
    ]
    if simulated:
        points.insert(0, "This screen is simulated: nothing on this page is about real molecules' activity.")
    return Section("limits", "What not to conclude", points)


def short_limits(simulated: bool) -> list[str]:
    """The limits that nobody should overlook."""
    told = [
        "That a compound stands near another, or high in a list, is a hypothesis for an experiment, not a mechanism; figures "
        "hold for a library of this size, this assay and compounds of this kind.",
    ]
    return ["This screen is simulated: nothing here is about real compounds.", *told] if simulated else told


def settings_section(settings: Mapping[str, Any], versions: Mapping[str, str]) -> Section:
    """Every setting with its value, and the versions of the packages."""
    rows = [[Cell(name), Cell(json.dumps(value, ensure_ascii=False))] for name, value in _flat(settings)]
    listed = [[Cell(name), Cell(version)] for name, version in versions.items()]
    return Section(
        "settings",
        "Settings and versions",
        ["The manifest beside this page lists every file with its checksum, and what it was made from."],
        [
            Table("Settings of every step, defaults written out.", ["key", "value"], rows, n_labels=2, folded=True),
            Table("Versions.", ["package", "version"], listed, n_labels=2, folded=True),
        ],
    )


def _flat(settings: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in settings.items():
        found += (
            _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) and value else [(f"{prefix}{name}", value)]
        )
    return found
