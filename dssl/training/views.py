"""Random views of a minibatch of compounds: replicates, noise, dropout of inputs, mixup. No loops over rows."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from dssl.keys import MOLECULE, PHENOTYPE
from dssl.model.draws import standard_gamma
from dssl.settings.learning import ViewSettings
from dssl.training.data import TrainingData

RELEASED_NOISE, RELEASED_DROPOUT = 0.01, 0.1


@dataclass(frozen=True)
class InputScales:
    """Standard deviation of each input over the training rows: the unit of the noise."""

    phenotype: Tensor
    molecule: Tensor

    @classmethod
    def of(cls, data: TrainingData) -> "InputScales":
        """Standard deviations over wells and over molecules."""
        return cls(data.phenotype.std(0, correction=0), data.molecule.std(0, correction=0))


def n_rows(data: TrainingData, settings: ViewSettings) -> int:
    """Number of training rows: compounds, or wells."""
    return data.n_compounds if settings.rows == "compounds" else len(data.phenotype)


def same_molecule(data: TrainingData, rows: Tensor, settings: ViewSettings) -> Tensor | None:
    """Which rows show one molecule (n, n); None where every row is a compound, and shows another."""
    if settings.rows == "compounds":
        return None
    compounds = data.well_compound[rows]
    return compounds[:, None] == compounds[None, :]


def draw_views(
    data: TrainingData,
    rows: Tensor,
    scales: InputScales,
    settings: ViewSettings,
    generator: Generator,
    n_views: int = 1,
) -> list[dict[str, Tensor]]:
    """Views of both modalities, each drawn independently of the others from the same rows.

    Parameters
    ----------
    data : TrainingData
    rows : Tensor of int64, (n,)
        Rows of `data.molecule` (compounds), or of `data.phenotype` (wells), as `settings.rows` says.
    scales : InputScales
        Of the training data.
    settings : ViewSettings
    generator : Generator
        On the data's device.
    n_views : int
        How many, 1 or 2; with mixup, all mix the same pairs with the same weights (they have to show the same thing).

    Returns
    -------
    list of dict
        modality -> Tensor (n, inputs), for every view.

    Notes
    -----
    With `augmentation: released` the second view is made from the first, as the released code does.
    """
    compounds = rows if settings.rows == "compounds" else data.well_compound[rows]
    mix = None if settings.mixup_alpha is None else _mixing(len(rows), settings.mixup_alpha, generator)
    views: list[dict[str, Tensor]] = []
    for phenotype in draw_phenotypes(data, rows, settings, generator, n_views):
        view = {PHENOTYPE: phenotype, MOLECULE: data.molecule[compounds]}
        if mix is not None:
            view = {modality: _mixed(inputs, *mix) for modality, inputs in view.items()}
        if settings.augmentation == "released":
            start = views[-1] if views else view
            views.append({modality: released_augmentation(inputs, generator) for modality, inputs in start.items()})
            continue
        noises = {PHENOTYPE: settings.phenotype_noise, MOLECULE: settings.molecule_noise}
        dropouts = {PHENOTYPE: settings.phenotype_dropout, MOLECULE: settings.molecule_dropout}
        units = {PHENOTYPE: scales.phenotype, MOLECULE: scales.molecule}
        views.append({m: perturb(view[m], units[m], noises[m], dropouts[m], generator) for m in (PHENOTYPE, MOLECULE)})
    return views


def draw_phenotypes(
    data: TrainingData, rows: Tensor, settings: ViewSettings, generator: Generator, n_views: int
) -> list[Tensor]:
    """Profiles (n, k1) for every view: of wells, or of compounds by `settings.replicates`."""
    if settings.replicates == "distinct":
        return [data.phenotype[wells] for wells in _distinct_wells(data, rows, settings, generator)[:n_views]]
    if settings.rows == "wells":
        return [data.phenotype[rows]] * n_views
    return [draw_replicates(data, rows, settings, generator) for _ in range(n_views)]


def _distinct_wells(
    data: TrainingData, rows: Tensor, settings: ViewSettings, generator: Generator
) -> tuple[Tensor, Tensor]:
    """Two wells of each row's compound, different where it has two; with rows of wells, the first is the row itself."""
    compounds = rows if settings.rows == "compounds" else data.well_compound[rows]
    first, n_wells = data.first_well[compounds], data.n_wells[compounds]
    well = first + _below(n_wells, generator) if settings.rows == "compounds" else rows
    others = (n_wells - 1).clamp_min(1)
    step = torch.where(n_wells > 1, 1 + _below(others, generator), torch.zeros_like(n_wells))
    return well, first + (well - first + step) % n_wells


def _below(limits: Tensor, generator: Generator) -> Tensor:
    """A random whole number in 0..limit-1 for each limit."""
    share = torch.rand(len(limits), generator=generator, dtype=torch.float64, device=limits.device)
    return (share * limits).long()


def draw_replicates(data: TrainingData, compounds: Tensor, settings: ViewSettings, generator: Generator) -> Tensor:
    """Profiles (n, k1): a Dirichlet mixture of each compound's wells, one random well, or their mean."""
    if settings.replicates == "mean":
        return data.pooled[compounds]
    n_wells, first = data.n_wells[compounds], data.first_well[compounds]
    device = compounds.device
    if settings.replicates == "single":
        return data.phenotype[first + _below(n_wells, generator)]
    # all wells of all compounds in one flat list: wells of compound i are numbered from first[i]
    row = torch.repeat_interleave(torch.arange(len(compounds), device=device), n_wells)
    start = n_wells.cumsum(0) - n_wells
    well = torch.arange(len(row), device=device) - start[row] + first[row]
    concentration = torch.full((len(row),), settings.dirichlet_alpha, dtype=torch.float64, device=device)
    weight = standard_gamma(concentration, generator)
    total = torch.zeros(len(compounds), dtype=torch.float64, device=device).index_add(0, row, weight)
    weighted = data.phenotype[well] * (weight / total[row]).to(data.phenotype)[:, None]
    return torch.zeros_like(data.pooled[compounds]).index_add(0, row, weighted)


def released_augmentation(inputs: Tensor, generator: Generator) -> Tensor:
    """The released code's augmentation of inputs (n, k).

    Each row gets Gaussian noise of standard deviation 0.01 (in the inputs' own units), or a tenth of its entries set to
    zero, or nothing, with equal chances.
    """
    device = inputs.device
    kind = torch.randint(3, (len(inputs), 1), generator=generator, device=device)
    normal = torch.randn(inputs.shape, generator=generator, dtype=inputs.dtype, device=device)
    uniform = torch.rand(inputs.shape, generator=generator, dtype=inputs.dtype, device=device)
    noisy = torch.where(kind == 0, inputs + RELEASED_NOISE * normal, inputs)
    return noisy.masked_fill((kind == 1) & (uniform < RELEASED_DROPOUT), 0)


def perturb(inputs: Tensor, scale: Tensor, noise: float, dropout: float, generator: Generator) -> Tensor:
    """Inputs (n, k) plus Gaussian noise of `noise` standard deviations, then a share `dropout` of them set to zero."""
    if noise > 0:
        normal = torch.randn(inputs.shape, generator=generator, dtype=inputs.dtype, device=inputs.device)
        inputs = torch.addcmul(inputs, normal, scale, value=noise)
    if dropout > 0:
        uniform = torch.rand(inputs.shape, generator=generator, dtype=inputs.dtype, device=inputs.device)
        inputs = inputs.masked_fill(uniform < dropout, 0)
    return inputs


def _mixing(n: int, alpha: float, generator: Generator) -> tuple[Tensor, Tensor]:
    """Partner and own weight, Beta(alpha, alpha), of each row."""
    device = generator.device
    gammas = standard_gamma(torch.full((2, n), alpha, dtype=torch.float64, device=device), generator)
    return torch.randperm(n, generator=generator, device=device), gammas[0] / gammas.sum(0)


def _mixed(inputs: Tensor, partner: Tensor, weight: Tensor) -> Tensor:
    own = weight.to(inputs)[:, None]
    return own * inputs + (1 - own) * inputs[partner]
