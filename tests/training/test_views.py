import numpy as np
import pytest
import torch

from dssl.settings.learning import ViewSettings
from dssl.training.data import TrainingData
from dssl.training.views import (
    InputScales,
    draw_replicates,
    draw_views,
    n_rows,
    perturb,
    released_augmentation,
    same_molecule,
)

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


def well_of(view: torch.Tensor) -> torch.Tensor:
    """Number of the well that an indicator profile belongs to."""
    assert torch.equal(view.sum(1), torch.ones(len(view)))
    return view.argmax(1)


@pytest.mark.parametrize("rows", ["compounds", "wells"])
def test_distinct_views_are_two_wells_of_one_compound(data: TrainingData, rows: str) -> None:
    settings = ViewSettings(rows=rows, replicates="distinct", **PLAIN)
    chosen = torch.arange(5 if rows == "compounds" else 15).repeat(400)
    first, second = draw_views(data, chosen, InputScales.of(data), settings, generator(), n_views=2)
    wells = well_of(first["phenotype"]), well_of(second["phenotype"])
    compounds = data.well_compound[wells[0]]
    assert torch.equal(compounds, data.well_compound[wells[1]])
    assert torch.equal(first["molecule"], data.molecule[compounds])
    # compound 0 has one well only
    assert torch.equal(wells[0] == wells[1], compounds == 0)
    pairs = torch.stack(wells, 1)[compounds == 4].unique(dim=0)
    assert len(pairs) == 5 * 4


def test_rows_of_wells_are_the_wells_with_their_compounds_molecules(data: TrainingData) -> None:
    settings = ViewSettings(rows="wells", **PLAIN)
    wells = torch.tensor([14, 0, 3, 4])
    (view,) = draw_views(data, wells, InputScales.of(data), settings, generator())
    assert torch.equal(view["phenotype"], data.phenotype[wells])
    assert torch.equal(view["molecule"], data.molecule[data.well_compound[wells]])
    assert n_rows(data, settings) == 15
    assert n_rows(data, ViewSettings()) == 5


def test_rows_of_one_molecule_are_known(data: TrainingData) -> None:
    # wells 1 and 2 are of compound 1, wells 3 to 5 of compound 2
    found = same_molecule(data, torch.tensor([1, 3, 2, 5]), ViewSettings(rows="wells"))
    expected = [[1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 1]]
    assert torch.equal(found, torch.tensor(expected, dtype=torch.bool))
    assert same_molecule(data, torch.tensor([1, 3]), ViewSettings()) is None


def test_released_augmentation_is_noise_or_zeros_or_nothing() -> None:
    inputs = torch.full((30_000, 20), 2.0)
    found = released_augmentation(inputs, generator())
    is_zero = found == 0
    zeroed, untouched = is_zero.any(1), (found == 2).all(1)
    noisy = ~zeroed & ~untouched
    # a row that is to lose entries keeps all of them with probability .9^20
    assert float(untouched.float().mean()) == pytest.approx(1 / 3 + 0.9**20 / 3, abs=0.01)
    assert float(noisy.float().mean()) == pytest.approx(1 / 3, abs=0.01)
    assert float(is_zero[zeroed].float().mean()) == pytest.approx(0.1 / (1 - 0.9**20), abs=0.005)
    assert float((found[noisy] - 2).std()) == pytest.approx(0.01, rel=0.02)
    assert torch.equal(found[zeroed][~is_zero[zeroed]].unique(), torch.tensor([2.0]))


def test_released_views_are_nested(data: TrainingData) -> None:
    """What the first view lost, the second has not."""
    settings = ViewSettings(replicates="mean", augmentation="released")
    wide = TrainingData.from_arrays(np.full((200, 50), 2.0), np.arange(200), np.full((200, 50), 3.0))
    first, second = draw_views(wide, torch.arange(200), InputScales.of(wide), settings, generator(), n_views=2)
    for modality in ("phenotype", "molecule"):
        lost = first[modality] == 0
        assert bool(lost.any())
        # of what is zero it stays zero, or noise of 0.01 is added to it
        assert float(second[modality][lost].abs().max()) < 0.06
