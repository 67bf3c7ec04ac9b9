"""What the explorer shows of a screen, brought together for its page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl import keys
from dssl.report.explorer.columns import column, texts
from dssl.report.explorer.container import smallest_unsigned
from dssl.report.explorer.depictions import depict
from dssl.report.explorer.profiles import grouped_profiles
from dssl.report.explorer.substructures import classes

COSINE_STEPS = 10000  # between 0 and 1
GRID = 65535  # of a map's coordinate
NOT_COLUMNS = (keys.COMPOUND_ID, keys.NAME, keys.SMILES)


@dataclass(frozen=True)
class Nearest:
    """The best items of every compound, best first, as places among the compounds.

    Attributes
    ----------
    places : (n, k) whole numbers; -1 where there are fewer than k.
    cosines : (n, k).
    """

    places: NDArray[np.int64]
    cosines: NDArray[np.float64]


@dataclass(frozen=True)
class Code:
    """One code of all compounds: which, of which side (in words), its map (n, 2), and each compound's nearest others."""

    code: str
    side: str
    points: NDArray[np.floating]
    nearest: Nearest


@dataclass(frozen=True)
class Retrieval:
    """Held-out hits in one direction; `own` (n,) is the cosine of the right answer, missing if never held out."""

    direction: str
    hits: Nearest
    own: NDArray[np.float64]


def explorer_content(
    about: Mapping[str, Any],
    table: pd.DataFrame,
    colors: Sequence[str],
    codes: Sequence[Code],
    retrievals: Sequence[Retrieval],
    wells: pd.DataFrame,
    profiles: NDArray[Any],
    var: pd.DataFrame,
    predicted: Mapping[str, Any],
) -> dict[str, Any]:
    """Everything that the page is given, for `dssl.report.explorer.container.pack`.

    Parameters
    ----------
    about : title, screen, version, simulated, fold, other (what stands on the other side of a phenotype); and label, the
        column that describes a compound in lists, or None.
    table : the compound table, whose order all rows follow, and further columns that may colour the maps.
    colors : the columns that colour the maps; all of them when empty.
    codes : the shared and the specific code of both sides.
    retrievals : of both directions.
    wells, profiles, var : description (compound_id, plate, well, and dose_um and cell_count where there are) and
        normalised features of the wells.
    predicted : counterfactual profiles (`dssl.report.explorer.counterfactuals`).
    """
    ids = table[keys.COMPOUND_ID].astype(str)
    compound = pd.Index(ids).get_indexer(pd.Index(wells[keys.COMPOUND_ID].astype(str)))
    smiles = texts(table[keys.SMILES]) if keys.SMILES in table else [None] * len(table)
    columns = [column(table[name]) for name in table.columns if name not in NOT_COLUMNS]
    return {
        "about": dict(about),
        "n": len(table),
        "ids": list(ids),
        "names": texts(table[keys.NAME]) if keys.NAME in table else [None] * len(table),
        "smiles": smiles,
        "columns": [{**each, "colors": _colors(each, colors, len(table))} for each in columns],
        "codes": [_code(each) for each in codes],
        "retrieval": [
            {"direction": each.direction, "own": each.own.astype(np.float32), **_nearest(each.hits)}
            for each in retrievals
        ],
        "structures": depict(smiles),
        "classes": classes(smiles),
        "profiles": grouped_profiles(profiles, var, compound, len(table)),
        "wells": _wells(wells, compound, len(table)),
        "counterfactuals": dict(predicted),
    }


def _colors(each: dict[str, Any], chosen: Sequence[str], n: int) -> bool:
    """Whether a column colours the maps: if chosen; unless columns are, if its values differ, and tell compounds apart in groups."""
    if chosen:
        return each["name"] in chosen
    if each["kind"] == "number":
        return bool(np.nanmin(each["data"], initial=np.inf) < np.nanmax(each["data"], initial=-np.inf))
    return len(each["values"]) < max(3, n)


def _code(code: Code) -> dict[str, Any]:
    x, y = (_on_grid(code.points[:, axis]) for axis in (0, 1))
    return {"code": code.code, "side": code.side, "x": x, "y": y, **_nearest(code.nearest)}


def _on_grid(values: NDArray[np.floating]) -> NDArray[np.uint16]:
    low, high = (float(bound) for bound in (values.min(initial=np.inf), values.max(initial=-np.inf)))
    spread = high - low
    scaled = (values - low) / spread if spread > 0 else np.full(len(values), 0.5)
    return np.asarray(np.round(scaled * GRID), dtype=np.uint16)


def _nearest(nearest: Nearest) -> dict[str, Any]:
    """Places from 1, so that 0 is none, and cosines in steps of 1 / 10,000."""
    steps = np.round(np.clip(np.nan_to_num(nearest.cosines), -1, 1) * COSINE_STEPS)
    return {
        "k": nearest.places.shape[1],
        "places": smallest_unsigned(nearest.places.ravel() + 1),
        "cosines": steps.astype(np.int16).ravel(),
    }


def _wells(wells: pd.DataFrame, compound: NDArray[np.integer], n: int) -> dict[str, Any]:
    """The wells of each compound, by plate and position; those of compound i are start[i] to start[i + 1]."""
    used = wells.assign(compound=compound)[compound >= 0]
    ordered = used.sort_values(["compound", keys.PLATE, keys.WELL], kind="stable")
    counts = np.bincount(ordered["compound"], minlength=n)
    found: dict[str, Any] = {"start": np.concatenate([[0], np.cumsum(counts)]).astype(np.uint32)}
    for name in (keys.PLATE, keys.WELL):
        codes, values = pd.factorize(ordered[name].astype(str), sort=True)
        found |= {name: smallest_unsigned(codes), f"{name}s": list(values)}
    for name in (keys.DOSE_UM, keys.CELL_COUNT):
        if name in ordered:
            found[name] = ordered[name].to_numpy(dtype=np.float32, na_value=np.nan)
    return found
