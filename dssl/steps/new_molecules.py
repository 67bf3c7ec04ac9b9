"""Codes of new molecules: standardised, featurised and preprocessed as the screen's were."""

import logging
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from dssl import keys
from dssl.errors import TableError, first_few
from dssl.evaluation.applicability import flag
from dssl.io import table_columns, write_table
from dssl.settings.inputs import MoleculeTableSettings
from dssl.settings.new_data import EmbedSettings
from dssl.steps.bundle import Bundle
from dssl.steps.embeddings import code_table
from dssl.steps.held_out import references_of
from dssl.steps.new_features import FeaturizedBlock, featurized_blocks
from dssl.steps.new_neighbors import Reference, neighbor_table, reference_molecules
from dssl.steps.streaming import embedding_writer, table_writer

if TYPE_CHECKING:
    from anndata import AnnData


logger = logging.getLogger(__name__)

NEW = "new"  # role of a compound that the model was not trained on


def read_new_molecules(path: Path, columns: MoleculeTableSettings | None, as_in: MoleculeTableSettings) -> pd.DataFrame:
    """Read a table of new molecules: input_id, smiles, name, kept columns.

    Parameters
    ----------
    path : Path
        CSV, TSV, Parquet or SDF.
    columns : MoleculeTableSettings, optional
        What its columns are called. Where left out, identifier and SMILES are called as in the screen, or
        `compound_id` and `smiles` (of an SDF, the identifier is the title of a record); a name may be missing, and
        nothing else is kept.
    as_in : MoleculeTableSettings
        The screen's columns.

    Raises
    ------
    TableError
        If the table has no row, or lacks a column.
    """
    from dssl.molecules.sdf import ENDINGS, TITLE, read_sdf
    from dssl.molecules.standardize import open_molecules, read_molecule_table

    records = read_sdf(path) if path.name.endswith(ENDINGS) else None
    present = table_columns(path) if records is None else list(records.columns)
    if columns is None:
        usual = MoleculeTableSettings() if records is None else MoleculeTableSettings(compound_id=TITLE)
        known = [each for each in (as_in, usual) if {each.compound_id, each.smiles} <= set(present)]
        columns = known[0] if known else as_in
        columns = columns.model_copy(update={"name": columns.name if columns.name in present else None, "keep": []})
    named = [columns.compound_id, columns.smiles, columns.name or columns.compound_id, *columns.keep]
    absent = [column for column in dict.fromkeys(named) if column not in present]
    if absent:
        raise TableError(
            f"{path}: no column {first_few(map(repr, absent))}; it has {first_few(map(repr, present), 12)}\n"
            """Say what they are called: --settings '{"molecules": {"compound_id": "ID", "smiles": "SMILES"}}', """
            "or new_data.<name>.molecules in the YAML."
        )
    frame = open_molecules(path, columns) if records is None else records
    if frame.empty:
        raise TableError(f"{path}: expected molecules, the table has no rows\nName the right file.")
    return read_molecule_table(frame, columns, str(path))


def embed_molecules(bundle: Bundle, frame: pd.DataFrame, settings: EmbedSettings, folder: Path, threads: int) -> None:
    """Write codes, nearest training compounds and applicability of new molecules.

    Files: molecules.h5ad and molecules.csv.gz (codes in obsm, one row per compound), neighbors.tsv.gz, and
    aliases.tsv, changed.tsv, merged.tsv and rejected.tsv, which say what became of every id.

    Parameters
    ----------
    bundle : Bundle
        The trained model.
    frame : DataFrame
        What `read_new_molecules` gave.
    settings : EmbedSettings
        Number of neighbours.
    folder : Path
        Where the files go.
    threads : int
        Processes; the result does not depend on it.
    """
    from dssl.molecules.standardize import standardize_molecules

    result = standardize_molecules(frame, bundle.settings.standardize_molecules, n_jobs=threads)
    for name in ("aliases", "changed", "merged", "rejected"):
        write_table(folder / f"{name}.tsv", getattr(result, name))
    molecules = _with_role(result.molecules, bundle).set_index(keys.COMPOUND_ID, drop=False)
    molecules.index.name = None
    reference = reference_molecules(bundle)
    described: list[pd.DataFrame] = []
    undefined: Counter[str] = Counter()
    with (
        embedding_writer(folder / "molecules.h5ad", molecules.index, bundle.stamp()) as embeddings,
        table_writer(folder / "molecules.csv.gz") as table,
        table_writer(folder / "neighbors.tsv.gz") as neighbors,
    ):
        for rows, block in featurized_blocks(bundle.folder, molecules, settings.n_neighbors, threads):
            adata = _encoded(bundle, molecules.iloc[rows], block)
            embeddings.append(dict(adata.obsm))
            table.append(code_table(adata))
            neighbors.append(_neighbors(adata, block, reference, settings.n_neighbors))
            described.append(adata.obs)
            undefined.update(dict(block.undefined))
        embeddings.describe(pd.concat(described))
    if undefined:
        shown = first_few(f"{name} ({count})" for name, count in undefined.most_common())
        logger.warning("%d descriptor(s) are undefined for some molecules and 0 there: %s", len(undefined), shown)


def _with_role(molecules: pd.DataFrame, bundle: Bundle) -> pd.DataFrame:
    """Add the screen's compound of the same skeleton (`same_as`, "" if none) and its role in training (`split`)."""
    known = bundle.molecules.obs
    first = ~known[keys.SKELETON].astype(str).duplicated().to_numpy()
    skeletons = known[keys.SKELETON].astype(str)[first]
    names = pd.Series(known.index[first].astype(str), index=skeletons)
    roles = pd.Series(known[keys.SPLIT].astype(str)[first].to_numpy(), index=skeletons)
    return molecules.assign(
        same_as=molecules[keys.SKELETON].map(names).fillna("").astype(object),
        **{keys.SPLIT: molecules[keys.SKELETON].map(roles).fillna(NEW).astype(object)},
    )


def _encoded(bundle: Bundle, molecules: pd.DataFrame, block: FeaturizedBlock) -> "AnnData":
    """Codes of a block, with its measures and flags in obs."""
    from anndata import AnnData

    from dssl.training.encode import encode

    measures = {"nearest_tanimoto": block.similarities[:, 0]}
    if block.outside is not None:
        measures["descriptors_outside"] = block.outside
    limits = bundle.settings.calibrate_scores
    flags = flag(references_of(bundle.held_out, keys.MOLECULE), measures, limits.outside_below, limits.borderline_below)
    codes = encode(bundle.models, None, block.inputs)
    adata = AnnData(obs=molecules.assign(**measures, **{str(name): flags[name].to_numpy() for name in flags}))
    adata.obsm[keys.X_SHARED] = codes.shared[keys.MOLECULE]
    adata.obsm[keys.X_SPECIFIC] = codes.specific[keys.MOLECULE]
    return adata


def _neighbors(adata: "AnnData", block: FeaturizedBlock, reference: Reference, k: int) -> pd.DataFrame:
    from dssl.steps.new_neighbors import nearest_by_code

    names = list(adata.obs_names)
    by_code = nearest_by_code(adata.obsm[keys.X_SHARED], reference.codes[keys.X_SHARED], k)
    return pd.concat(
        [
            neighbor_table(names, "structure", block.neighbors, block.similarities, reference.obs),
            neighbor_table(names, keys.X_SHARED, *by_code, reference.obs),
        ]
    )
