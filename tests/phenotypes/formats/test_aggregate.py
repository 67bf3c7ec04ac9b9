"""From cells to wells: against pandas, with gaps, in batches of any size, and refused where it would be a guess."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dssl.errors import TableError
from dssl.phenotypes.formats import aggregate, source
from dssl.phenotypes.formats.aggregate import OBJECT_COUNT, aggregated
from dssl.phenotypes.formats.opening import open_wells
from dssl.phenotypes.formats.source import at_once
from dssl.settings.inputs import AggregateSettings, PlateTableSettings

COLUMNS = {"plate": "Plate", "well": "Well", "compound_id": "Drug"}
FEATURES = ["f0", "f1", "f2"]


@pytest.fixture
def cells() -> pd.DataFrame:
    """Cells of eleven wells in random order; f1 has gaps and an infinite value, f2 has none at all in one well."""
    rng = np.random.default_rng(0)
    well = rng.integers(0, 11, 400)
    frame = pd.DataFrame(
        {"Plate": "P", "Well": [f"A{each:02d}" for each in well], "Drug": [f"D{each}" for each in well]}
    )
    values = rng.normal(size=(400, 3))
    values[rng.random(400) < 0.2, 1] = np.nan
    values[3, 1] = np.inf
    values[well == 4, 2] = np.nan
    return pd.concat([frame, pd.DataFrame(values, columns=FEATURES)], axis=1)


def plates(**keys: object) -> PlateTableSettings:
    return PlateTableSettings.model_validate({"tables": ["x.csv"], "columns": COLUMNS, **keys})


WRITE: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    "x.csv": lambda frame, path: frame.to_csv(path, index=False),
    "x.csv.gz": lambda frame, path: frame.to_csv(path, index=False),
    "x.parquet": lambda frame, path: frame.to_parquet(path, index=False, row_group_size=64),
}


@pytest.mark.parametrize("statistic", ["median", "mean", "sum"])
@pytest.mark.parametrize("name", WRITE)
@pytest.mark.parametrize("batch_values", [700, 2**25])
def test_statistics_are_those_of_pandas_whatever_the_batches(
    cells: pd.DataFrame, statistic: str, name: str, batch_values: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (source, aggregate):
        monkeypatch.setattr(module, "BATCH_VALUES", batch_values)
    WRITE[name](cells, tmp_path / name)
    opened = open_wells(tmp_path / name, plates(aggregate={"statistic": statistic}), ["Drug"])
    found = opened.read(["Well", "Drug", OBJECT_COUNT], FEATURES).set_index("Well").sort_index()
    groups = cells.replace(np.inf, np.nan).groupby("Well")
    expected = groups[FEATURES].sum(min_count=1) if statistic == "sum" else groups[FEATURES].agg(statistic)
    np.testing.assert_allclose(found[FEATURES], expected, rtol=2e-6)
    assert found["f2"].isna().sum() == 1
    assert (found[OBJECT_COUNT] == groups.size()).all()
    assert (found["Drug"] == groups["Drug"].first()).all()


def test_no_batch_holds_more_values_than_allowed(
    cells: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "BATCH_VALUES", 600)
    cells.to_csv(tmp_path / "x.csv", index=False)
    opened = open_wells(tmp_path / "x.csv", plates(aggregate={"statistic": "median"}), ["Drug"])
    sizes: list[int] = []
    spilled = aggregate._spilled

    def watch(opened: source.Source, names: list[str], path: Path, where: str) -> Path:
        def batches(described, features):
            for frame in opened.batches(described, features):
                sizes.append(len(frame))
                yield frame

        return spilled(source.Source(opened.columns, batches), names, path, where)

    monkeypatch.setattr(aggregate, "_spilled", watch)
    opened.read(["Well"], FEATURES)
    assert sum(sizes) == 400
    assert max(sizes) == 600 // cells.shape[1]


def test_a_well_that_is_described_in_two_ways_is_refused(cells: pd.DataFrame) -> None:
    cells.loc[cells.index[cells["Well"] == "A03"][0], "Drug"] = "other"
    with pytest.raises(TableError, match=r"(?s)1 wells are not described alike.*P:A03 has .*'other', 'D3' in 'Drug'"):
        aggregated(at_once(cells), plates(), AggregateSettings(), "x.csv").read(["Plate", "Well", "Drug"], FEATURES)


def test_the_column_of_the_well_has_to_be_in_the_file(cells: pd.DataFrame) -> None:
    with pytest.raises(
        TableError, match=r"(?s)plates.aggregate needs the column of the well.*'Well'.*plates.columns.well"
    ):
        aggregated(at_once(cells.drop(columns="Well")), plates(), AggregateSettings(), "x.csv")


def test_text_among_the_features_of_cells_is_refused(cells: pd.DataFrame) -> None:
    broken = cells.astype({"f1": object})
    broken.loc[7, "f1"] = "saturated"
    with pytest.raises(TableError, match=r"(?s)feature column 'f1' must hold numbers.*'saturated' in row 8"):
        aggregated(at_once(broken), plates(), AggregateSettings(), "x.csv").read(["Well"], FEATURES)


def test_cell_counts_of_sites_are_added_up(cells: pd.DataFrame) -> None:
    sites = cells.assign(N=np.arange(len(cells)))
    settings = plates(columns={**COLUMNS, "cell_count": "N"})
    found = aggregated(at_once(sites), settings, AggregateSettings(rows="sites"), "x.csv").read(["Well", "N"], ["f0"])
    assert (found.set_index("Well")["N"].sort_index() == sites.groupby("Well")["N"].sum()).all()
