"""Modified Bessel functions of the first kind, as the von Mises-Fisher distribution needs them."""

import math
from functools import lru_cache

from scipy.special import ive


@lru_cache(maxsize=64)
def bessel_ratio(size: int, kappa: float) -> float:
    """Mean resultant length of a von Mises-Fisher distribution, A_d(kappa) = I_{d/2}(kappa) / I_{d/2-1}(kappa).

    Backward recurrence r_{v-1} = 1 / (2 v / kappa + r_v) of r_v = I_{v+1} / I_v, started at an order so high that the
    starting value, Amos' (1974) lower bound, no longer matters: every step multiplies its error by at most r_v^2.
    Relative error below 1e-12 for kappa from 1e-3 to 1e5 and d from 2 to 2,000.

    Parameters
    ----------
    size : int
        Dimension d of the vectors, at least 2.
    kappa : float
        Concentration, positive.
    """
    return _ratios(size / 2 - 1, kappa, 1)[0]


@lru_cache(maxsize=64)
def log_bessel(size: int, kappa: float) -> float:
    """Logarithm of I_{d/2-1}(kappa), from the order 0 or 1/2 upwards by the ratios of `bessel_ratio`."""
    n_steps = size // 2 - 1 if size % 2 == 0 else (size - 3) // 2
    start = size / 2 - 1 - n_steps
    logarithm = math.log(float(ive(start, kappa))) + kappa
    return logarithm + math.fsum(math.log(ratio) for ratio in _ratios(start, kappa, n_steps))


def _ratios(order: float, kappa: float, n: int) -> list[float]:
    """I_{v+1}(kappa) / I_v(kappa) for v = order, order + 1, ..., order + n - 1."""
    n_extra = 30 + int(10 * math.sqrt(kappa))
    highest = order + n + n_extra
    ratio = kappa / (highest + 0.5 + math.sqrt((highest + 1.5) ** 2 + kappa**2))
    found = []
    for step in range(1, n + n_extra + 1):
        ratio = 1 / (2 * (highest - step + 1) / kappa + ratio)
        if step > n_extra:
            found.append(ratio)
    return found[::-1]
