from typing import Any

import pytest

from dssl.settings.learning import SelectModelSettings
from dssl.training.selection import choose

EXACT = SelectModelSettings(beta_tolerance=0, lam_tolerance=0)


def shared(scores: dict[float, list[float]], metric: str = "mrr") -> list[dict[str, Any]]:
    """Step-1 models: one per beta and seed, with its validation score."""
    return [
        {"beta": beta, "seed": seed, "contrastive": 1.0, "kl": 0.5, "mrr": 0.0, "mean_normalized_rank": 0.0}
        | {metric: score}
        for beta, found in scores.items()
        for seed, score in enumerate(found)
    ]


def specific(losses: dict[tuple[float, float], list[float]]) -> list[dict[str, Any]]:
    """Step-2 models: one per beta, lambda and seed, with its validation contrastive loss."""
    other = {
        f"{what}_{which}": 0.1 for what in ("dependence", "participation_ratio") for which in ("phenotype", "molecule")
    }
    return [
        {"beta": beta, "lam": lam, "seed": seed, "contrastive": loss, **other}
        for (beta, lam), found in losses.items()
        for seed, loss in enumerate(found)
    ]


def test_beta_has_the_best_mean_over_seeds() -> None:
    found = choose(shared({0.1: [0.9, 0.1], 0.2: [0.6, 0.6]}), specific({(b, 1.0): [1.0] for b in (0.1, 0.2)}), EXACT)
    assert found.beta == 0.2
    assert found.reason.startswith(
        "beta 0.2 is the largest whose validation mrr is within 0% of the best; lambda 1 the"
    )


def test_low_ranks_are_good_where_the_metric_is_a_rank() -> None:
    models = shared({0.1: [0.4], 0.2: [0.2], 0.3: [0.3]}, "mean_normalized_rank")
    by_rank = SelectModelSettings(metric="mean_normalized_rank", beta_tolerance=0)
    assert choose(models, specific({(b, 1.0): [1.0] for b in (0.1, 0.2, 0.3)}), by_rank).beta == 0.2
    models = shared({0.1: [0.4], 0.2: [0.2], 0.3: [0.3]}, "mrr")
    assert choose(models, specific({(b, 1.0): [1.0] for b in (0.1, 0.2, 0.3)}), EXACT).beta == 0.1


@pytest.mark.parametrize("order", [(0.1, 0.2, 0.3), (0.3, 0.1, 0.2)])
def test_of_equal_scores_the_largest_beta_is_taken(order: tuple[float, ...]) -> None:
    scores = {0.1: [0.5], 0.2: [0.5], 0.3: [0.4]}
    models = shared({beta: scores[beta] for beta in order})
    assert choose(models, specific({(b, 1.0): [1.0] for b in order}), EXACT).beta == 0.2


@pytest.mark.parametrize(
    ("metric", "scores", "tolerance", "beta"),
    [
        ("mrr", {0.1: [0.5], 0.2: [0.46], 0.3: [0.2]}, 0.05, 0.1),
        ("mrr", {0.1: [0.5], 0.2: [0.46], 0.3: [0.2]}, 0.1, 0.2),
        ("mrr", {0.1: [0.2], 0.2: [0.46], 0.3: [0.5]}, 0.9, 0.3),
        ("mean_normalized_rank", {0.1: [0.2], 0.2: [0.21], 0.3: [0.3]}, 0.04, 0.1),
        ("mean_normalized_rank", {0.1: [0.2], 0.2: [0.21], 0.3: [0.3]}, 0.06, 0.2),
        ("mean_normalized_rank", {0.1: [0.0], 0.2: [0.01], 0.3: [0.3]}, 0.5, 0.1),
    ],
)
def test_beta_is_the_largest_within_the_tolerance_of_the_best(
    metric: str, scores: dict[float, list[float]], tolerance: float, beta: float
) -> None:
    chosen_by = SelectModelSettings.model_validate({"metric": metric, "beta_tolerance": tolerance})
    models = specific({(each, 1.0): [1.0] for each in scores})
    assert choose(shared(scores, metric), models, chosen_by).beta == beta


@pytest.mark.parametrize(
    ("tolerance", "lam"),
    [(0.0, 0.1), (0.04, 0.1), (0.06, 1.0), (0.5, 10.0), (2.0, 10.0)],
)
def test_lambda_is_the_largest_whose_loss_is_within_the_tolerance(tolerance: float, lam: float) -> None:
    models = specific({(0.1, 0.1): [2.0], (0.1, 1.0): [2.1], (0.1, 10.0): [3.0]})
    found = choose(shared({0.1: [0.5]}), models, SelectModelSettings(beta_tolerance=0, lam_tolerance=tolerance))
    assert found.lam == lam


def test_of_equal_losses_the_largest_lambda_is_taken_even_without_tolerance() -> None:
    models = specific({(0.1, 1.0): [2.0], (0.1, 10.0): [2.0]})
    assert choose(shared({0.1: [0.5]}), models, SelectModelSettings(beta_tolerance=0, lam_tolerance=0)).lam == 10.0


def test_lambda_is_judged_among_the_models_of_the_chosen_beta_by_their_mean_over_seeds() -> None:
    models = specific(
        {
            (0.1, 1.0): [0.1, 0.1],  # far better, but of another beta
            (0.1, 10.0): [0.1, 0.1],
            (0.2, 1.0): [1.0, 3.0],
            (0.2, 10.0): [0.9, 5.0],  # one seed is better, the mean is not
        }
    )
    found = choose(shared({0.1: [0.4], 0.2: [0.5]}), models, EXACT)
    assert (found.beta, found.lam) == (0.2, 1.0)


def test_every_candidate_is_listed_and_one_is_selected() -> None:
    models = specific({(beta, lam): [1.0 + beta] for beta in (0.1, 0.2) for lam in (1.0, 10.0)})
    table = choose(shared({0.1: [0.4], 0.2: [0.5]}), models, EXACT).candidates
    assert len(table) == 4
    assert table.loc[table["selected"], ["beta", "lam"]].to_numpy().tolist() == [[0.2, 10.0]]
    row = table.set_index(["beta", "lam"]).loc[(0.1, 1.0)]
    assert (row["specific_contrastive"], row["shared_contrastive"], row["mrr"]) == (1.1, 1.0, 0.4)


def test_test_compounds_are_not_looked_at() -> None:
    models = [model | {"test_mrr": 1.0 - model["mrr"]} for model in shared({0.1: [0.4], 0.2: [0.5]})]
    found = choose(models, specific({(b, 1.0): [1.0] for b in (0.1, 0.2)}), EXACT)
    assert found.beta == 0.2
    assert "test_mrr" not in found.candidates


def test_the_closed_form_has_no_say() -> None:
    models_1, models_2 = shared({0.1: [0.5], 0.2: [0.3]}), specific({(0.1, 1.0): [1.0], (0.2, 1.0): [1.0]})
    solved = {"seed": "closed_form", "mrr": 9.0, "contrastive": 0.0}
    with_closed_form = choose(
        [*models_1, {**models_1[1], **solved}], [*models_2, {**models_2[1], "lam": 2.0, **solved}], EXACT
    )
    alone = choose(models_1, models_2, EXACT)
    assert (with_closed_form.beta, with_closed_form.lam) == (alone.beta, alone.lam) == (0.1, 1.0)
    assert with_closed_form.candidates.equals(alone.candidates)
