import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import balanced_accuracy_score, r2_score
from sklearn.model_selection import GroupKFold, cross_val_predict

from dssl.evaluation.discriminant import class_predictions, discriminate
from dssl.evaluation.linear_probe import RIDGES, group_codes, nested_folds, ridge_predictions, shuffled_targets
from dssl.evaluation.probes import PROBE_COLUMNS, probe_classes, probe_numeric, probe_table
from dssl.settings.evaluation import EvaluateDisentanglementSettings


def planted(rng, n_groups=40, wells=3, d=6):
    """Codes with a part per compound and a part per well."""
    groups = np.repeat(np.arange(n_groups), wells)
    compound = rng.normal(size=(n_groups, d))[groups]
    return compound + 0.5 * rng.normal(size=(len(groups), d)), compound, groups


def mean_eigenvalue(rows):
    return (np.linalg.svd(rows - rows.mean(0))[1] ** 2).mean()


def testridge_predictions_equal_sklearn_with_nested_search():
    rng = np.random.default_rng(0)
    codes, compound, groups = planted(rng, 20)
    targets = np.column_stack([compound[:, 0] + rng.normal(size=60), rng.normal(size=60)])
    folds = nested_folds(codes, groups, np.random.default_rng(1))
    found = ridge_predictions(folds, targets)
    for outer, inner in folds:
        assert not set(groups[outer.train]) & set(groups[outer.held_out])
        for column in range(2):
            y = targets[:, column]
            errors = []
            for ridge in RIDGES:
                models = [Ridge(ridge * mean_eigenvalue(codes[f.train])).fit(codes[f.train], y[f.train]) for f in inner]
                errors.append(
                    sum(
                        ((m.predict(codes[f.held_out]) - y[f.held_out]) ** 2).sum()
                        for m, f in zip(models, inner, strict=True)
                    )
                )
            model = Ridge(RIDGES[int(np.argmin(errors))] * mean_eigenvalue(codes[outer.train])).fit(
                codes[outer.train], y[outer.train]
            )
            np.testing.assert_allclose(found[outer.held_out, column], model.predict(codes[outer.held_out]))
    assert sorted(np.concatenate([f.outer.held_out for f in folds])) == list(range(60))


def test_discriminant_equals_sklearn_lda_with_equal_priors():
    rng = np.random.default_rng(2)
    label = rng.choice(4, size=200, p=[0.5, 0.3, 0.1, 0.1])
    codes = rng.normal(size=(4, 5))[label] + rng.normal(size=(200, 5)) * [1, 1, 3, 1, 0.2]
    fold = nested_folds(codes, np.arange(200), rng)[0].outer
    found = discriminate(fold, label[:, None], 4, (1e-10,))[0][:, 0]
    lda = LinearDiscriminantAnalysis(solver="lsqr").fit(codes[fold.train], label[fold.train])
    # with its priors argument sklearn also reweighs the covariance: take the classes' frequencies out afterwards
    scores = lda.decision_function(codes[fold.held_out]) - np.log(lda.priors_)
    assert (found == scores.argmax(axis=1)).all()


def test_discriminant_with_a_ridge_equals_its_definition():
    rng = np.random.default_rng(3)
    labels = np.column_stack([rng.integers(0, 3, 60), rng.integers(0, 2, 60)])
    codes = rng.normal(size=(60, 4))
    fold = nested_folds(codes, np.arange(60), rng)[1].outer
    x = codes[fold.train]
    total = (x - x.mean(0)).T @ (x - x.mean(0)) / len(x)
    for ridge, found in zip((0.01, 1.0), discriminate(fold, labels, 3, (0.01, 1.0)), strict=True):
        for column in range(2):
            y = labels[fold.train, column]
            means = np.stack([x[y == c].mean(0) if (y == c).any() else np.full(4, np.inf) for c in range(3)])
            present = np.isfinite(means[:, 0])
            within = total + np.eye(4) * ridge * np.trace(total) / 4
            for c in np.flatnonzero(present):
                within -= (y == c).mean() * np.outer(means[c] - x.mean(0), means[c] - x.mean(0))
            rows = codes[fold.held_out]
            distance = [
                np.einsum("ij,jk,ik->i", rows - m, np.linalg.inv(within), rows - m) for m in means[present]
            ]  # fmt: skip
            assert (found[:, column] == np.argmin(distance, axis=0)).all()


def test_classes_score_like_logistic_regression():
    rng = np.random.default_rng(4)
    codes, compound, groups = planted(rng, 60)
    label = np.digitize(compound[:, 0] + 0.3 * compound[:, 1], [-0.5, 1.0])
    found = probe_classes(codes, label, groups, rng, 20)
    logistic = LogisticRegression(class_weight="balanced", max_iter=500)
    predicted = cross_val_predict(logistic, codes, label, groups=groups, cv=GroupKFold(5))
    assert found.score == pytest.approx(balanced_accuracy_score(label, predicted), abs=0.07)
    assert found.p_value == 1 / 21
    assert found.chance == pytest.approx(1 / 3, abs=0.06)
    assert found.ci_low < found.score < found.ci_high


def test_numeric_score_is_the_out_of_fold_r2():
    rng = np.random.default_rng(5)
    codes, compound, groups = planted(rng)
    target = compound[:, 0] + 0.5 * rng.normal(size=len(groups))
    found = probe_numeric(codes, target, groups, np.random.default_rng(6), 50)
    folds = nested_folds(codes, group_codes(groups), np.random.default_rng(6))
    assert found.score == pytest.approx(r2_score(target, ridge_predictions(folds, target[:, None])[:, 0]))
    assert found.p_value == 1 / 51
    assert found.chance < 0.05 < 0.4 < found.score
    assert found.ci_low < found.score < found.ci_high
    moved = probe_numeric(codes * 100, target * 3 + 7, groups, np.random.default_rng(6), 50)
    assert moved == pytest.approx(found)


@pytest.mark.parametrize("level", ["compound", "well"])
@pytest.mark.parametrize("kind", ["numeric", "classes"])
def test_null_p_values_are_uniform_at_both_levels(kind, level):
    """Codes that cluster by compound know nothing of a target; free permutation of wells would find it anyway."""
    rng = np.random.default_rng(7)
    p_values = []
    for _ in range(60):
        codes, _, groups = planted(rng, 15, 4, 3)
        size = 15 if level == "compound" else 60
        target = rng.normal(size=size) if kind == "numeric" else rng.integers(0, 2, size)
        target = target[groups] if level == "compound" else target
        probe = probe_numeric if kind == "numeric" else probe_classes
        p_values.append(probe(codes, target, groups, rng, 19).p_value)
    assert stats.kstest(p_values, "uniform").pvalue > 0.001
    assert np.mean(np.array(p_values) <= 0.1) < 0.25


def test_targets_are_permuted_at_their_level():
    rng = np.random.default_rng(8)
    groups = group_codes(rng.permutation(np.repeat(list("abcde"), [1, 2, 3, 4, 2])))
    mechanism = np.array([3.0, 1, 4, 1, 5])[groups]
    for column in shuffled_targets(mechanism, groups, 20, rng).T:
        per_group = [set(column[groups == g]) for g in range(5)]
        assert all(len(values) == 1 for values in per_group)
        assert sorted(v for values in per_group for v in values) == [1, 1, 3, 4, 5]
    # every compound once on each of three plates: only the order inside a compound can change
    group = np.repeat(np.arange(6), 3)
    plate = np.tile([0, 1, 2], 6)
    drawn = shuffled_targets(plate, group, 30, rng)
    assert (np.sort(drawn.reshape(6, 3, 30), axis=1) == np.arange(3)[None, :, None]).all()
    assert len({tuple(column) for column in drawn.T}) == 30
    # sets of values move between compounds, and no value is lost
    values = np.arange(18)
    blocks = shuffled_targets(values, group, 30, rng)
    assert (np.sort(blocks, axis=0) == values[:, None]).all()
    assert (np.ptp(blocks.reshape(6, 3, 30) // 3, axis=1) == 0).all()
    assert (blocks[:3] // 3 != 0).any()


def test_a_class_missing_from_training_is_never_predicted():
    codes = np.random.default_rng(9).normal(size=(20, 3))
    folds = nested_folds(codes, np.arange(20), np.random.default_rng(0))
    label = np.zeros((20, 1), dtype=np.int64)
    label[folds[0].outer.held_out] = 1
    found = class_predictions(folds, label, 2)
    assert (found[folds[0].outer.held_out] == 0).all()


def test_table_probes_what_it_can_and_lists_the_rest():
    rng = np.random.default_rng(10)
    codes, compound, groups = planted(rng, 30, 2)
    obs = pd.DataFrame(
        {
            "activity": compound[:, 0],
            "mechanism": np.where(compound[:, 1] > 0, "up", "down"),
            "active": compound[:, 0] > 0,
            "constant": "x",
            "name": [f"n{i}" for i in range(60)],
            "gone": np.nan,
        }
    )
    obs["lone"] = ["only", "here", *obs["mechanism"][2:]]
    obs.loc[:3, "activity"] = np.nan
    obs["many"] = groups % 9
    obs["many"] = obs["many"].astype(str)
    settings = EvaluateDisentanglementSettings(n_permutations=100, max_classes=8)
    ids = np.array([f"c{g}" for g in groups])
    columns = list(obs)
    found = probe_table({"shared": codes, "noise": rng.normal(size=(60, 4))}, obs, columns, ids, settings, rng)
    assert found.columns.tolist() == PROBE_COLUMNS
    assert len(found) == 2 * len(columns)
    shared = found[found["code"] == "shared"].set_index("column")
    assert shared.loc["activity", ["kind", "score_name", "n_rows", "n_groups", "n_rows_left_out"]].tolist() == [
        "numeric", "r2", 56, 28, 4
    ]  # fmt: skip
    assert shared.loc[["activity", "mechanism", "active"], "p_value"].max() < 0.05
    assert shared.loc["active", "score_name"] == "balanced_accuracy"
    assert shared.loc["lone", "n_rows_left_out"] == 2
    assert shared.loc["constant", "skipped_reason"] == "constant"
    assert "9 classes, more than max_classes (8)" in shared.loc["many", "skipped_reason"]
    assert "0 compounds with a value" in shared.loc["name", "skipped_reason"]
    assert "0 compounds with a value" in shared.loc["gone", "skipped_reason"]
    assert shared.loc[["constant", "many", "name", "gone"], "score"].isna().all()
    noise = found[found["code"] == "noise"].set_index("column")
    assert noise.loc[["activity", "mechanism"], "p_value"].min() > 0.02
