"""A decoder: ridge regression from codes to profiles, on the codes themselves or on a Gaussian kernel of them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

Floats = NDArray[np.float64]
LINEAR, KERNEL = "linear", "kernel"
# in units of the mean eigenvalue of the training rows' covariance
RIDGES = (1e-4, 1e-3, 0.01, 0.1, 1.0, 10.0, 100.0)
WIDTHS = (1.0, 2.0, 4.0)  # of the Gaussian, in units of the median distance between landmarks
SMALLEST = 1e-10  # eigenvalue of the landmarks' kernel, relative to the largest: what is below is rounding


@dataclass(frozen=True, eq=False)
class Landmarks:
    """Where a Gaussian kernel k(z, landmarks) looks.

    Attributes
    ----------
    rows : (m, d) training codes.
    width : standard deviation of the Gaussian; 0 where all landmarks are the same.
    """

    rows: Floats
    width: float

    def __call__(self, codes: Floats) -> Floats:
        """Kernel (n, m)."""
        return _gaussian(codes, self.rows, self.width)

    def root(self) -> Floats:
        """Inverse root K^(-1/2) (m, r) of the kernel among the landmarks: k(z, landmarks) @ root are Nystroem features."""
        values, vectors = np.linalg.eigh(self(self.rows))
        kept = values > SMALLEST * values[-1]
        return np.asarray(vectors[:, kept] / np.sqrt(values[kept]))


@dataclass(frozen=True, eq=False)
class Decoder:
    """Profiles features @ weights + offset of codes; features are the codes, or their kernel with landmarks."""

    weights: Floats
    offset: Floats
    landmarks: Landmarks | None = None

    def __call__(self, codes: Floats) -> Floats:
        """Profiles (n, p) of codes (n, d)."""
        features = codes if self.landmarks is None else self.landmarks(codes)
        return np.asarray(features @ self.weights + self.offset)


@dataclass(frozen=True)
class Strength:
    """What a decoder was fitted with: its kind, the width of its Gaussian (0 if linear), its ridge."""

    kind: str
    width: float
    ridge: float


def fit_decoders(
    codes: Floats, profiles: Floats, kernel_rows: int, rng: np.random.Generator
) -> Iterator[tuple[Strength, Decoder]]:
    """Fit a decoder of every strength on training rows; the linear ones first, then Gaussians of every width.

    Parameters
    ----------
    codes, profiles : (n, d), (n, p) of the same training rows.
    kernel_rows : landmarks at most, drawn from the rows; 0: linear decoders only.
    rng : draws them.
    """
    for ridge, decoder in _ridge_path(codes, profiles, None):
        yield Strength(LINEAR, 0.0, ridge), decoder
    if not kernel_rows:
        return
    rows = codes[np.sort(rng.permutation(len(codes))[:kernel_rows])]
    for width in WIDTHS:
        landmarks = place(rows, width)
        for ridge, decoder in _ridge_path(codes, profiles, landmarks):
            yield Strength(KERNEL, width, ridge), decoder


def refit(strength: Strength, codes: Floats, profiles: Floats, kernel_rows: int, rng: np.random.Generator) -> Decoder:
    """Fit the decoder of one strength."""
    landmarks = None
    if strength.kind == KERNEL:
        landmarks = place(codes[np.sort(rng.permutation(len(codes))[:kernel_rows])], strength.width)
    return next(iter(_ridge_path(codes, profiles, landmarks, (strength.ridge,))))[1]


def place(rows: Floats, width: float) -> Landmarks:
    """Landmarks at these codes, of a width in units of their median distance."""
    distances = cdist(rows, rows)
    scale = width * float(np.median(distances[~np.eye(len(rows), dtype=bool)])) if len(rows) > 1 else 0.0
    return Landmarks(rows, scale)


def _gaussian(one: Floats, other: Floats, width: float) -> Floats:
    if width == 0:
        return np.ones((len(one), len(other)))
    return np.asarray(np.exp(-cdist(one, other, "sqeuclidean") / (2 * width**2)))


def _ridge_path(
    codes: Floats, profiles: Floats, landmarks: Landmarks | None, ridges: tuple[float, ...] = RIDGES
) -> Iterator[tuple[float, Decoder]]:
    """W = (F'F + ridge u I)^-1 F'Y of centred features F and profiles Y, u the mean eigenvalue of F'F above rounding.

    F are the codes, or their Nystroem features, whose root is multiplied into W: a decoder keeps no matrix for it.
    """
    root = None if landmarks is None else landmarks.root()
    features = codes if landmarks is None or root is None else landmarks(codes) @ root
    mean, offset = features.mean(axis=0), profiles.mean(axis=0)
    centred = features - mean
    values, vectors = np.linalg.eigh(centred.T @ centred)
    kept = values > SMALLEST * max(float(values[-1]), 1e-300)
    values, vectors = values[kept], vectors[:, kept]
    unit = float(values.mean()) if len(values) else 1.0
    projected = vectors.T @ (centred.T @ (profiles - offset))
    for ridge in ridges:
        weights = vectors @ (projected / (values + ridge * unit)[:, None])
        yield ridge, Decoder(weights if root is None else root @ weights, offset - mean @ weights, landmarks)
