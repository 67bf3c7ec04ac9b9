"""Regularised linear discriminant with equal priors, in closed form from one decomposition of the codes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dssl.evaluation.linear_probe import Fold, NestedFold
from dssl.evaluation.ranks import Floats

Labels = NDArray[np.int64]
RIDGES = (0.01, 0.1, 1.0, 10.0)


def class_predictions(folds: list[NestedFold], labels: Labels, n_classes: int) -> Labels:
    """Out-of-fold classes (rows, labelings); each labeling has its own ridge, the best in its inner folds.

    Parameters
    ----------
    labels : (rows, labelings) classes 0 .. n_classes - 1: the observed one and permuted ones.
    """
    predicted = np.empty_like(labels)
    for outer, inner in folds:
        accuracy = np.zeros((len(RIDGES), labels.shape[1]))
        for fold in inner:
            truth = labels[fold.held_out]
            accuracy += [_balanced_accuracy(truth, guess, n_classes) for guess in discriminate(fold, labels, n_classes)]
        best = accuracy.argmax(axis=0)
        for index, guess in enumerate(discriminate(outer, labels, n_classes)):
            chosen = best == index
            predicted[np.ix_(outer.held_out, chosen)] = guess[:, chosen]
    return predicted


def discriminate(fold: Fold, labels: Labels, n_classes: int, ridges: tuple[float, ...] = RIDGES) -> list[Labels]:
    """Classes of the held-out rows for each ridge: (held-out rows, labelings).

    The class is argmax_c of x^T W^-1 d_c - d_c^T W^-1 d_c / 2, with d_c the class mean less the mean and W the
    covariance inside classes plus ridge. Ridge regression on class indicators gives the same with the total covariance
    T, whose decomposition does not depend on the labels: M = x^T T^-1 D and G = D^T T^-1 D. Since W = T - D P D^T with
    the class frequencies P, the wanted terms are M (I - P G)^-1 and G (I - P G)^-1 (Hastie, Buja, Tibshirani, Annals
    of Statistics 1995).
    """
    train = labels[fold.train]
    n, n_labelings = train.shape
    hot = (train[:, :, None] == np.arange(n_classes)).astype(np.float64)
    counts = hot.sum(axis=0)
    frequency = counts / n
    projected = (fold.svd.u.T @ hot.reshape(n, -1)).reshape(-1, n_labelings, n_classes)
    # u^T indicator / frequency: the class means, in the basis of the decomposition
    means = projected / np.where(counts > 0, frequency, 1.0)
    scores = (fold.held_codes - fold.svd.mean) @ fold.svd.v
    s = fold.svd.s
    unit = float((s**2).mean()) if s.size else 1.0
    guesses = []
    for ridge in ridges:
        linear = ((scores * (s / (s**2 + ridge * unit))) @ means.reshape(len(s), -1)).reshape(
            -1, n_labelings, n_classes
        )
        between = _between(means, s**2 / (s**2 + ridge * unit)) / n
        inverse = np.linalg.inv(np.eye(n_classes) - frequency[:, :, None] * between)
        linear = np.einsum("rlc,lcd->rld", linear, inverse, optimize=True)
        own = np.einsum("lcd,ldc->lc", between, inverse)
        discriminant = np.where(counts > 0, linear - own / 2, -np.inf)
        guesses.append(discriminant.argmax(axis=2))
    return guesses


def _between(means: Floats, shrinkage: Floats) -> Floats:
    """D^T T^-1 D for every labeling: (labelings, classes, classes)."""
    wide = np.moveaxis(means, 1, 0)
    return np.asarray(np.swapaxes(wide, 1, 2) @ (shrinkage[None, :, None] * wide))


def _balanced_accuracy(truth: Labels, guess: NDArray[Any], n_classes: int) -> Floats:
    """Mean recall over the classes that are there, for every labeling."""
    n_labelings = truth.shape[1]
    cell = truth * n_labelings + np.arange(n_labelings)
    size = n_classes * n_labelings
    total = np.bincount(cell.ravel(), minlength=size).reshape(n_classes, n_labelings)
    correct = np.bincount(cell.ravel(), (truth == guess).ravel(), minlength=size).reshape(n_classes, n_labelings)
    return np.asarray((correct / np.maximum(total, 1)).sum(axis=0) / (total > 0).sum(axis=0))
