"""Probes of the synthetic study: logistic regression on frozen codes, the penalty chosen on validation rows."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from dssl.evaluation.statistics import CONFIDENCE

MAX_ITERATIONS = 300


class Accuracy(NamedTuple):
    """Test accuracy, its exact binomial 95 % interval (Clopper and Pearson 1934), and the penalty's inverse chosen."""

    accuracy: float
    ci_low: float
    ci_high: float
    penalty: float


class Rows(NamedTuple):
    """Row numbers of the three splits."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]

    @classmethod
    def of(cls, n: int) -> "Rows":
        """The first 70 % train, the next 10 % validate, the last 20 % test: rows of a study are exchangeable."""
        train, validation, test = np.split(np.arange(n), [round(0.7 * n), round(0.8 * n)])
        return cls(train, validation, test)


def probe_label(code: NDArray[Any], label: NDArray[np.bool_], rows: Rows, penalties: Sequence[float]) -> Accuracy:
    """Accuracy on test rows of a logistic regression from a standardised code.

    Fitted on training rows for each of `penalties` (scikit-learn's C); the best on validation rows is fitted again on both.
    The released code fits on both at once with scikit-learn's default, C = 1 on the code as it is.

    Parameters
    ----------
    code : (n, d)
    label : (n,) of bool
    """
    from sklearn.linear_model import LogisticRegression

    mean, std = code[rows.train].mean(0), code[rows.train].std(0)
    standardized = (code - mean) / np.where(std > 0, std, 1)

    def fitted(which: NDArray[np.int64], penalty: float) -> Any:
        return LogisticRegression(C=penalty, max_iter=MAX_ITERATIONS).fit(standardized[which], label[which])

    def score(penalty: float) -> float:
        model = fitted(rows.train, penalty)
        return float(model.score(standardized[rows.validation], label[rows.validation]))

    # among equals the strongest penalty
    best = max(sorted(penalties), key=score) if len(penalties) > 1 else penalties[0]
    model = fitted(np.concatenate([rows.train, rows.validation]), best)
    right = model.predict(standardized[rows.test]) == label[rows.test]
    interval = binomtest(int(right.sum()), len(right)).proportion_ci(CONFIDENCE, "exact")
    return Accuracy(float(right.mean()), float(interval.low), float(interval.high), best)
