"""Centres of codes and the spread of their cosines, set after training."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from dssl.baselines.learned import train_learned
from dssl.model.centers import CodeCenters
from dssl.settings.learning import TrainSharedSettings
from dssl.training.encode import encode
from dssl.training.settling import settle_centers, settle_shared, spread_of_others
from dssl.training.shared import train_shared

SIZE = 16


def cone(n: int, seed: int, axis_noise: float) -> dict[str, torch.Tensor]:
    """Codes that match about a common axis, along which each code has a place of its own that tells nothing."""
    generator = torch.Generator().manual_seed(seed)
    common = torch.randn(n, SIZE, generator=generator)
    sides = {}
    for name in ("phenotype", "molecule"):
        own = common + 0.7 * torch.randn(n, SIZE, generator=generator)
        own[:, 0] = 20 + axis_noise * torch.randn(n, generator=generator)
        sides[name] = functional.normalize(own, dim=1)
    return sides


def test_a_common_axis_that_tells_nothing_is_taken_out() -> None:
    centers = CodeCenters(SIZE)
    train, validation, new = (cone(200, seed, 4.0) for seed in range(3))
    found = settle_centers(centers, train, validation)
    assert found["centered"] == 1
    torch.testing.assert_close(centers.phenotype, train["phenotype"].mean(dim=0))

    def mean_rank(first: torch.Tensor, second: torch.Tensor) -> float:
        cosines = (first @ second.T).numpy()
        return float((cosines > np.diag(cosines)[:, None]).mean())

    centered = [centers(name, new[name]) for name in ("phenotype", "molecule")]
    assert mean_rank(*centered[::-1]) < mean_rank(new["molecule"], new["phenotype"]) / 2


def test_an_axis_that_tells_which_compound_it_is_stays() -> None:
    """A compound is an angle: from the middle of the arc, all that is left of it is the side that it lies on."""
    generator = torch.Generator().manual_seed(0)
    sides: list[dict[str, torch.Tensor]] = []
    for _ in range(2):
        angles = torch.rand(100, 1, generator=generator) + 0.02 * torch.randn(100, 2, generator=generator)
        first, second = (torch.stack([angle.cos(), angle.sin()], dim=1) for angle in angles.T)
        sides.append({"phenotype": first, "molecule": second})
    centers = CodeCenters(2)
    assert settle_centers(centers, *sides)["centered"] == 0
    assert not centers.phenotype.any()
    assert not centers.molecule.any()


def test_where_it_is_not_allowed_codes_stay_as_they_are() -> None:
    centers = CodeCenters(SIZE)
    found = settle_centers(centers, cone(200, 0, 4.0), cone(200, 1, 4.0), may_center=False)
    assert found["centered"] == 0
    assert not centers.phenotype.any()


def test_the_presets_of_the_paper_do_not_center() -> None:
    assert [TrainSharedSettings(preset=name).code.center for name in ("default", "paper", "released")] == [
        True,
        False,
        False,
    ]


def test_the_validation_compounds_have_no_part_in_the_centre() -> None:
    train, validation = cone(200, 0, 4.0), cone(200, 1, 4.0)
    one, other = CodeCenters(SIZE), CodeCenters(SIZE)
    settle_centers(one, train, validation)
    settle_centers(other, train, {name: codes[:50] for name, codes in validation.items()})
    torch.testing.assert_close(one.molecule, other.molecule, rtol=0, atol=0)


def test_the_spread_leaves_out_the_matches() -> None:
    first, second = cone(30, 0, 1.0).values()
    cosines = (first @ second.T).numpy()
    expected = cosines[~np.eye(30, dtype=bool)].std()
    np.testing.assert_allclose(float(spread_of_others(first, second)), expected, rtol=1e-5)


@pytest.fixture(scope="module")
def data(planted: Callable[..., Any]) -> list[Any]:
    return [planted(40, 1, seed).data for seed in (0, 1)]


def test_encode_and_the_metrics_speak_of_the_same_codes(data: list[Any], small_shared: TrainSharedSettings) -> None:
    model, _, metrics = train_shared(*data, small_shared, 0.01, 0)
    for centered in (True, False):
        if centered:
            model.centers.phenotype.fill_(0.1)
            model.centers.molecule.fill_(-0.1)
        else:
            metrics |= settle_shared(model, *data)
        codes = encode([(model, None)], data[1].pooled.numpy(), data[1].molecule.numpy()).shared
        expected = model.code("phenotype", data[1].pooled) - model.centers.phenotype
        np.testing.assert_allclose(
            codes["phenotype"], functional.normalize(expected, dim=1).detach().numpy(), atol=1e-6
        )
    cosines = codes["phenotype"] @ codes["molecule"].T
    ranks = (cosines > np.diag(cosines)[:, None]).sum(axis=1) / 39
    np.testing.assert_allclose(metrics["mean_normalized_rank_phenotype_to_molecule"], ranks.mean(), atol=1e-6)


def test_learned_baselines_are_settled_alike(data: list[Any], small_shared: TrainSharedSettings) -> None:
    model, _, metrics = train_learned("infonce", *data, small_shared, {}, 0)
    assert metrics["centered"] in (0.0, 1.0)
    is_set = bool(model.centers.phenotype.any())
    assert is_set == bool(metrics["centered"])
    raw = functional.normalize(model.codes("phenotype", data[1].pooled)[0], dim=1) - model.centers.phenotype
    torch.testing.assert_close(
        model.comparable_codes("phenotype", data[1].pooled), functional.normalize(raw, dim=1), atol=1e-6, rtol=0
    )
