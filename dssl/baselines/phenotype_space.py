"""The space in which profiles are predicted and compared: principal components of the training profiles, scaled."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dssl.preprocessing.phenotype import principal_components

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PhenotypeSpace:
    """Principal components of the training compounds' mean profiles, before any whitening.

    Attributes
    ----------
    center : (k,) mean of the training profiles, in the preprocessed space.
    rotation : (k, c) from centred preprocessed profiles to scores.
    spread : (c,) standard deviations of the scores of the training compounds.
    """

    center: Floats
    rotation: Floats
    spread: Floats

    def matrix(self, whitening: float) -> Floats:
        """Map (k, c) of centred preprocessed profiles to scores / spread^whitening: 0 raw, 1/2 half, 1 white."""
        return np.asarray(self.rotation / self.spread**whitening)


def fit_space(profiles: NDArray[Any], divisor: NDArray[Any]) -> PhenotypeSpace:
    """Fit on training compounds.

    Parameters
    ----------
    profiles : (t, k) preprocessed mean profiles of the training compounds.
    divisor : (k,) what `fit_preprocessing` divided the wells' component scores by; it is undone first, so that
        whitening 0 means the profiles as they were before it.

    Raises
    ------
    TableError
        If all profiles are the same.
    """
    center = np.asarray(profiles, np.float64).mean(axis=0)
    axes, spread, _ = principal_components((profiles - center) * divisor, len(divisor))
    return PhenotypeSpace(center, divisor[:, None] * axes, spread)
