import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dssl.evaluation.null import disjoint_layers, pooled_null
from dssl.evaluation.statistics import holm, paired_test, permutation_p_value


def members_of(folds: dict[str, str]) -> pd.DataFrame:
    rows = [(fold, one) for fold, members in folds.items() for one in members]
    return pd.DataFrame(rows, columns=["fold", "compound_id"])


def null_of(values: dict[str, list[float]]) -> pd.DataFrame:
    return pd.concat(
        pd.DataFrame({"fold": fold, "permutation": range(len(column)), "x": column}) for fold, column in values.items()
    )


def test_repeats_are_layers_and_folds_that_overlap_too():
    assert disjoint_layers({"0": set("ab"), "1": set("cd"), "2": set("ac"), "10": set("bd")}) == [
        ["0", "1"],
        ["2", "10"],
    ]
    assert disjoint_layers({"0": set("ab"), "1": set("bc"), "2": set("ca")}) == [["0"], ["1"], ["2"]]


def test_folds_of_one_repeat_are_added_up_as_drawn():
    found = pooled_null(null_of({"0": [1, 2, 3], "1": [30, 10, 20]}), members_of({"0": "abc", "1": "d"}), ["x"])
    np.testing.assert_allclose(found[:, 0], [(3 * 1 + 30) / 4, (3 * 2 + 10) / 4, (3 * 3 + 20) / 4])


def test_repeats_are_added_smallest_to_smallest():
    null = null_of({"0": [3, 1, 2], "1": [0, 0, 0], "2": [10, 30, 20], "3": [0, 0, 0]})
    found = pooled_null(null, members_of({"0": "ab", "1": "cd", "2": "ac", "3": "bd"}), ["x"])
    np.testing.assert_allclose(found[:, 0], [(1 + 10) / 4, (2 + 20) / 4, (3 + 30) / 4])


def test_a_compound_in_several_folds_counts_once():
    # a is tested twice, b and c once: the mean over compounds is ((a0 + a1) / 2 + b0 + c1) / 3
    found = pooled_null(null_of({"0": [1.0], "1": [4.0]}), members_of({"0": "ab", "1": "ac"}), ["x"])
    assert found[0, 0] == pytest.approx((1.5 * 1 + 1.5 * 4) / 3)


def test_p_values_hold_where_repeats_say_the_same_again():
    """Scores without signal, equal in all repeats: independent sums would call far too many of them significant."""
    rng = np.random.default_rng(0)
    folds = {str(fold): [f"c{one}" for one in range(12)] for fold in range(6)}
    p_values = []
    for _ in range(300):
        observed = rng.normal()
        null = null_of({fold: rng.normal(size=99).tolist() for fold in folds})
        p_values.append(permutation_p_value(observed, pooled_null(null, members_of(folds), ["x"])[:, 0]))
    assert stats.kstest(p_values, "uniform").pvalue > 0.001
    independent = np.mean([rng.normal(size=99) for _ in folds], axis=0)
    assert independent.std() < 0.6  # what they would have been held against


def test_holm_by_hand_and_in_any_order():
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03])), [0.03, 0.06, 0.06])
    np.testing.assert_allclose(holm(np.array([0.6, 0.5])), [1.0, 1.0])
    # a later, larger p-value is never corrected to a smaller one
    np.testing.assert_allclose(holm(np.array([0.02, 0.021, 0.5])), [0.06, 0.06, 0.5])


def test_repeats_do_not_make_the_sample_larger():
    rng = np.random.default_rng(1)
    scores = rng.normal(0.2, 1, size=30)
    one = pd.DataFrame({"fold": "0", "compound_id": [f"c{i}" for i in range(30)], "mrr": scores})
    four = pd.concat([one.assign(fold=str(fold)) for fold in range(4)])
    single, repeated = (
        paired_test(table, table.assign(mrr=0.0), "mrr", np.random.default_rng(2)) for table in (one, four)
    )
    assert repeated == single
    assert repeated.n_compounds == 30
