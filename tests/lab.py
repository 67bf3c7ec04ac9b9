"""A small lab whose tables and YAML a test breaks."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from dssl.check import Checked, check_screen
from dssl.settings.screen import load_screen

FEATURES = [f"Cells_AreaShape_Feature{number}" for number in range(4)]


class Lab:
    """Two plates of ten controls and six treated wells, their molecules, and the YAML: to be broken by a test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.molecules = pd.DataFrame({"compound_id": ["001", "002", "003"], "smiles": ["CCO", "c1ccccc1", "CCN"]})
        self.plates = {name: self.plate(name, seed) for seed, name in enumerate(["P1", "P2"])}
        self.config: dict[str, Any] = {
            "screen": "lab",
            "molecules": {"table": "molecules.csv"},
            "plates": {
                "tables": ["P*.csv"],
                "columns": {"dose": "dose", "cell_count": "cells"},
                "control": {"column": "role", "values": ["dmso"]},
                "features": {"prefixes": ["Cells_"]},
            },
        }

    @staticmethod
    def plate(name: str, seed: int) -> pd.DataFrame:
        wells = [f"A{number:02d}" for number in range(1, 17)]
        compounds = [None] * 10 + ["001", "002", "003"] * 2
        frame = pd.DataFrame({"plate": name, "well": wells, "compound_id": compounds, "dose": 1.0, "cells": 900})
        frame["role"] = ["dmso"] * 10 + ["treated"] * 6
        values = np.random.default_rng(seed).normal(size=(16, len(FEATURES)))
        return pd.concat([frame, pd.DataFrame(values, columns=FEATURES)], axis=1)

    def write(self) -> None:
        self.molecules.to_csv(self.folder / "molecules.csv", index=False)
        for name, frame in self.plates.items():
            frame.to_csv(self.folder / f"{name}.csv", index=False)
        (self.folder / "lab.yaml").write_text(yaml.safe_dump(self.config))

    def check(self) -> Checked:
        self.write()
        return check_screen(load_screen(self.folder / "lab.yaml"))


def set_cells(column: str, value: object, rows: slice = slice(12, 14)) -> Callable[[Lab], None]:
    def change(lab: Lab) -> None:
        frame = lab.plates["P2"].astype({column: object})
        frame.loc[frame.index[rows], column] = value
        lab.plates["P2"] = frame

    return change


def set_key(path: str, value: object) -> Callable[[Lab], None]:
    def change(lab: Lab) -> None:
        *sections, key = path.split(".")
        target = lab.config
        for section in sections:
            target = target.setdefault(section, {})
        target[key] = value

    return change


def rename(old: str, new: str) -> Callable[[Lab], None]:
    def change(lab: Lab) -> None:
        lab.plates["P2"] = lab.plates["P2"].rename(columns={old: new})

    return change


def no_smiles(lab: Lab) -> None:
    lab.molecules["smiles"] = ["ethanol", "benzene", "ethylamine"]


def other_identifiers(lab: Lab) -> None:
    lab.molecules["compound_id"] = ["X1", "X2", "X3"]


def few_controls(lab: Lab) -> None:
    lab.plates["P2"].loc[:6, "role"] = "empty"


def no_rows(lab: Lab) -> None:
    lab.plates["P2"] = lab.plates["P2"].head(0)
