"""From a fold's files to the arrays that counterfactual profiles are made of."""

import logging
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl import keys
from dssl.errors import ConfigError
from dssl.evaluation.counterfactual_queries import CONTEXT, Units

if TYPE_CHECKING:
    from mudata import MuData

    from dssl.preprocessing.state import PreprocessingState
    from dssl.training.decoder_file import Scaling
    from dssl.training.encode import Models

logger = logging.getLogger(__name__)


def fit_scaling(fold_pairs: "MuData") -> "Scaling":
    """Mean and standard deviation of every feature over training wells, as `tamed_profiles` gives them."""
    from dssl.pairs.rows import rows_of_role
    from dssl.training.decoder_file import Scaling

    wells = fold_pairs[keys.PHENOTYPE]
    known = tamed_profiles(fold_pairs)[rows_of_role(fold_pairs, keys.TRAIN).phenotype]
    center, scale = known.mean(axis=0), known.std(axis=0)
    varies = scale > 0
    if not varies.all():
        logger.info("%d of %d features do not vary over training wells; left out", (~varies).sum(), len(varies))
    return Scaling(tuple(wells.var_names[varies].astype(str)), center[varies], scale[varies])


def tamed_profiles(fold_pairs: "MuData") -> NDArray[np.float64]:
    """Profiles of all wells, missing values filled and extreme ones clipped by training wells."""
    from dssl.pairs.rows import rows_of_role
    from dssl.steps.disentanglement import tamed

    training = rows_of_role(fold_pairs, keys.TRAIN).phenotype
    return tamed(fold_pairs[keys.PHENOTYPE].X, training).astype(np.float64)


def build_units(
    fold_pairs: "MuData", state: "PreprocessingState", models: "Models", scaling: "Scaling", column: str
) -> Units:
    """Pool the wells of every treatment in every context, encode them, and put their molecules beside them.

    A treatment is a compound at a dose; where the dose is the context, a compound. Wells without a context are left
    out, and counted in the log.

    Raises
    ------
    ConfigError
        If the wells have no such column, or it is empty.
    """
    from dssl.pairs.levels import mean_rows
    from dssl.preprocessing.molecule import apply_molecule
    from dssl.preprocessing.phenotype import apply_phenotype
    from dssl.training.encode import encode

    wells, molecules = fold_pairs[keys.PHENOTYPE], fold_pairs[keys.MOLECULE]
    obs, codes = unit_obs(wells.obs, molecules.obs, column)
    used = codes >= 0
    positions = wells.var_names.get_indexer(list(scaling.names))
    profiles = (tamed_profiles(fold_pairs)[used][:, positions] - scaling.center) / scaling.scale
    inputs = apply_phenotype(state.phenotype, wells.X, list(wells.var_names), wells.obs)[used]
    pooled = mean_rows(inputs, codes[used], len(obs)).astype(np.float32)
    features = apply_molecule(state.molecule, molecules.X, list(molecules.var_names))
    encoded = encode(models, pooled, features)
    row = molecules.obs_names.get_indexer(obs["row_of"])
    as_double = np.float64
    return Units(
        obs.drop(columns="row_of"),
        mean_rows(profiles, codes[used], len(obs)),
        pooled.astype(as_double),
        encoded.shared[keys.PHENOTYPE].astype(as_double),
        encoded.specific[keys.PHENOTYPE].astype(as_double),
        encoded.shared[keys.MOLECULE][row].astype(as_double),
        features[row].astype(as_double),
    )


def unit_obs(wells: pd.DataFrame, molecules: pd.DataFrame, column: str) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """The units' obs (and "row_of": name of their molecule), and the unit of every well, -1 for those without a context."""
    if column not in wells.columns or wells[column].isna().all():
        raise ConfigError(
            f"train_decoder.contexts: wells have no column {column!r}; there are {', '.join(map(repr, wells.columns))}\n"
            "Correct the name, or keep the column (plates.columns.keep)."
        )
    ids = wells[keys.COMPOUND_ID].astype(str)
    names = molecules.get(keys.ORIGINAL_ID, molecules.index.to_series()).astype(str)
    described = pd.DataFrame(
        {
            keys.COMPOUND_ID: names.reindex(ids).to_numpy(),
            keys.TREATMENT: (ids if column == keys.DOSE_UM else wells[keys.TREATMENT].astype(str)).to_numpy(),
            CONTEXT: [context_name(value) for value in wells[column].astype(object)],
            keys.SPLIT: wells[keys.SPLIT].astype(str).to_numpy(),
            "row_of": ids.to_numpy(),
        }
    )
    known = wells[column].notna().to_numpy()
    if not known.all():
        logger.warning("%d of %d wells have no %s; left out", (~known).sum(), len(known), column)
    codes = np.full(len(wells), -1, dtype=np.int64)
    codes[known] = described[known].groupby([keys.TREATMENT, CONTEXT], sort=False).ngroup()
    first = np.unique(codes[known], return_index=True)[1]
    return described[known].iloc[first].reset_index(drop=True), codes


def context_name(value: object) -> str:
    """A context as people write it: 24.0 hours are "24"."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def member_columns(models: "Models") -> list[NDArray[np.int64]]:
    """Columns of the shared and specific codes side by side that belong to each member of the ensemble."""
    shared = [model.code_settings.size for model, _ in models]
    specific = [model.settings.code.size if model is not None else 0 for _, model in models]
    starts = np.cumsum([0, *shared]), sum(shared) + np.cumsum([0, *specific])
    return [
        np.concatenate([np.arange(a, a + one), np.arange(b, b + other)])
        for a, one, b, other in zip(starts[0], shared, starts[1], specific, strict=False)
    ]
