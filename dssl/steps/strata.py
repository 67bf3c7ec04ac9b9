"""What is known of tested compounds beside their ranks: similarity to training, strength of phenotype, dose."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl import keys
from dssl.errors import TableError, first_few

if TYPE_CHECKING:
    from anndata import AnnData
    from mudata import MuData
    from scipy.sparse import csr_matrix


def describe_compounds(
    features: "AnnData", inputs: "MuData", compounds: "AnnData", fold: str, activity: pd.DataFrame
) -> pd.DataFrame:
    """Describe the tested compounds of a fold, for `dssl.evaluation.strata`.

    Parameters
    ----------
    features : molecular features, rows as the molecules of `inputs`.
    inputs : preprocessed inputs of the fold.
    compounds : embedding of the mean profiles; X is what was encoded.
    activity : columns compound_id and active; missing where a compound could not be called.

    Returns
    -------
    DataFrame
        fold, compound_id, nearest_training_similarity (Tanimoto, see `structure_counts`), replicate_correlation (mean
        over pairs of its tested wells, of preprocessed profiles; missing for one well), profile_length (of the mean
        preprocessed profile), and active (missing where `activity` does not say).
    """
    from dssl.molecules.similarity import nearest_similarity

    obs = inputs[keys.MOLECULE].obs
    role = obs[keys.SPLIT].astype(str).to_numpy()
    ids, train = obs.index[role == keys.TEST], np.flatnonzero(role == keys.TRAIN)
    counts = structure_counts(features, obs)
    wells = inputs[keys.PHENOTYPE]
    tested = (wells.obs[keys.SPLIT].astype(str) == keys.TEST).to_numpy()
    place = ids.get_indexer(wells.obs[keys.COMPOUND_ID].astype(str)[tested])
    profiles = compounds[pd.Index(compounds.obs[keys.COMPOUND_ID].astype(str)).get_indexer(ids)].X
    described = pd.DataFrame(
        {
            "fold": fold,
            keys.COMPOUND_ID: original_ids(obs, ids),
            "nearest_training_similarity": nearest_similarity(counts[np.flatnonzero(role == keys.TEST)], counts[train]),
            "replicate_correlation": replicate_correlation(wells.X[tested], place, len(ids)),
            "profile_length": np.linalg.norm(profiles, axis=1),
        }
    )
    described["active"] = described[keys.COMPOUND_ID].map(activity_of(activity)).astype("boolean")
    return described


def structure_counts(features: "AnnData", obs: pd.DataFrame) -> "csr_matrix":
    """Counts (n, d) that the similarity of structures is measured on: the first fingerprint among the features.

    The features of a second assay are no structures: then the Morgan counts of the SMILES in `obs`, whose rows are those
    of the features.
    """
    from dssl.molecules.featurize import featurize_molecules
    from dssl.molecules.similarity import first_fingerprint
    from dssl.settings.preparation import FeaturizeMoleculesSettings

    if (features.var[keys.FEATURIZER].astype(str) != keys.SECOND_ASSAY).any():
        return first_fingerprint(features.X, features.var)
    molecules = pd.DataFrame(
        {keys.COMPOUND_ID: obs.index.astype(str), keys.SMILES: obs[keys.SMILES].astype(str).to_numpy()}
    )
    counts: csr_matrix = featurize_molecules(molecules, FeaturizeMoleculesSettings(featurizers=["morgan_count"])).X
    return counts


def original_ids(obs: pd.DataFrame, names: "pd.Index[str]") -> list[str]:
    """Compound_id of molecules of a fold, where a compound may occur once for each of its roles."""
    if keys.ORIGINAL_ID not in obs.columns:
        return list(names.astype(str))
    return list(obs.loc[names, keys.ORIGINAL_ID].astype(str))


def replicate_correlation(profiles: NDArray[np.float32], group: NDArray[np.intp], n: int) -> NDArray[np.float64]:
    """Mean Pearson correlation over the pairs of profiles (rows) of each group 0 .. n - 1; NaN for a single one."""
    centered = profiles.astype(np.float64) - profiles.mean(axis=1, keepdims=True, dtype=np.float64)
    length = np.linalg.norm(centered, axis=1, keepdims=True)
    unit = np.divide(centered, length, out=np.zeros_like(centered), where=length > 0)
    sums = np.zeros((n, profiles.shape[1]))
    np.add.at(sums, group, unit)
    # |sum of unit vectors|^2 is their squared lengths and twice the sum over pairs
    own = np.bincount(group, (unit**2).sum(axis=1), n)
    size = np.bincount(group, minlength=n)
    pairs = size * (size - 1)
    mean = np.divide((sums**2).sum(axis=1) - own, pairs, out=np.full(n, np.nan), where=pairs > 0)
    return np.asarray(mean, dtype=np.float64)


def activity_of(table: pd.DataFrame) -> "pd.Series[bool]":
    """Whether each compound (index) is active.

    Raises
    ------
    TableError
        If a column is missing, or a value is neither true nor false.
    """
    missing = [column for column in (keys.COMPOUND_ID, "active") if column not in table.columns]
    if missing:
        raise TableError(
            f"activity table: no column {', '.join(map(repr, missing))}; it has {first_few(table.columns, 12)}\n"
            "Name the file that call_activity wrote."
        )
    known = table.dropna(subset=["active"]).drop_duplicates(keys.COMPOUND_ID)
    names = known["active"].astype(str).str.lower()
    values = names.map({"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False})
    wrong = known[values.isna()]
    if len(wrong):
        raise TableError(
            f"activity table: active must be true or false; {len(wrong)} values are not, first "
            f"{wrong['active'].iloc[0]!r}: {first_few(wrong[keys.COMPOUND_ID])}\nRun call_activity again."
        )
    return pd.Series(values.astype(bool).to_numpy(), index=known[keys.COMPOUND_ID].astype(str))


def treatment_doses(treatments: "AnnData", fold: str) -> pd.DataFrame:
    """Dose of every tested treatment: fold, query (its name), dose_um."""
    rows = (treatments.obs[keys.SPLIT].astype(str) == keys.TEST).to_numpy()
    obs = treatments.obs[rows]
    doses = obs[keys.DOSE_UM].astype(float).to_numpy() if keys.DOSE_UM in obs else np.nan
    return pd.DataFrame({"fold": fold, "query": obs.index.astype(str), "dose_um": doses})
