"""Closed-form ridge for many targets at once, cross-validated by group, so that every permutation refits everything."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dssl.evaluation.ranks import Floats, Mask

N_OUTER = 5
N_INNER = 3
# in units of the mean eigenvalue of the training codes' covariance
RIDGES = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0)
# targets are predicted so many at a time that an array of them holds at most this many numbers
CELLS = 8_000_000


class Decomposition(NamedTuple):
    """Training rows as an SVD: predictions for any target are (rows v) diag(s / (s^2 + ridge)) u^T target."""

    mean: Floats
    u: Floats
    s: Floats
    v: Floats

    def paths(self, rows: Floats, projected: Floats, ridges: tuple[float, ...] = RIDGES) -> list[Floats]:
        """Predictions, less the targets' training mean, for each ridge; `projected` is u^T target (k, targets)."""
        scores = (rows - self.mean) @ self.v
        unit = float((self.s**2).mean()) if self.s.size else 1.0
        return [(scores * (self.s / (self.s**2 + ridge * unit))) @ projected for ridge in ridges]


class Fold(NamedTuple):
    """One split into training and held-out rows, decomposed."""

    train: NDArray[np.int64]
    held_out: NDArray[np.int64]
    held_codes: Floats
    svd: Decomposition


class NestedFold(NamedTuple):
    """An outer fold with the inner folds of its training rows."""

    outer: Fold
    inner: list[Fold]


def nested_folds(codes: NDArray[Any], groups: NDArray[np.int64], rng: np.random.Generator) -> list[NestedFold]:
    """Nested folds in which no group is on both sides of a split; everything that a target does not change."""
    wide = np.asarray(codes, dtype=np.float64)
    everything = np.arange(len(wide))
    nested = []
    for train, held_out in _split(everything, groups, N_OUTER, rng):
        inner = [_fold(wide, *split) for split in _split(train, groups, N_INNER, rng)]
        nested.append(NestedFold(_fold(wide, train, held_out), inner))
    return nested


def decompose(rows: Floats) -> Decomposition:
    """SVD of centred rows without the directions that are only rounding."""
    mean = rows.mean(axis=0)
    u, s, vt = np.linalg.svd(rows - mean, full_matrices=False)
    keep = s > 1e-10 * max(float(np.abs(rows).max(initial=0)), 1e-300) * np.sqrt(rows.size)
    return Decomposition(mean, u[:, keep], s[keep], vt[keep].T)


def ridge_predictions(folds: list[NestedFold], targets: Floats) -> Floats:
    """Out-of-fold predictions (rows, targets); each target has its own ridge, the best in its inner folds."""
    predicted = np.empty_like(targets)
    for outer, inner in folds:
        errors = np.zeros((len(RIDGES), targets.shape[1]))
        for fold in inner:
            mean = targets[fold.train].mean(axis=0)
            paths = fold.svd.paths(fold.held_codes, fold.svd.u.T @ targets[fold.train])
            errors += [((targets[fold.held_out] - mean - path) ** 2).sum(axis=0) for path in paths]
        best = errors.argmin(axis=0)
        mean = targets[outer.train].mean(axis=0)
        paths = outer.svd.paths(outer.held_codes, outer.svd.u.T @ targets[outer.train])
        for index, path in enumerate(paths):
            chosen = best == index
            predicted[np.ix_(outer.held_out, chosen)] = mean[chosen] + path[:, chosen]
    return predicted


def over_columns(predict: Callable[[NDArray[Any]], NDArray[Any]], targets: NDArray[Any], width: int) -> NDArray[Any]:
    """Predict a few columns at a time, so that memory stays bounded."""
    step = max(1, CELLS // (len(targets) * width))
    starts = range(0, targets.shape[1], step)
    return np.concatenate([predict(targets[:, start : start + step]) for start in starts], axis=1)


def shuffled_targets(
    target: NDArray[Any], groups: NDArray[np.int64], n_permutations: int, rng: np.random.Generator
) -> NDArray[Any]:
    """Permute a target at the level at which it varies: (rows, n_permutations).

    A target that is constant inside every group (a mechanism inside a compound) is exchanged between groups, so that it
    stays constant inside them. A target that varies inside groups (a plate) is exchanged in blocks: the groups' sets of
    values change places, and values are shuffled inside each set.
    """
    order = np.argsort(groups, kind="stable")
    sizes = np.bincount(groups)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    sorted_target = target[order]
    firsts = sorted_target[starts]
    permuted = np.empty((len(target), n_permutations), dtype=target.dtype)
    constant = bool((sorted_target == firsts[groups[order]]).all())
    for column in range(n_permutations):
        if constant:
            permuted[:, column] = rng.permutation(firsts)[groups]
        else:
            place_of_group = rng.permutation(len(sizes))
            blocks = np.lexsort((rng.random(len(target)), place_of_group[groups]))
            permuted[order, column] = target[blocks]
    return permuted


def group_codes(groups: NDArray[Any]) -> NDArray[np.int64]:
    """Groups as integers 0, 1, ... in the order of their sorted names."""
    return np.asarray(np.unique(np.asarray(groups).astype(str), return_inverse=True)[1], dtype=np.int64).ravel()


def _split(
    rows: NDArray[np.int64], groups: NDArray[np.int64], n_folds: int, rng: np.random.Generator
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    present = rng.permutation(np.unique(groups[rows]))
    fold_of = np.zeros(int(groups.max()) + 1, dtype=np.int64)
    fold_of[present] = np.arange(len(present)) % n_folds
    held: list[Mask] = [fold_of[groups[rows]] == fold for fold in range(n_folds)]
    return [(rows[~mask], rows[mask]) for mask in held]


def _fold(codes: Floats, train: NDArray[np.int64], held_out: NDArray[np.int64]) -> Fold:
    return Fold(train, held_out, codes[held_out], decompose(codes[train]))
