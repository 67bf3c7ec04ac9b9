"""Random views of a minibatch of compounds: replicates, noise, dropout of inputs, mixup. No loops over rows."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from dssl.keys import MOLECULE, PHENOTYPE
from dssl.model.draws import standard_gamma
from dssl.settings.learning import ViewSettings
from dssl.training.data import TrainingData


@dataclass(frozen=True)
class InputScales:
    """Standard deviation of each input over the training rows: the unit of the noise."""

    phenotype: Tensor
    molecule: Tensor

    @classmethod
    def of(cls, data: TrainingData) -> "InputScales":
        """Standard deviations over wells and over molecules."""
        return cls(data.phenotype.std(0, correction=0), data.molecule.std(0, correction=0))


def draw_views(
    data: TrainingData,
    compounds: Tensor,
    scales: InputScales,
    settings: ViewSettings,
    generator: Generator,
    n_views: int = 1,
) -> list[dict[str, Tensor]]:
    """Views of both modalities, each drawn independently of the others from the same compounds.

    Parameters
    ----------
    data : TrainingData
    compounds : Tensor of int64, (n,)
        Rows of `data.molecule`.
    scales : InputScales
        Of the training data.
    settings : ViewSettings
    generator : Generator
        On the data's device.
    n_views : int
        How many; with mixup, all mix the same pairs with the same weights (they have to show the same thing).

    Returns
    -------
    list of dict
        modality -> Tensor (n, inputs), for every view.
    """
    mix = None if settings.mixup_alpha is None else _mixing(len(compounds), settings.mixup_alpha, generator)
    views = []
    for _ in range(n_views):
        phenotype, molecule = draw_replicates(data, compounds, settings, generator), data.molecule[compounds]
        if mix is not None:
            phenotype, molecule = _mixed(phenotype, *mix), _mixed(molecule, *mix)
        phenotype = perturb(
            phenotype, scales.phenotype, settings.phenotype_noise, settings.phenotype_dropout, generator
        )
        molecule = perturb(molecule, scales.molecule, settings.molecule_noise, settings.molecule_dropout, generator)
        views.append({PHENOTYPE: phenotype, MOLECULE: molecule})
    return views


def draw_replicates(data: TrainingData, compounds: Tensor, settings: ViewSettings, generator: Generator) -> Tensor:
    """Profiles (n, k1): a Dirichlet mixture of each compound's wells, one random well, or their mean."""
    if settings.replicates == "mean":
        return data.pooled[compounds]
    n_wells, first = data.n_wells[compounds], data.first_well[compounds]
    device = compounds.device
    if settings.replicates == "single":
        share = torch.rand(len(compounds), generator=generator, dtype=torch.float64, device=device)
        return data.phenotype[first + (share * n_wells).long()]
    # all wells of all compounds in one flat list: wells of compound i are numbered from first[i]
    row = torch.repeat_interleave(torch.arange(len(compounds), device=device), n_wells)
    start = n_wells.cumsum(0) - n_wells
    well = torch.arange(len(row), device=device) - start[row] + first[row]
    concentration = torch.full((len(row),), settings.dirichlet_alpha, dtype=torch.float64, device=device)
    weight = standard_gamma(concentration, generator)
    total = torch.zeros(len(compounds), dtype=torch.float64, device=device).index_add(0, row, weight)
    weighted = data.phenotype[well] * (weight / total[row]).to(data.phenotype)[:, None]
    return torch.zeros_like(data.pooled[compounds]).index_add(0, row, weighted)


def perturb(inputs: Tensor, scale: Tensor, noise: float, dropout: float, generator: Generator) -> Tensor:
    """Inputs (n, k) plus Gaussian noise of `noise` standard deviations, then a share `dropout` of them set to zero."""
    if noise > 0:
        normal = torch.randn(inputs.shape, generator=generator, dtype=inputs.dtype, device=inputs.device)
        inputs = inputs + noise * scale * normal
    if dropout > 0:
        uniform = torch.rand(inputs.shape, generator=generator, dtype=inputs.dtype, device=inputs.device)
        inputs = inputs * (uniform >= dropout)
    return inputs


def _mixing(n: int, alpha: float, generator: Generator) -> tuple[Tensor, Tensor]:
    """Partner and own weight, Beta(alpha, alpha), of each row."""
    device = generator.device
    gammas = standard_gamma(torch.full((2, n), alpha, dtype=torch.float64, device=device), generator)
    return torch.randperm(n, generator=generator, device=device), gammas[0] / gammas.sum(0)


def _mixed(inputs: Tensor, partner: Tensor, weight: Tensor) -> Tensor:
    own = weight.to(inputs)[:, None]
    return own * inputs + (1 - own) * inputs[partner]
