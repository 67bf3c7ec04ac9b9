"""Whitening with the controls (typical variation normalisation)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dssl.errors import TableError

Array = npt.NDArray[np.float64]
_ROWS_AT_ONCE = 8192


@dataclass(frozen=True)
class SpheringState:
    """W = rest I + V^T diag(gains - rest) V on standardised features; never formed, because it is d x d."""

    mean: Array  # (d,) of the controls
    scale: Array  # (d,) standard deviation of the controls, divisor n - 1
    components: Array  # (r, d) V, eigenvectors of the controls' correlation, r = min(n, d)
    gains: Array  # (r,) 1 / sqrt(eigenvalue + epsilon)
    rest: float  # 1 / sqrt(epsilon), in the directions in which the controls do not vary


def fit_sphering(controls: npt.NDArray[np.floating], epsilon: float) -> SpheringState:
    r"""Fit ZCA-cor whitening to control wells.

    .. math:: W = (R + \epsilon I)^{-1/2}

    with R the correlation matrix of the controls: ZCA-cor of Kessy, Lewin, Strimmer 2018, "Optimal whitening and
    decorrelation". Whitening profiles with the controls of all plates is the first step of TVN (Ando, McLean, Berndl
    2017, with PCA). ZCA-cor keeps every output as correlated as can be with its own input, so features keep their names.

    Differs from pycytominer's Spherize in epsilon, which is here added to the eigenvalues of R (free of the number of
    wells), there to the singular values of the standardised matrix; the two agree as epsilon goes to 0. Where the
    controls span fewer directions than there are features, the others have eigenvalue epsilon here, and the smallest
    one of the spanned directions there.

    Parameters
    ----------
    controls : ndarray, wells x features
        At least two wells. Missing values count as the feature's mean over the others.
    epsilon : float
        Added to the eigenvalues; > 0.

    Raises
    ------
    TableError
        With fewer than two wells, or if a feature does not vary among them.
    """
    values = np.asarray(controls, dtype=np.float64)
    if len(values) < 2:
        raise TableError(
            f"sphering needs at least 2 passing control wells, found {len(values)}"
            "\nSet assemble_profiles.sphering: false, or name the controls in plates.control."
        )
    constant = ~varies(values)
    if constant.any():
        raise TableError(
            f"sphering needs features that vary among the controls; {constant.sum()} of {len(constant)} do not"
            "\nRemove them, or set assemble_profiles.sphering: false."
        )
    mean = np.nanmean(values, axis=0)
    scale = np.nanstd(values, axis=0, ddof=1)
    if len(values) > values.shape[1]:
        eigenvalues, vectors = np.linalg.eigh(_correlation(values, mean, scale))
        eigenvalues, components = np.maximum(eigenvalues, 0.0), np.ascontiguousarray(vectors.T)
    else:
        standardized = np.nan_to_num((values - mean) / scale, nan=0.0)
        _, singular, components = np.linalg.svd(standardized, full_matrices=False)
        eigenvalues = singular**2 / (len(values) - 1)
    return SpheringState(mean, scale, components, 1 / np.sqrt(eigenvalues + epsilon), float(1 / np.sqrt(epsilon)))


def _correlation(values: Array, mean: Array, scale: Array) -> Array:
    """Correlation matrix of the columns, missing values as their mean; one block of rows at a time."""
    products = np.zeros((values.shape[1], values.shape[1]))
    for start in range(0, len(values), _ROWS_AT_ONCE):
        block = np.nan_to_num((values[start : start + _ROWS_AT_ONCE] - mean) / scale, nan=0.0)
        products += block.T @ block
    return products / (len(values) - 1)


def apply_sphering(state: SpheringState, values: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Whiten wells (rows); what is missing counts as the controls' mean for the other features, and stays missing."""
    whitened = np.empty(values.shape, dtype=np.float32)
    for start in range(0, len(values), _ROWS_AT_ONCE):
        standardized = (np.asarray(values[start : start + _ROWS_AT_ONCE], dtype=np.float64) - state.mean) / state.scale
        missing = np.isnan(standardized)
        standardized[missing] = 0.0
        scores = standardized @ state.components.T
        block = state.rest * standardized + (scores * (state.gains - state.rest)) @ state.components
        block[missing] = np.nan
        whitened[start : start + _ROWS_AT_ONCE] = block
    return whitened


def varies(values: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
    """Columns that hold two different values at least."""
    low = np.min(values, axis=0, initial=np.inf, where=~np.isnan(values))
    high = np.max(values, axis=0, initial=-np.inf, where=~np.isnan(values))
    return np.asarray(low < high)
