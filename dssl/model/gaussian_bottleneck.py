r"""The exact shared code when everything is Gaussian: step 1 as a Gaussian information bottleneck.

.. math:: \max_Z \; I(Z; X_2) - \beta \, I(Z; X_1 | X_2) \; = \; \max_Z \; (1 + \beta) I(Z; X_2) - \beta I(Z; X_1)

is the bottleneck of Chechik, Globerson, Tishby and Weiss (JMLR 2005) at trade-off (1 + beta) / beta. Its optimum is a
code of canonical variates u_i of X1 (unit variance, correlated by rho_i with their partners in X2, and with nothing
else), z_i = sqrt(SNR_i) u_i + unit noise. All information is in nats.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl.errors import ConfigError

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Information:
    """Information in a code, in nats, one value for each canonical direction.

    Attributes
    ----------
    own : (c,) I(Z;X1), of the code with its own modality.
    other : (c,) I(Z;X2), with the other modality.
    conditional : (c,) I(Z;X1|X2), what the other modality does not tell: own - other.
    """

    own: Floats
    other: Floats
    conditional: Floats

    def totals(self) -> dict[str, float]:
        """Sums over directions: information_own, information_other, information_conditional."""
        return {f"information_{name}": float(getattr(self, name).sum()) for name in ("own", "other", "conditional")}


def kept(correlations: NDArray[Any], beta: float) -> NDArray[np.bool_]:
    """Directions worth keeping: rho_i^2 > beta / (1 + beta).

    Raises
    ------
    ConfigError
        If beta is negative or a correlation lies outside [0, 1].
    """
    squares = _checked(correlations, beta) ** 2
    return np.asarray(squares * (1 + beta) > beta)


def snr(correlations: NDArray[Any], beta: float) -> Floats:
    r"""Signal-to-noise ratio of each direction in the optimal code, (c,).

    .. math:: SNR_i = \frac{(1 + \beta) \rho_i^2 - \beta}{\beta (1 - \rho_i^2)}

    where that is positive, else 0. It is infinite at rho = 1, and at beta = 0 for every rho > 0: without a price the
    code has no noise.

    Raises
    ------
    ConfigError
        See `kept`.
    """
    chosen = kept(correlations, beta)
    squares = np.asarray(correlations, dtype=np.float64) ** 2
    price = beta * (1 - squares)
    values = np.where(chosen, np.inf, 0.0)
    np.divide((1 + beta) * squares - beta, price, out=values, where=chosen & (price > 0))
    return values


def information(correlations: NDArray[Any], beta: float) -> Information:
    r"""Information in the optimal code.

    .. math:: I(Z; X_1)_i = \tfrac12 \log \frac{\rho_i^2}{\beta (1 - \rho_i^2)}, \quad
              I(Z; X_2)_i = \tfrac12 \log \frac{1}{(1 + \beta)(1 - \rho_i^2)}, \quad
              I(Z; X_1 | X_2)_i = \tfrac12 \log \frac{(1 + \beta) \rho_i^2}{\beta}

    for the kept directions: log(1 + SNR) / 2 and so on with the optimal SNR put in. At beta = 0, I(Z;X1) and
    I(Z;X1|X2) are infinite, and I(Z;X2) is that of X1 itself, -log(1 - rho^2) / 2.

    Raises
    ------
    ConfigError
        See `kept`.
    """
    chosen = kept(correlations, beta)
    squares = np.where(chosen, np.asarray(correlations, dtype=np.float64) ** 2, 1.0)
    with np.errstate(divide="ignore"):  # infinite where the code has no noise
        other = -0.5 * np.log((1 + beta) * (1 - squares))
        conditional = 0.5 * (np.log((1 + beta) * squares) - np.log(beta))
    other, conditional = np.where(chosen, other, 0.0), np.where(chosen, conditional, 0.0)
    return Information(other + conditional, other, conditional)


def information_of_snr(ratios: NDArray[Any], correlations: NDArray[Any]) -> Information:
    """Information in a code of any finite signal-to-noise ratios (c,) on the canonical variates."""
    squares = np.asarray(correlations, dtype=np.float64) ** 2
    own, conditional = 0.5 * np.log1p(ratios), 0.5 * np.log1p(ratios * (1 - squares))
    return Information(own, own - conditional, conditional)


def information_curve(correlations: NDArray[Any], betas: Sequence[float]) -> pd.DataFrame:
    """The information-bottleneck curve: a row per beta with its totals in nats and the number of kept directions.

    Columns: beta, n_kept, information_own, information_other, information_conditional.
    """
    rows = [
        {
            "beta": beta,
            "n_kept": int(kept(correlations, beta).sum()),
            **information(correlations, beta).totals(),
        }
        for beta in betas
    ]
    return pd.DataFrame(rows)


def _checked(correlations: NDArray[Any], beta: float) -> Floats:
    values = np.asarray(correlations, dtype=np.float64)
    if not beta >= 0:
        raise ConfigError(f"Gaussian bottleneck: expected beta >= 0, found {beta:g}\nCorrect sweep.beta.")
    if not ((values >= 0) & (values <= 1)).all():
        raise ConfigError(
            f"Gaussian bottleneck: canonical correlations lie in [0, 1], found {values.min():g} to {values.max():g}"
        )
    return values
