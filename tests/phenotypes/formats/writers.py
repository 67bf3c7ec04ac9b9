"""One small screen, written the way each program writes it."""

import gzip
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import io as matrix_market
from scipy import sparse

from tests.simulated import SIMULATED_PLATES

DESCRIBED = ["Plate", "Well", "Batch", "Compound", "Role", "Dose_uM", "Cell_Count"]
N_CELLS = 3  # of every well, in the single-cell files


@dataclass
class Written:
    """A file (or folder) of wells, what has to be said of it under `plates`, and the metadata tables."""

    path: Path
    plates: dict[str, Any] = field(default_factory=dict)
    metadata: list[Path] = field(default_factory=list)


def features_of(wells: pd.DataFrame) -> list[str]:
    return [name for name in wells.columns if name not in DESCRIBED]


def cells_of(wells: pd.DataFrame) -> pd.DataFrame:
    """Three cells of each well, in random order, whose median (and mean) is the well."""
    features = features_of(wells)
    cells = pd.concat([wells.assign(**(wells[features] + shift)) for shift in (-2.0, 0.0, 2.0)])
    return cells.drop(columns="Cell_Count").sample(frac=1, random_state=0).reset_index(drop=True)


def csv(wells: pd.DataFrame, folder: Path) -> Written:
    wells.to_csv(folder / "P.csv", index=False)
    return Written(folder / "P.csv")


def tsv_gz(wells: pd.DataFrame, folder: Path) -> Written:
    wells.to_csv(folder / "P.tsv.gz", index=False, sep="\t")
    return Written(folder / "P.tsv.gz")


def parquet(wells: pd.DataFrame, folder: Path) -> Written:
    wells.to_parquet(folder / "P.parquet", index=False)
    return Written(folder / "P.parquet")


def jump(wells: pd.DataFrame, folder: Path) -> Written:
    """Profiles with nothing but plate and well; plate, well and compound described in tables of their own."""
    wells[["Plate", "Well", "Cell_Count", *features_of(wells)]].to_parquet(folder / "P.parquet", index=False)
    wells[["Plate", "Batch"]].drop_duplicates().to_csv(folder / "plate.csv.gz", index=False)
    jcp = wells.assign(JCP=wells["Compound"].fillna("DMSO").map(lambda name: f"JCP_{name}"))
    jcp[["Plate", "Well", "JCP", "Dose_uM"]].to_csv(folder / "well.csv.gz", index=False)
    jcp[["JCP", "Compound", "Role"]].drop_duplicates().to_csv(folder / "compound.csv.gz", index=False)
    tables = [folder / f"{name}.csv.gz" for name in ("plate", "well", "compound")]
    by = [["Plate"], {"Plate": "Plate", "Well": "Well"}, ["JCP"]]
    metadata = [{"table": str(table), "by": keys} for table, keys in zip(tables, by, strict=True)]
    return Written(folder / "P.parquet", {"metadata": metadata}, tables)


def cells_parquet(wells: pd.DataFrame, folder: Path) -> Written:
    cells_of(wells).to_parquet(folder / "P.parquet", index=False, row_group_size=50)
    return Written(folder / "P.parquet", {"aggregate": {}})


def cells_csv(wells: pd.DataFrame, folder: Path) -> Written:
    cells_of(wells).to_csv(folder / "P.csv.gz", index=False)
    return Written(folder / "P.csv.gz", {"aggregate": {"statistic": "mean"}})


def sites_csv(wells: pd.DataFrame, folder: Path) -> Written:
    """Two sites of each well: one with a cell, one with two."""
    features = features_of(wells)
    sites = [
        wells.assign(Cell_Count=count, **(wells[features] + shift)) for count, shift in ((1, -1.0), (N_CELLS - 1, 1.0))
    ]
    pd.concat(sites).to_csv(folder / "P.csv", index=False)
    return Written(folder / "P.csv", {"aggregate": {"rows": "sites"}})


def _described_by(wells: pd.DataFrame, key: str, names: list[str], folder: Path) -> tuple[dict[str, Any], list[Path]]:
    wells[DESCRIBED].assign(**{key: names}).to_csv(folder / "wells.csv", index=False)
    return {"metadata": [{"table": str(folder / "wells.csv"), "by": [key]}]}, [folder / "wells.csv"]


def matrix(wells: pd.DataFrame, folder: Path) -> Written:
    """Features in rows, a column per well, and the wells in a second table."""
    names = [f"sample_{row}" for row in range(len(wells))]
    table = wells[features_of(wells)].T.set_axis(names, axis=1)
    table.rename_axis("gene").reset_index().to_csv(folder / "P.tsv", sep="\t", index=False)
    said, tables = _described_by(wells, "column", names, folder)
    return Written(folder / "P.tsv", {"format": "matrix", **said}, tables)


def _gct_text(wells: pd.DataFrame) -> str:
    features = features_of(wells)
    lines = ["#1.3", f"{len(features)}\t{len(wells)}\t1\t{len(DESCRIBED)}"]
    lines.append("\t".join(["id", "symbol", *(f"cid{row}" for row in range(len(wells)))]))
    for column in DESCRIBED:
        texts = wells[column].map(str, na_action="ignore").astype(object).fillna("-666")
        lines.append("\t".join([column, "-666", *texts]))
    lines += ["\t".join([name, "na", *map(str, wells[name])]) for name in features]
    return "\n".join(lines) + "\n"


def gct(wells: pd.DataFrame, folder: Path) -> Written:
    (folder / "P.gct").write_text(_gct_text(wells), encoding="utf-8")
    return Written(folder / "P.gct")


def gct_gz(wells: pd.DataFrame, folder: Path) -> Written:
    (folder / "P.gct.gz").write_bytes(gzip.compress(_gct_text(wells).encode()))
    return Written(folder / "P.gct.gz")


def gctx(wells: pd.DataFrame, folder: Path) -> Written:
    with h5py.File(folder / "P.gctx", "w") as opened:
        opened.attrs["version"] = np.bytes_("GCTX1.0")
        opened["0/DATA/0/matrix"] = wells[features_of(wells)].to_numpy(np.float32)
        opened["0/META/ROW/id"] = np.array([name.encode() for name in features_of(wells)])
        opened["0/META/COL/id"] = np.array([f"cid{row}".encode() for row in range(len(wells))])
        for column in DESCRIBED:
            texts = wells[column].map(str, na_action="ignore").astype(object).fillna("-666")
            opened[f"0/META/COL/{column}"] = np.array([text.encode() for text in texts])
    return Written(folder / "P.gctx")


def _anndata(rows: pd.DataFrame) -> AnnData:
    features = features_of(rows)
    obs = rows[[name for name in DESCRIBED if name in rows]].set_axis([f"w{row}" for row in range(len(rows))])
    return AnnData(sparse.csr_matrix(rows[features].to_numpy(np.float32)), obs=obs, var=pd.DataFrame(index=features))


def h5ad(wells: pd.DataFrame, folder: Path) -> Written:
    _anndata(wells).write_h5ad(folder / "P.h5ad")
    return Written(folder / "P.h5ad")


def h5ad_cells(wells: pd.DataFrame, folder: Path) -> Written:
    """Single cells whose mean is the well, in a dense layer."""
    cells = _anndata(cells_of(wells))
    cells.layers["counts"] = cells.X.toarray()
    cells.X = sparse.csr_matrix(cells.shape, dtype=np.float32)
    cells.write_h5ad(folder / "P.h5ad")
    return Written(folder / "P.h5ad", {"aggregate": {"statistic": "mean"}, "layer": "counts"})


def tenx_h5(wells: pd.DataFrame, folder: Path) -> Written:
    features, barcodes = features_of(wells), [f"ACGT-{row}" for row in range(len(wells))]
    counts = sparse.csr_matrix(wells[features].to_numpy(np.int32))
    with h5py.File(folder / "P.h5", "w") as opened:
        group = opened.create_group("matrix")
        for name in ("data", "indices", "indptr"):
            group[name] = getattr(counts, name)
        group["shape"] = np.array(counts.shape[::-1])
        group["barcodes"] = np.array([name.encode() for name in barcodes])
        described = {"id": features, "name": ["symbol"] * len(features)}
        described |= {"feature_type": ["Gene Expression"] * len(features), "genome": ["GRCh38"] * len(features)}
        for name, values in described.items():
            group[f"features/{name}"] = np.array([value.encode() for value in values])
    said, tables = _described_by(wells, "barcode", barcodes, folder)
    return Written(folder / "P.h5", said, tables)


def tenx_mtx(wells: pd.DataFrame, folder: Path) -> Written:
    features, barcodes = features_of(wells), [f"ACGT-{row}" for row in range(len(wells))]
    inner = folder / "P"
    inner.mkdir()
    matrix_market.mmwrite(inner / "matrix.mtx", sparse.coo_matrix(wells[features].to_numpy(np.int64).T))
    texts = {
        "barcodes.tsv": "\n".join(barcodes),
        "features.tsv": "\n".join(f"{name}\tsymbol\tGene Expression" for name in features),
    }
    for name, text in texts.items():
        (inner / f"{name}.gz").write_bytes(gzip.compress(text.encode() + b"\n"))
    (inner / "matrix.mtx.gz").write_bytes(gzip.compress((inner / "matrix.mtx").read_bytes()))
    (inner / "matrix.mtx").unlink()
    said, tables = _described_by(wells, "barcode", barcodes, folder)
    return Written(inner, said, tables)


def deep_profiler(wells: pd.DataFrame, folder: Path) -> Written:
    """A folder per plate, one .npz per site, with a pickled dictionary of metadata as DeepProfiler writes it."""
    features = features_of(wells)
    for _, well in wells.iterrows():
        values = np.stack([well[features].to_numpy(float) + shift for shift in (-1.0, 0.0, 1.0)]).astype(np.float32)
        metadata = {name: well[name] for name in DESCRIBED if name not in ("Plate", "Well")}
        target = folder / "P" / str(well["Well"])
        target.mkdir(parents=True)
        np.savez_compressed(target / "1.npz", features=values[:2], metadata=metadata, locations=np.zeros((2, 2)))
        np.savez_compressed(target / "2.npz", features=values[2:], metadata=metadata, locations=np.zeros((1, 2)))
    names = {key: f"Metadata_{name}" for key, name in PLATES["columns"].items()} | {"cell_count": None}
    said = {"columns": names, "control": {"column": "Metadata_Role", "values": ["control"]}}
    return Written(folder / "P", {"aggregate": {}, "features": {"prefixes": ["DP_"]}, **said})


def sqlite(wells: pd.DataFrame, folder: Path) -> Written:
    """As cytominer-database writes it: images, and a table for each compartment with as many objects as there are."""
    cells = cells_of(wells)
    number = {well: row + 1 for row, well in enumerate(wells["Well"])}
    image = wells[DESCRIBED].drop(columns="Cell_Count").rename(columns=lambda name: f"Metadata_{name}")
    keys = pd.DataFrame({"TableNumber": 7, "ImageNumber": [number[well] for well in cells["Well"]]})
    with sqlite3.connect(folder / "P.sqlite") as opened:
        image = image.assign(TableNumber=7, ImageNumber=range(1, len(wells) + 1), Metadata_Site=1)
        image.to_sql("Image", opened, index=False)
        for compartment in ("Cells", "Cytoplasm", "Nuclei"):
            names = [name for name in features_of(wells) if name.startswith(compartment)]
            objects = pd.concat([keys, cells[names]], axis=1).assign(ObjectNumber=range(len(cells)))
            objects.to_sql(compartment, opened, index=False)
    opened.close()
    names = {key: f"Metadata_{name}" for key, name in PLATES["columns"].items()} | {"cell_count": None}
    said = {"columns": names, "control": {"column": "Metadata_Role", "values": ["control"]}}
    return Written(folder / "P.sqlite", {"aggregate": {}, **said})


PLATES = {**SIMULATED_PLATES, "features": {"prefixes": ["Cells_", "Cytoplasm_", "Nuclei_"]}}
SINGLE_CELLS = ("cells_parquet", "cells_csv", "h5ad_cells")
WRITERS: dict[str, Callable[[pd.DataFrame, Path], Written]] = {
    function.__name__: function
    for function in (
        csv, tsv_gz, parquet, jump, cells_parquet, cells_csv, sites_csv, matrix, gct, gct_gz, gctx, h5ad, h5ad_cells,
        tenx_h5, tenx_mtx, deep_profiler, sqlite,
    )
}  # fmt: skip


def settings_for(written: Written, name: str) -> dict[str, Any]:
    """The `plates` section that fits a file."""
    columns = PLATES["columns"] | ({"cell_count": None} if name in SINGLE_CELLS else {})
    return {"tables": [str(written.path)], **PLATES, "columns": columns, **written.plates}
