"""The folder that biologists get: tables, workbook, structures, AnnData, and the pages, each explained."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl import __version__, keys
from dssl.io import atomic_path, read_anndata, read_table, write_anndata, write_table, write_text
from dssl.provenance import stamp
from dssl.settings.evaluation import HandoverSettings
from dssl.steps.arrays import read_pairs, write_pairs
from dssl.steps.describe import read_compounds
from dssl.steps.registry import Input, Inputs, Output, Outputs, step
from dssl.steps.report import wildcards_of

if TYPE_CHECKING:
    from mudata import MuData

    from dssl.steps.handover_tables import Embedded

SECOND_PREFIX = "second assay: "


@step
def handover(
    *,
    settings: HandoverSettings,
    screen: str,
    title: str,
    fold: str,
    simulated: bool,
    pairs: Input,
    table: Input,
    compounds: Input,
    molecules: Input,
    fold_compounds: Inputs,
    fold_molecules: Inputs,
    calibration: Input,
    attribution: Input,
    pages: Inputs,
    readme: Output,
    dictionary: Output,
    compound_table: Output,
    hits: Output,
    neighbors: Output,
    profiles_shared: Output,
    profiles_specific: Output,
    molecules_shared: Output,
    molecules_specific: Output,
    variance: Output,
    workbook: Output,
    structures: Output,
    profiles_file: Output,
    molecules_file: Output,
    screen_file: Output,
    copies: Outputs,
    second_assay: str = "",
) -> None:
    """Write what is handed over: CSV and Excel tables, SDF, AnnData and MuData, copies of the pages, a README."""
    from dssl.report.handover import contents
    from dssl.report.handover.formulas import safe_frame
    from dssl.report.handover.sdf import write_sdf
    from dssl.report.handover.workbook import write_workbook
    from dssl.report.page import fill
    from dssl.steps.handover_tables import code_table, embedded, feature_variance
    from dssl.steps.handover_tables import neighbors as nearest

    described = read_compounds(table)
    kept = contents.kept_names(described)
    known = described.set_index(keys.COMPOUND_ID)[[keys.NAME, *kept]]
    rows = embedded(read_anndata(compounds), read_anndata(molecules))
    explained, annotation = feature_variance(read_table(attribution, text_columns=["fold"]))
    tables = {
        compound_table: (described, contents.compound_dictionary(described)),
        hits: (
            _hits(fold_compounds, fold_molecules, calibration, known, settings.n_hits),
            contents.hit_columns(kept),
        ),
        neighbors: (nearest(rows, known, settings.n_neighbors), contents.neighbor_columns(kept)),
        variance: (explained, contents.variance_columns(annotation)),
    }
    tables = {path: (frame[[column.name for column in columns]], columns) for path, (frame, columns) in tables.items()}
    for adata, code, what, path in (
        (rows.phenotype, "shared", "phenotype", profiles_shared),
        (rows.phenotype, "specific", "phenotype", profiles_specific),
        (rows.molecule, "shared", "molecule", molecules_shared),
        (rows.molecule, "specific", "molecule", molecules_specific),
    ):
        codes = code_table(adata, rows.ids, known[keys.NAME], code)
        tables[path] = codes, contents.code_columns(code, what, adata.obsm[f"X_{code}"].shape[1])
    for path, (frame, _) in tables.items():
        write_table(path, safe_frame(_said(frame)))
    meanings = contents.data_dictionary({path.name: columns for path, (_, columns) in tables.items()})
    write_table(dictionary, safe_frame(meanings))
    notes = contents.notes(fold, rows.molecule.obs, simulated, second_assay)
    columns = contents.compound_dictionary(described)
    write_workbook(workbook, described, columns, meanings, [title, *notes], settings.max_structures)
    write_sdf(structures, _said(described))
    _annotated_files(rows, described, read_pairs(pairs), fold, title, (profiles_file, molecules_file, screen_file))
    for page, copy in zip(pages, copies, strict=True):
        with atomic_path(copy) as temporary:
            shutil.copyfile(page, temporary)
    written = {
        path.name for path in (*tables, dictionary, workbook, structures, profiles_file, molecules_file, screen_file)
    }
    present = written | {path.name for path in copies}
    files = {name: meaning for name, meaning in contents.FILES.items() if name in present}
    values = {"title": title, "screen": screen, "version": __version__, "n_compounds": len(described)}
    write_text(readme, fill("handover/readme.html.j2", **values, files=files, notes=notes, columns=columns))


def _said(table: pd.DataFrame) -> pd.DataFrame:
    """Booleans in the words of every language: true, false, or nothing."""
    texts = {
        str(name): column.astype(object).map({True: "true", False: "false"})
        for name, column in table.items()
        if pd.api.types.is_bool_dtype(column.dtype)
    }
    return table.assign(**texts)


def _hits(compounds: list[Path], molecules: list[Path], calibration: Path, known: pd.DataFrame, k: int) -> pd.DataFrame:
    from dssl.steps.handover_tables import held_out_hits

    levels = read_table(calibration)
    calibrated = levels[levels["level"] == "compound"].reset_index(drop=True)
    parts = [
        held_out_hits(wildcards_of(one)["fold"], read_anndata(one), read_anndata(other), calibrated, known, k)
        for one, other in zip(compounds, molecules, strict=True)
    ]
    return pd.concat(parts, ignore_index=True)


def _annotated_files(
    rows: "Embedded", described: pd.DataFrame, pairs: "MuData", fold: str, title: str, paths: tuple[Path, Path, Path]
) -> None:
    from dssl.pairs.rows import of_fold
    from dssl.pairs.storage import as_mudata
    from dssl.report.handover.annotated import annotated

    fold_pairs = of_fold(pairs, fold)
    wells, features = fold_pairs[keys.PHENOTYPE], fold_pairs[keys.MOLECULE]
    names = rows.molecule.obs_names
    known = described.set_index(keys.COMPOUND_ID).reindex(rows.ids).set_axis(names)
    first = pd.DataFrame({keys.COMPOUND_ID: rows.ids, keys.SPLIT: rows.molecule.obs[keys.SPLIT].astype(str)}, names)
    obs = first.join(known)
    where = rows.phenotype.obs.set_axis(names)
    of_wells = where[[name for name in (keys.PLATE, keys.BATCH) if name in where]]
    measured = mean_profiles(wells.X, names.get_indexer(wells.obs[keys.COMPOUND_ID].astype(str)), len(names))
    phenotype = annotated(measured, obs.join(of_wells), wells.var, rows.phenotype, f"{title}: phenotypes")
    values = features[list(names)]
    var = values.var.copy()
    if not var.index.intersection(wells.var_names).empty:
        var.index = SECOND_PREFIX + var.index.astype(str)
    molecule = annotated(values.X, obs, var, rows.molecule, f"{title}: molecules")
    made_by = stamp("handover", {"fold": fold})
    for path, adata in zip(paths, (phenotype, molecule), strict=False):
        write_anndata(path, adata, made_by)
    both = as_mudata(phenotype, molecule)
    both.uns["title"] = title
    write_pairs(paths[2], both, made_by)


def mean_profiles(values: NDArray[np.float32], row: NDArray[np.intp], n: int) -> NDArray[np.float32]:
    """Mean (n, k) of the wells (rows of `values`) of each row 0 .. n - 1, -1 being of none; missing values do not count."""
    used = row >= 0
    known = np.isfinite(values[used])
    sums, counts = np.zeros((n, values.shape[1])), np.zeros((n, values.shape[1]))
    np.add.at(sums, row[used], np.where(known, values[used], 0))
    np.add.at(counts, row[used], known)
    means = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return np.asarray(means, dtype=np.float32)
