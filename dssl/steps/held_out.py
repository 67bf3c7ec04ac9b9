"""What the test folds say about scores and about the model's domain, from the embeddings of their held-out compounds."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl import keys
from dssl.evaluation.applicability import (
    APPLICABILITY,
    MEASURES,
    flag,
    nearest_training,
    performance_by_flag,
    reference_values,
)
from dssl.evaluation.calibration import HeldOutCodes, calibrate
from dssl.settings.new_data import CalibrateScoresSettings

if TYPE_CHECKING:
    from anndata import AnnData

LEVELS = ("well", "treatment", "compound")
Values = dict[str, NDArray[np.float64]]


class Fold(NamedTuple):
    """Embeddings of one test fold: profiles by level, molecules, and the molecules' features (same rows)."""

    profiles: dict[str, "AnnData"]
    molecules: "AnnData"
    features: "AnnData"


def is_role(adata: "AnnData", role: str) -> NDArray[np.bool_]:
    """Rows of one role: train, validation or test."""
    return np.asarray((adata.obs[keys.SPLIT].astype(str) == role).to_numpy(dtype=bool))


def calibrate_levels(folds: Sequence[Fold], settings: CalibrateScoresSettings) -> pd.DataFrame:
    """Worth of scores at every level (column `level`), as `dssl.evaluation.calibration.calibrate` gives it."""
    rng = np.random.default_rng(settings.seed)
    tables = []
    for level in LEVELS:
        codes = [_codes(fold.profiles[level], fold.molecules) for fold in folds]
        tables.append(calibrate(codes, settings.n_bootstrap, rng).assign(level=level))
    return pd.concat(tables, ignore_index=True)


def _codes(profiles: "AnnData", molecules: "AnnData") -> HeldOutCodes:
    rows, tested = is_role(profiles, keys.TEST), is_role(molecules, keys.TEST)
    compound = molecules.obs_names[tested].get_indexer(profiles.obs[keys.COMPOUND_ID].astype(str)[rows])
    shared = profiles.obsm[keys.X_SHARED][rows], molecules.obsm[keys.X_SHARED][tested]
    return HeldOutCodes(shared[0], compound.astype(np.int64), shared[1])


def measure_domain(folds: Sequence[Fold], settings: CalibrateScoresSettings) -> tuple[pd.DataFrame, pd.DataFrame]:
    """How far held-out compounds lie from their training compounds, and how well they were retrieved by that.

    Returns
    -------
    held_out : DataFrame
        Columns level ("molecule", "well", "treatment", "compound"), measure, value: what new data are held against.
    performance : DataFrame
        `dssl.evaluation.applicability.performance_by_flag`, at compound level among the held-out compounds of a fold;
        the flag is that of the query.
    """
    measured = [_measure(fold) for fold in folds]
    references = {
        level: {
            name: reference_values(np.concatenate([values[level][name] for values in measured]))
            for name in measured[0][level]
        }
        for level in measured[0]
    }
    rows = [
        pd.DataFrame({"level": level, "measure": name, "value": values})
        for level, of_level in references.items()
        for name, values in of_level.items()
    ]
    limits = settings.outside_below, settings.borderline_below
    queries = [
        scored
        for fold, values in zip(folds, measured, strict=True)
        for scored in _scored(
            fold,
            flag(references["compound"], values["compound"], *limits)[APPLICABILITY],
            flag(references["molecule"], values["molecule"], *limits)[APPLICABILITY],
        )
    ]
    rng = np.random.default_rng(settings.seed)
    return pd.concat(rows, ignore_index=True), performance_by_flag(pd.concat(queries), settings.n_bootstrap, rng)


def _measure(fold: Fold) -> dict[str, Values]:
    tested, trained = (is_role(fold.molecules, role) for role in (keys.TEST, keys.TRAIN))
    if (fold.features.var[keys.FEATURIZER].astype(str) == keys.SECOND_ASSAY).all():
        # profiles of a second assay, which are as far from each other as profiles are, not as structures
        molecule = nearest_training(fold.molecules.X[tested], fold.molecules.X[trained])
    else:
        molecule = _molecule_measures(fold, tested, trained)
    compounds = fold.profiles["compound"]
    training = compounds.X[is_role(compounds, keys.TRAIN)]
    profiles = {
        level: nearest_training(adata.X[is_role(adata, keys.TEST)], training) for level, adata in fold.profiles.items()
    }
    return {keys.MOLECULE: molecule, **profiles}


def _molecule_measures(fold: Fold, tested: NDArray[np.bool_], trained: NDArray[np.bool_]) -> Values:
    smiles = fold.molecules.obs[keys.SMILES].astype(str)
    measures = {"nearest_tanimoto": nearest_tanimoto(list(smiles[tested]), list(smiles[trained]))}
    ranges = descriptor_ranges(fold.features[trained])
    if len(ranges):
        measures["descriptors_outside"] = descriptors_outside(fold.features[tested], ranges)
    return measures


def nearest_tanimoto(smiles: list[str], training: list[str]) -> NDArray[np.float64]:
    """Tanimoto similarity of each molecule to the nearest training molecule."""
    from dssl.molecules.neighbors import nearest_by_structure, structural_fingerprints

    queries, items = structural_fingerprints(smiles), structural_fingerprints(training)
    return nearest_by_structure(queries, items, 1)[1][:, 0]


def descriptor_ranges(features: "AnnData") -> pd.DataFrame:
    """Lowest and highest value of every descriptor: columns feature, low, high; empty without descriptors."""
    from dssl.preprocessing.molecule import REAL_VALUED

    chosen = np.isin(features.var[keys.FEATURIZER].astype(str), REAL_VALUED)
    values = features.X[:, np.flatnonzero(chosen)].toarray()
    names = features.var_names[chosen].astype(str)
    return pd.DataFrame({"feature": names, "low": values.min(axis=0), "high": values.max(axis=0)})


def descriptors_outside(features: "AnnData", ranges: pd.DataFrame) -> NDArray[np.float64]:
    """How many descriptors of each molecule lie outside the range of the training molecules."""
    values = features.X[:, features.var_names.get_indexer(ranges["feature"])].toarray()
    outside = (values < ranges["low"].to_numpy(values.dtype)) | (values > ranges["high"].to_numpy(values.dtype))
    return np.asarray(outside.sum(axis=1), dtype=np.float64)


def _scored(fold: Fold, of_profiles: pd.Series, of_molecules: pd.Series) -> Iterator[pd.DataFrame]:
    """Retrieval of each held-out compound among those of its fold, in both directions, with its flag."""
    from dssl.evaluation.ranking import Side, rank_counts
    from dssl.evaluation.retrieval import MOLECULE_TO_PHENOTYPE, PHENOTYPE_TO_MOLECULE, query_table, unit_rows

    codes = _codes(fold.profiles["compound"], fold.molecules)
    ids = np.arange(len(codes.molecule))
    phenotype, molecule = Side(unit_rows(codes.phenotype), codes.compound), Side(unit_rows(codes.molecule), ids)
    for queries, items, direction, flags in (
        (phenotype, molecule, PHENOTYPE_TO_MOLECULE, of_profiles),
        (molecule, phenotype, MOLECULE_TO_PHENOTYPE, of_molecules),
    ):
        scored = query_table(rank_counts(queries, items), queries.compound, queries.compound, direction=direction)
        yield scored.assign(**{APPLICABILITY: flags.to_numpy()})


def references_of(held_out: pd.DataFrame, level: str) -> Values:
    """Ascending held-out values of each measure of one level."""
    chosen = held_out[held_out["level"] == level]
    return {
        str(name): np.sort(group["value"].to_numpy(dtype=np.float64))
        for name, group in chosen.groupby("measure", sort=False)
        if name in MEASURES
    }
