import numpy as np
import pytest
import torch

from dssl.settings.learning import ViewSettings
from dssl.training.data import TrainingData
from dssl.training.views import InputScales, draw_replicates, draw_views, perturb

PLAIN = {"phenotype_noise": 0.0, "molecule_noise": 0.0, "phenotype_dropout": 0.0, "molecule_dropout": 0.0}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def data() -> TrainingData:
    """Compound i has i + 1 wells, each with its own indicator column."""
    compounds = np.repeat(np.arange(5), np.arange(1, 6))
    return TrainingData.from_arrays(np.eye(15), compounds, np.arange(10.0).reshape(5, 2))


def own_wells(data: TrainingData, compounds: torch.Tensor) -> torch.Tensor:
    return data.well_compound[None, :] == compounds[:, None]


@pytest.mark.parametrize("kind", ["dirichlet", "single", "mean"])
def test_replicates_are_convex_mixtures_of_the_compounds_own_wells(data: TrainingData, kind: str) -> None:
    compounds = torch.tensor([4, 0, 3, 4, 2])
    view = draw_replicates(data, compounds, ViewSettings(replicates=kind), generator())
    assert torch.allclose(view.sum(1), torch.ones(5))
    assert float(view[~own_wells(data, compounds)].abs().max()) == 0
    assert float(view.min()) >= 0
    if kind == "single":
        assert torch.equal(view.max(1).values, torch.ones(5))
    if kind == "mean":
        assert torch.equal(view, data.pooled[compounds])


@pytest.mark.parametrize("alpha", [0.3, 1.0, 5.0])
def test_mixture_weights_are_dirichlet(data: TrainingData, alpha: float) -> None:
    settings = ViewSettings(dirichlet_alpha=alpha)
    weights = draw_replicates(data, torch.full((20_000,), 4), settings, generator())[:, -5:]
    assert torch.allclose(weights.mean(0), torch.full((5,), 0.2), atol=0.01)
    assert torch.allclose(weights.var(0), torch.full((5,), 0.2 * 0.8 / (5 * alpha + 1)), rtol=0.08)


def test_single_wells_are_drawn_evenly(data: TrainingData) -> None:
    view = draw_replicates(data, torch.full((20_000,), 4), ViewSettings(replicates="single"), generator())
    assert torch.allclose(view.mean(0)[-5:], torch.full((5,), 0.2), atol=0.015)


def test_views_without_noise_are_the_data(data: TrainingData) -> None:
    compounds = torch.tensor([1, 3])
    (view,) = draw_views(data, compounds, InputScales.of(data), ViewSettings(replicates="mean", **PLAIN), generator())
    assert torch.equal(view["phenotype"], data.pooled[compounds])
    assert torch.equal(view["molecule"], data.molecule[compounds])


def test_noise_is_in_units_of_each_inputs_deviation() -> None:
    inputs, scale = torch.zeros(50_000, 3), torch.tensor([1.0, 10.0, 0.0])
    noisy = perturb(inputs, scale, 0.5, 0.0, generator())
    assert torch.allclose(noisy.std(0), 0.5 * scale, rtol=0.02)


def test_dropout_sets_its_share_to_zero() -> None:
    dropped = perturb(torch.ones(1000, 50), torch.ones(50), 0.0, 0.3, generator())
    assert float((dropped == 0).float().mean()) == pytest.approx(0.3, abs=0.01)
    assert set(dropped.unique().tolist()) == {0.0, 1.0}


def test_scales_are_training_deviations(data: TrainingData) -> None:
    scales = InputScales.of(data)
    assert np.allclose(scales.molecule.numpy(), data.molecule.numpy().std(0))
    assert np.allclose(scales.phenotype.numpy(), data.phenotype.numpy().std(0))


def test_two_views_are_independent_not_nested(data: TrainingData) -> None:
    compounds = torch.full((4000,), 4)
    settings = ViewSettings(replicates="mean", phenotype_noise=1.0, molecule_dropout=0.5)
    first, second = draw_views(data, compounds, InputScales.of(data), settings, generator(), n_views=2)
    noise = [view["phenotype"] - data.pooled[4] for view in (first, second)]
    assert float(noise[0].std()) == pytest.approx(float(noise[1].std()), rel=0.03)
    assert abs(float((noise[0] * noise[1]).mean() / noise[0].var())) < 0.02
    kept = [(view["molecule"][:, 0] != 0).float() for view in (first, second)]
    assert float((kept[0] * kept[1]).mean()) == pytest.approx(0.25, abs=0.03)


def test_mixup_mixes_the_same_pairs_in_both_modalities_and_in_every_view() -> None:
    line = np.array([[0.0, 0.0], [1.0, 2.0], [5.0, 10.0], [7.0, 14.0]])
    data = TrainingData.from_arrays(line, np.arange(4), line)
    settings = ViewSettings(replicates="mean", mixup_alpha=1.0, **PLAIN)
    views = draw_views(data, torch.arange(4), InputScales.of(data), settings, generator(3), n_views=2)
    assert torch.allclose(views[0]["phenotype"], views[0]["molecule"])
    assert torch.allclose(views[0]["phenotype"], views[1]["phenotype"])
    assert not torch.allclose(views[0]["phenotype"], data.pooled)
    assert torch.allclose(views[0]["phenotype"][:, 1], 2 * views[0]["phenotype"][:, 0])


def test_same_seed_same_views(data: TrainingData) -> None:
    settings = ViewSettings(mixup_alpha=0.5, molecule_noise=0.1, phenotype_dropout=0.2)
    compounds, scales = torch.arange(5), InputScales.of(data)
    first, again, other = (draw_views(data, compounds, scales, settings, generator(seed))[0] for seed in (1, 1, 2))
    for modality in ("phenotype", "molecule"):
        assert torch.equal(first[modality], again[modality])
        assert not torch.equal(first[modality], other[modality])
