"""A comparison of two results folders, as tables."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dssl.compare.inputs import (
    changed_settings,
    changed_tables,
    changed_versions,
    compounds_gained_and_lost,
    counts,
)
from dssl.compare.metrics import compare_measures, compare_retrieval
from dssl.compare.neighbors import compare_neighbors
from dssl.compare.results import Results
from dssl.errors import ConfigError


@dataclass(frozen=True)
class Comparison:
    """Two runs, "a" and "b", and what differs between them; every difference is b - a.

    Attributes
    ----------
    folder_a, folder_b : where they lie.
    screen_a, screen_b : their screens.
    n_common : compounds, by InChIKey, that both have.
    tables : settings, data, counts, compounds, versions, retrieval, neighbors, moved, probes, dependence, leakage.
    """

    folder_a: str
    folder_b: str
    screen_a: str
    screen_b: str
    n_common: int
    tables: dict[str, pd.DataFrame]


def compare(
    folder_a: Path, folder_b: Path, n_neighbors: int = 10, n_moved: int = 10, n_bootstrap: int = 2000, seed: int = 0
) -> Comparison:
    """Compare two results folders.

    Parameters
    ----------
    folder_a, folder_b : results/<screen> of two finished runs.
    n_neighbors : nearest compounds that are compared.
    n_moved : compounds listed of those whose neighbours moved most.
    n_bootstrap : samples for the intervals, and permutations for the p-values.
    seed : of both.

    Raises
    ------
    IntegrityError
        If a folder holds no finished run.
    ConfigError
        If both are the same folder.
    """
    if folder_a.resolve() == folder_b.resolve():
        raise ConfigError(f"{folder_a} and {folder_b} are the same folder; give those of two runs")
    a, b = Results(folder_a, "a"), Results(folder_b, "b")
    rng = np.random.default_rng(seed)
    neighbors, moved = compare_neighbors(a, b, n_neighbors, n_moved, n_bootstrap, rng)
    tables = {
        "settings": changed_settings(a, b),
        "data": changed_tables(a, b),
        "counts": counts(a, b),
        "compounds": compounds_gained_and_lost(a, b),
        "versions": changed_versions(a, b),
        "retrieval": compare_retrieval(a, b, n_bootstrap, rng),
        "neighbors": neighbors,
        "moved": moved,
        **compare_measures(a, b),
    }
    screens = str(a.manifest["screen"]), str(b.manifest["screen"])
    return Comparison(str(folder_a), str(folder_b), *screens, len(a.screened.keys() & b.screened), tables)


def as_json(comparison: Comparison) -> dict[str, object]:
    """All of it as plain values; missing numbers are null."""
    head = {name: getattr(comparison, name) for name in ("folder_a", "folder_b", "screen_a", "screen_b", "n_common")}
    rows = {
        name: table.astype(object).where(table.notna(), None).to_dict("records")
        for name, table in comparison.tables.items()
    }
    return head | rows
