"""Predicted profiles by group of features, with the errors that held-out compounds had."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl import keys
from dssl.evaluation.attribution import MAX_GROUPS
from dssl.evaluation.counterfactual_queries import CONTEXT
from dssl.evaluation.counterfactuals import group_matrix

Floats = NDArray[np.float64]
QUERY = [keys.COMPOUND_ID, keys.TREATMENT, CONTEXT]


@dataclass(frozen=True, eq=False)
class Residuals:
    """Measured less predicted profiles (n, p) of queries, and the queries' weights (n,)."""

    values: Floats
    weights: Floats

    def rms(self, matrix: Floats) -> Floats:
        """Root mean square of sums of the features, by the weights in `matrix` (p, groups)."""
        return np.asarray(np.sqrt(self.weights @ (self.values @ matrix) ** 2))


@dataclass(frozen=True, eq=False)
class HeldOutError:
    """A task's residuals of validation compounds and of held-out ones, and how many held-out compounds there are."""

    validation: Residuals
    held_out: Residuals
    n_compounds: int

    @property
    def of_feature(self) -> Floats:
        """Root mean square error (p,) of every feature over held-out compounds."""
        return np.asarray(np.sqrt(self.held_out.weights @ self.held_out.values**2))


def group_rows(
    obs: pd.DataFrame, measured: Floats, predicted: Floats, error: HeldOutError, var: pd.DataFrame, asked: bool
) -> pd.DataFrame:
    """Means of feature groups of every query: predicted, with their standard deviation, and measured.

    Parameters
    ----------
    obs : of n queries, columns QUERY.
    measured, predicted : (n, p) in standard deviations of training wells about their mean; measured may be missing.
    error : of the task; sd is the root mean square of the group's residuals over validation compounds, held_out_rmse
        over held-out ones.
    var : what describes the features.
    asked : whether the settings ask for these queries.
    """
    heads, matrix = group_matrix(var, MAX_GROUPS)
    n, n_groups = len(obs), len(heads)
    rows = obs.iloc[np.repeat(np.arange(n), n_groups)][QUERY].reset_index(drop=True)
    repeated = pd.concat([heads] * n, ignore_index=True) if n and n_groups else heads.iloc[:0]
    return pd.concat([rows, repeated], axis=1).assign(
        predicted=(predicted @ matrix).ravel(),
        sd=np.tile(error.validation.rms(matrix), n),
        measured=(measured @ matrix).ravel(),
        rmse=np.sqrt((measured - predicted) ** 2 @ matrix).ravel(),
        held_out_rmse=np.tile(error.held_out.rms(matrix), n),
        n_held_out=error.n_compounds,
        asked=asked,
    )
