"""Choice of a control's hyperparameters by retrieval among validation compounds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl.baselines.data import ClassicalData
from dssl.baselines.vectors import phenotype_vectors
from dssl.errors import PairingError
from dssl.evaluation.ranking import Side, rank_counts
from dssl.evaluation.ranks import METRICS, MRR, expected_metrics
from dssl.evaluation.retrieval import MOLECULE_TO_PHENOTYPE, PHENOTYPE_TO_MOLECULE, unit_rows

HYPERPARAMETERS = ("neighbors", "ridge", "whitening", "components", "tanimoto_weight")
WHOLE_NUMBERS = {"neighbors": "Int64", "components": "Int64"}


@dataclass(frozen=True, eq=False)
class Trial:
    """One control with one choice of its hyperparameters, fitted on training compounds.

    Attributes
    ----------
    molecules : (n, m) vectors of all molecules.
    uns : what `phenotype_vectors` needs beside the profiles.
    hyperparameters : by name, of `HYPERPARAMETERS`.
    """

    molecules: NDArray[np.float32]
    uns: Mapping[str, Any]
    hyperparameters: Mapping[str, float] = field(default_factory=dict)


def choose(method: str, trials: Iterable[Trial], data: ClassicalData) -> tuple[Trial, pd.DataFrame]:
    """Take the trial that retrieves best among validation compounds; of equally good ones the first.

    Returns
    -------
    Trial
        The chosen one.
    DataFrame
        A row per trial: method, its hyperparameters, score (mean MRR of both directions), <metric>_<direction>, chosen.

    Raises
    ------
    PairingError
        If there are no validation compounds.
    """
    if len(data.validation) == 0:
        raise PairingError(
            f"control {method}: its hyperparameters are chosen on validation compounds, and there are none\n"
            "Raise pair_and_split.validation_fraction."
        )
    candidates = list(trials)
    found = [validation_scores(method, trial, data) for trial in candidates]
    best = int(np.argmax([scores["score"] for scores in found]))
    rows = [{**trial.hyperparameters, **scores} for trial, scores in zip(candidates, found, strict=True)]
    tried = pd.DataFrame(rows).assign(method=method, chosen=np.arange(len(rows)) == best)
    others = [column for column in tried.columns if column not in ("method", *HYPERPARAMETERS)]
    return candidates[best], tried.reindex(columns=["method", *HYPERPARAMETERS, *others]).astype(WHOLE_NUMBERS)


def validation_scores(method: str, trial: Trial, data: ClassicalData) -> dict[str, float]:
    """Retrieval among validation compounds, in both directions, exactly as it is evaluated later."""
    phenotype = phenotype_vectors(method, data.profiles_validation, data.obs_validation, trial.uns)
    compounds = np.arange(len(phenotype))
    sides = Side(unit_rows(phenotype), compounds), Side(unit_rows(trial.molecules[data.validation]), compounds)
    found = {
        PHENOTYPE_TO_MOLECULE: expected_metrics(rank_counts(*sides)),
        MOLECULE_TO_PHENOTYPE: expected_metrics(rank_counts(*sides[::-1])),
    }
    means = {f"{name}_{direction}": float(found[direction][name].mean()) for direction in found for name in METRICS}
    return {"score": float(np.mean([means[f"{MRR}_{direction}"] for direction in found]))} | means
