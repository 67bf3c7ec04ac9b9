"""What is measured once a model is trained, before its codes are compared: their centres, and the spread of cosines."""

from typing import Protocol

import torch
from torch import Tensor

from dssl.keys import MODALITIES, MOLECULE, PHENOTYPE
from dssl.model.centers import CodeCenters
from dssl.model.shared import SharedModel
from dssl.training.data import TrainingData
from dssl.training.fit import Record
from dssl.training.metrics import shared_code_metrics

CodesOfCompounds = dict[str, Tensor]


class Comparable(Protocol):
    """A model whose codes are compared: DisentangledSSL's step 1, or a learned baseline."""

    centers: CodeCenters
    spread: Tensor


def settle_shared(model: SharedModel, train: TrainingData, validation: TrainingData) -> Record:
    """Set the centres of the codes of step 1 and the spread of their cosines; see `settle`."""
    with torch.no_grad():
        codes = _mean_codes(model, train), _mean_codes(model, validation)
    return settle(model, *codes, model.code_settings.center)


@torch.no_grad()
def settle(model: Comparable, train: CodesOfCompounds, validation: CodesOfCompounds, may_center: bool) -> Record:
    """Set a model's centres, see `settle_centers`, and its spread, that of `spread_of_others`."""
    found = settle_centers(model.centers, train, validation, may_center)
    model.spread.copy_(spread_of_others(*(model.centers(name, validation[name]) for name in MODALITIES)))
    return found


@torch.no_grad()
def settle_centers(
    centers: CodeCenters, train: CodesOfCompounds, validation: CodesOfCompounds, may_center: bool = True
) -> Record:
    """Centre codes on their mean over training compounds, if the mean rank of validation compounds is better so.

    Whether the common axis of the codes is a nuisance or tells something (how active compounds are, where structure
    knows it) differs between screens, so that validation compounds decide.

    Parameters
    ----------
    centers : CodeCenters
        Is set.
    train, validation : dict of modality to Tensor (n, d)
        Unit vectors of compounds, with matching rows in both modalities.
    may_center : bool
        Otherwise codes stay as they are.

    Returns
    -------
    dict
        `shared_code_metrics` of the validation compounds as their codes will be compared, and `centered` (1 or 0).
    """
    as_they_are = shared_code_metrics(*(validation[name] for name in (PHENOTYPE, MOLECULE)))
    if not may_center:
        return {**as_they_are, "centered": 0.0}
    for name in MODALITIES:
        centers.get_buffer(name).copy_(train[name].mean(dim=0))
    centered = shared_code_metrics(*(centers(name, validation[name]) for name in (PHENOTYPE, MOLECULE)))
    if centered["mean_normalized_rank"] < as_they_are["mean_normalized_rank"]:
        return {**centered, "centered": 1.0}
    for name in MODALITIES:
        centers.get_buffer(name).zero_()
    return {**as_they_are, "centered": 0.0}


def spread_of_others(first: Tensor, second: Tensor) -> Tensor:
    """Standard deviation of the cosines of unit vectors (n, d) with those of other rows (n, d), without all (n, n) of them.

    The sum of a_i.b_j over all i and j is (sum a).(sum b), and that of its square the trace of (A^T A)(B^T B).
    """
    a, b = first.double(), second.double()
    matches, n_others = (a * b).sum(1), len(a) * (len(a) - 1)
    mean = (a.sum(0) @ b.sum(0) - matches.sum()) / n_others
    mean_square = (((a.T @ a) * (b.T @ b)).sum() - matches.square().sum()) / n_others
    return (mean_square - mean.square()).clamp_min(0).sqrt().to(first)


def _mean_codes(model: SharedModel, data: TrainingData) -> CodesOfCompounds:
    return {PHENOTYPE: model.code(PHENOTYPE, data.pooled), MOLECULE: model.code(MOLECULE, data.molecule)}
