"""The paper's synthetic study: pairs of observations that are jointly Gaussian, with labels of their hidden factors.

Z1, Z2, Zs ~ N(0, 0.5 I);  X = [Z1, Zs] T1 + sigma e1,  Y = [Z2, Zs] T2 + sigma e2,  T ~ U(-1, 1), square (Wang et al. 2025,
arXiv 2410.23996, the synthetic study of figure 4). Zs is shared, Z1 and Z2 are specific. With sigma = 0 it is an exact
linear function of X and of Y, so that minimum necessary information is attainable; with sigma > 0, ours, it is not.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
FACTOR_SIZE = 50
VARIANCE = 0.5
HIDDEN = 100
LABEL_NOISE = 0.1
LABELS = ("z1", "zs", "z2")


@dataclass(frozen=True)
class Mixing:
    """The two matrices of a study, (100, 100): rows are first the specific, then the shared factor's dimensions."""

    first: Floats
    second: Floats

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Mixing":
        """Entries uniform between -1 and 1."""
        size = 2 * FACTOR_SIZE
        return cls(rng.uniform(-1, 1, (size, size)), rng.uniform(-1, 1, (size, size)))

    def covariances(self, sigma: float) -> tuple[Floats, Floats, Floats]:
        """Population covariances: of X, of Y, between X and Y."""
        noise = sigma**2 * np.eye(len(self.first))
        first = VARIANCE * self.first.T @ self.first + noise
        second = VARIANCE * self.second.T @ self.second + noise
        return first, second, VARIANCE * self.first[FACTOR_SIZE:].T @ self.second[FACTOR_SIZE:]


@dataclass(frozen=True)
class PairedGaussians:
    """A study's data.

    Attributes
    ----------
    first, second : (n, 100)
        The observations X and Y; row i of one is the pair of row i of the other.
    factors : name ("z1", "zs", "z2") -> (n, 50)
    labels : name -> (n,) of bool
        One label of each factor, true for half of the pairs.
    mixing : Mixing
    """

    first: Floats
    second: Floats
    factors: dict[str, Floats]
    labels: dict[str, NDArray[np.bool_]]
    mixing: Mixing


def paired_gaussians(n: int, sigma: float, rng: np.random.Generator) -> PairedGaussians:
    """Draw a study's data.

    Noise is drawn, and multiplied by sigma, at every level: with a generator of the same seed all noise levels have the
    same factors, mixing and labels.

    Parameters
    ----------
    n : int
        Pairs.
    sigma : float
        Standard deviation of the noise added to every observed value; 0 in the paper. Values without noise have a
        standard deviation of about 4.1.
    """
    factors = {name: rng.normal(0, VARIANCE**0.5, (n, FACTOR_SIZE)) for name in ("z1", "z2", "zs")}
    mixing = Mixing.draw(rng)
    first = np.hstack([factors["z1"], factors["zs"]]) @ mixing.first
    second = np.hstack([factors["z2"], factors["zs"]]) @ mixing.second
    first += sigma * rng.standard_normal(first.shape)
    second += sigma * rng.standard_normal(second.shape)
    labels = {name: network_label(factors[name], rng) for name in LABELS}
    return PairedGaussians(first, second, factors, labels, mixing)


def network_label(factor: Floats, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Whether a random network's output, relu(factor A) b + N(0, 0.1^2), exceeds its median, (n,).

    The entries of A and b are N(0, 1 / number of inputs). Over seeds a logistic regression on X and Y then reaches .81
    +- .02 for every label, as on the released code's data (.84, .80 and .81).
    """
    hidden = rng.standard_normal((FACTOR_SIZE, HIDDEN)) / FACTOR_SIZE**0.5
    output = rng.standard_normal(HIDDEN) / HIDDEN**0.5
    score = np.maximum(factor @ hidden, 0) @ output + rng.normal(0, LABEL_NOISE, len(factor))
    return np.asarray(score > np.median(score))


def canonical_correlations(mixing: Mixing, sigma: float) -> Floats:
    """Exact canonical correlations between X and Y, (50,), descending: the others are zero.

    All are 1 for sigma = 0.
    """
    first, second, between = mixing.covariances(sigma)
    whitened = np.linalg.solve(np.linalg.cholesky(first), between)
    whitened = np.linalg.solve(np.linalg.cholesky(second), whitened.T).T
    return np.asarray(np.linalg.svd(whitened, compute_uv=False)[:FACTOR_SIZE].clip(0, 1))
