"""What the classical controls of a fold learn from; there is no place in it for the profiles of test compounds."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl import keys
from dssl.errors import PairingError, first_few

TANIMOTO, GAUSSIAN = "tanimoto", "gaussian"


@dataclass(frozen=True, eq=False)
class ClassicalData:
    """Molecules of a fold, and the mean profiles of its training and validation compounds.

    Attributes
    ----------
    inputs : (n, p) preprocessed inputs of all molecules.
    kernels : "tanimoto" (on fingerprints) and "gaussian" (on standardised descriptors), each (n, l) between all molecules
        and the landmarks; only those for which the screen has features.
    landmarks : (l,) rows of the training compounds that a kernel regression is made of: all, or some of many; in the
        order of `train`.
    similarities : makes blocks (m, t) of the kernel "tanimoto" with all training compounds, which together have a row
        for every molecule; none without fingerprints.
    train, validation : (t,) and (v,) rows of the molecules.
    profiles_train, profiles_validation : (t, k) and (v, k) preprocessed mean profiles, in the same order.
    obs_train, obs_validation : their rows; mean cell counts where the screen has cell counts.
    divisor : (k,) by which fit_preprocessing divided the profiles' principal component scores.

    Raises
    ------
    PairingError
        If the shapes disagree or a value is not finite.
    """

    inputs: NDArray[Any]
    kernels: Mapping[str, NDArray[np.float64]]
    landmarks: NDArray[np.int64]
    similarities: Callable[[], Iterable[NDArray[np.float64]]]
    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    profiles_train: NDArray[Any]
    profiles_validation: NDArray[Any]
    obs_train: pd.DataFrame
    obs_validation: pd.DataFrame
    divisor: NDArray[np.float64]

    def __post_init__(self) -> None:
        n, t, v, k = len(self.inputs), len(self.train), len(self.validation), len(self.divisor)
        n_landmarks = len(self.landmarks)
        expected = {
            "inputs": (n, *self.inputs.shape[1:]),
            "profiles_train": (t, k),
            "profiles_validation": (v, k),
        }
        arrays = {name: getattr(self, name) for name in expected} | dict(self.kernels)
        expected |= dict.fromkeys(self.kernels, (n, n_landmarks))
        wrong = [
            f"{name} {values.shape}, not {expected[name]}"
            for name, values in arrays.items()
            if values.shape != expected[name]
        ]
        if wrong:
            raise PairingError(
                f"classical controls: {n} molecules, {t} training and {v} validation compounds do not fit "
                f"{'; '.join(wrong)}"
            )
        bad = [name for name, values in arrays.items() if not np.isfinite(values).all()]
        if bad:
            raise PairingError(
                f"classical controls: NaN or infinite values in {first_few(bad)}\n"
                "Fit preprocessing on these compounds first: it removes or imputes what is missing."
            )

    def cell_counts(self) -> NDArray[np.float64]:
        """Mean cell counts of the training compounds (t,); NaN where there are none."""
        if keys.CELL_COUNT not in self.obs_train:
            return np.full(len(self.train), np.nan)
        return self.obs_train[keys.CELL_COUNT].to_numpy(np.float64)
