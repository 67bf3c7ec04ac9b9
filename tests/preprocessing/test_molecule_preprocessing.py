import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.spatial.distance import pdist
from sklearn.decomposition import KernelPCA

from dssl.errors import TableError
from dssl.preprocessing.kernel_components import fit_kernel_components, median_distance
from dssl.preprocessing.molecule import apply_molecule, fit_molecule
from dssl.settings.preparation import MoleculePreprocessingSettings

LOG = MoleculePreprocessingSettings(transform="log_counts")
KERNEL = MoleculePreprocessingSettings(n_components=10)


def columns_of(features: sparse.csr_matrix, var: pd.DataFrame, featurizer: str) -> np.ndarray:
    return features.toarray()[:, (var["featurizer"] == featurizer).to_numpy()].astype(np.float64)


def standardised(train: np.ndarray, new: np.ndarray) -> np.ndarray:
    return np.clip((new - train.mean(axis=0)) / train.std(axis=0), -5, 5)


def slow_kernel(new, train, var) -> np.ndarray:
    """The averaged kernel, molecule by molecule."""
    descriptors = columns_of(train, var, "rdkit_descriptors")
    left = standardised(descriptors, columns_of(new, var, "rdkit_descriptors"))
    right = standardised(descriptors, descriptors)
    scale = np.median(pdist(right))
    kernel = np.zeros((new.shape[0], train.shape[0]))
    for i in range(new.shape[0]):
        for j in range(train.shape[0]):
            kernel[i, j] = np.exp(-((left[i] - right[j]) ** 2).sum() / (2 * scale**2))
            for block in ("morgan_count", "atom_pair_count"):
                a, b = columns_of(new[i], var, block)[0], columns_of(train[j], var, block)[0]
                both_empty = not a.any() and not b.any()
                kernel[i, j] += 1.0 if both_empty else np.minimum(a, b).sum() / np.maximum(a, b).sum()
    return kernel / 3


def test_kernel_components_are_sklearns_up_to_one_scalar(make_features):
    train, var = make_features(40)
    new, _ = make_features(15, seed=1)
    state = fit_molecule(train, var, KERNEL)
    oracle = KernelPCA(10, kernel="precomputed").fit(slow_kernel(train, train, var))
    truth_train = oracle.transform(slow_kernel(train, train, var))
    truth_new = oracle.transform(slow_kernel(new, train, var))
    found_train, found_new = (apply_molecule(state, part, var.index) for part in (train, new))
    scalar = np.sqrt((truth_train**2).mean())
    signs = np.sign((truth_train * found_train).sum(axis=0))
    np.testing.assert_allclose(found_train, truth_train * signs / scalar, atol=1e-4)
    np.testing.assert_allclose(found_new, truth_new * signs / scalar, atol=1e-4)
    assert found_new.dtype == np.float32
    assert (found_train**2).mean() == pytest.approx(1, rel=1e-5)


def test_inner_products_of_all_components_are_the_centred_kernel(make_features):
    train, var = make_features(30)
    inputs = apply_molecule(fit_molecule(train, var, MoleculePreprocessingSettings()), train, var.index)
    assert inputs.shape == (30, 29)  # centring takes one dimension
    kernel = slow_kernel(train, train, var)
    centring = np.eye(30) - 1 / 30
    centred = centring @ kernel @ centring
    products = inputs.astype(np.float64) @ inputs.T
    np.testing.assert_allclose(products / np.trace(products), centred / np.trace(centred), atol=1e-6)


def test_projection_of_training_molecules_is_what_was_fitted(make_features):
    train, var = make_features(40)
    state = fit_molecule(train, var, KERNEL)
    together = apply_molecule(state, train, var.index)
    one_by_one = np.vstack([apply_molecule(state, train[row], var.index) for row in range(40)])
    np.testing.assert_allclose(one_by_one, together, atol=1e-5)
    np.testing.assert_allclose(together.mean(axis=0), 0, atol=1e-5)
    orthogonal = together.T @ together
    np.testing.assert_allclose(orthogonal, np.diag(np.diag(orthogonal)), atol=1e-3)
    assert (np.diff(np.diag(orthogonal)) < 0).all()
    assert (together[np.abs(together).argmax(axis=0), np.arange(10)] > 0).all()


def test_long_libraries_are_projected_in_pieces(make_features, monkeypatch):
    train, var = make_features(20)
    state = fit_molecule(train, var, KERNEL)
    whole = apply_molecule(state, train, var.index)
    monkeypatch.setattr("dssl.preprocessing.kernel_components.ROWS_AT_ONCE", 7)
    np.testing.assert_allclose(apply_molecule(state, train, var.index), whole, atol=1e-5)


def test_repeated_molecules_give_no_component_of_rounding_errors(make_features):
    train, var = make_features(6)
    state = fit_molecule(sparse.vstack([train] * 5, format="csr"), var, MoleculePreprocessingSettings())
    assert apply_molecule(state, train, var.index).shape == (6, 5)


def test_counts_below_the_vocabulary_still_matter_to_the_kernel(make_features):
    train, var = make_features(20)
    state = fit_molecule(train, var, MoleculePreprocessingSettings(min_count=19))
    assert len(state.vocabulary) < 10
    plain = fit_molecule(train, var, MoleculePreprocessingSettings(min_count=1))
    np.testing.assert_array_equal(apply_molecule(state, train, var.index), apply_molecule(plain, train, var.index))


def test_log_counts(make_features):
    train, var = make_features(30)
    new, _ = make_features(10, seed=3)
    settings = LOG.model_copy(update={"min_count": 10})
    state = fit_molecule(train, var, settings)
    dense = pd.DataFrame(train.toarray(), columns=var.index)
    counts = dense.loc[:, (var["featurizer"] != "rdkit_descriptors").to_numpy()]
    vocabulary = [name for name in counts if (counts[name] > 0).sum() >= 10]
    assert 0 < len(vocabulary) < 50
    assert list(state.vocabulary) == vocabulary
    assert set(state.dropped["feature"]) == set(counts) - set(vocabulary)
    assert set(state.dropped["reason"]) == {"in fewer than 10 training molecules"}
    descriptors = columns_of(train, var, "rdkit_descriptors")
    truth = np.hstack(
        [
            np.log1p(pd.DataFrame(new.toarray(), columns=var.index)[vocabulary]),
            standardised(descriptors, columns_of(new, var, "rdkit_descriptors")),
        ]
    )
    np.testing.assert_allclose(apply_molecule(state, new, var.index), truth, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("transform", ["log_counts", "kernel_components"])
def test_one_kind_of_features_is_enough(make_features, transform):
    train, var = make_features(30)
    settings = MoleculePreprocessingSettings(transform=transform)
    is_descriptor = (var["featurizer"] == "rdkit_descriptors").to_numpy()
    only_descriptors = fit_molecule(train[:, is_descriptor], var[is_descriptor], settings)
    assert only_descriptors.vocabulary == ()
    inputs = apply_molecule(only_descriptors, train[:, is_descriptor], var.index[is_descriptor])
    assert inputs.shape == (30, 5 if transform == "log_counts" else 29)
    only_counts = fit_molecule(train[:, ~is_descriptor], var[~is_descriptor], settings)
    assert apply_molecule(only_counts, train[:, ~is_descriptor], var.index[~is_descriptor]).shape[0] == 30


@pytest.mark.parametrize("transform", ["log_counts", "kernel_components"])
def test_columns_are_found_by_name(make_features, transform):
    train, var = make_features(25)
    state = fit_molecule(train, var, MoleculePreprocessingSettings(transform=transform))
    order = np.random.default_rng(2).permutation(55)
    extra = sparse.hstack([train[:, order], sparse.csr_matrix(np.ones((25, 2), np.float32))], format="csr")
    names = [*var.index[order], "x", "y"]
    np.testing.assert_array_equal(apply_molecule(state, extra, names), apply_molecule(state, train, var.index))
    lacking = (var.index != "morgan_count:0") & (var.index != "rdkit_descriptors:d3")
    with pytest.raises(TableError, match="1 of .* are missing: morgan_count:0"):
        apply_molecule(state, train[:, lacking], var.index[lacking])
    with pytest.raises(TableError, match="molecule features: the matrix has 55 columns, but 3 names"):
        apply_molecule(state, train, ["a", "b", "c"])


def test_undefined_and_constant_descriptors(make_features):
    train, var = make_features(30)
    dense = train.toarray()
    undefined, constant = (var.index.get_loc(f"rdkit_descriptors:d{number}") for number in (1, 2))
    dense[[2, 5], undefined], dense[3, undefined], dense[:, constant] = np.nan, np.inf, 300.25
    state = fit_molecule(sparse.csr_matrix(dense), var, LOG)
    assert "rdkit_descriptors:d2" in set(state.dropped["feature"])
    inputs = apply_molecule(state, sparse.csr_matrix(dense), var.index)
    position = len(state.vocabulary) + state.scaling.names.index("rdkit_descriptors:d1")
    np.testing.assert_array_equal(inputs[[2, 3, 5], position], 0)
    present = np.delete(dense[:, undefined].astype(np.float64), [2, 3, 5])
    found = np.delete(inputs[:, position], [2, 3, 5])
    np.testing.assert_allclose(found, (present - present.mean()) / present.std(), rtol=1e-4, atol=1e-5)
    kernel_inputs = apply_molecule(
        fit_molecule(sparse.csr_matrix(dense), var, KERNEL), sparse.csr_matrix(dense), var.index
    )
    assert np.isfinite(kernel_inputs).all()


def test_descriptors_are_clipped(make_features):
    train, var = make_features(30)
    state = fit_molecule(train, var, LOG)
    far = train.toarray()
    far[0, var.index.get_loc("rdkit_descriptors:d0")] = 1e6
    inputs = apply_molecule(state, sparse.csr_matrix(far), var.index)
    assert inputs[0, len(state.vocabulary) + state.scaling.names.index("rdkit_descriptors:d0")] == 5


def test_molecules_that_do_not_differ(make_features):
    train, var = make_features(1)
    same = sparse.vstack([train] * 4, format="csr")
    with pytest.raises(TableError, match="4 training molecules all have the same features"):
        fit_molecule(same, var, KERNEL)
    with pytest.raises(TableError, match="none of the 55 molecular features varies or is in 5 training molecules"):
        fit_molecule(same, var, LOG.model_copy(update={"min_count": 5}))


def test_median_distance():
    random = np.random.default_rng(0)
    values = random.normal(size=(50, 4))
    slow = [np.linalg.norm(values[i] - values[j]) for i in range(50) for j in range(i)]
    assert median_distance(values) == pytest.approx(np.median(slow))
    assert median_distance(np.zeros((5, 3))) == 1.0
    assert median_distance(np.zeros((5, 0))) == 1.0
    many = random.normal(size=(5000, 4))
    assert median_distance(many) == pytest.approx(np.median(pdist(many)), rel=0.02)


def test_kernel_of_two_molecules_has_one_component():
    counts = sparse.csr_matrix(np.array([[1, 0], [0, 1]], dtype=np.float32))
    state = fit_kernel_components(counts, ["a", "a"], np.zeros((2, 0)), 300, 5000)
    # K' = [[.5, -.5], [-.5, .5]]: eigenvalue 1, training scores +-sqrt(.5), divided by their root mean square
    np.testing.assert_allclose(np.abs(state.projection[:, 0]), 1.0)
    np.testing.assert_allclose(state.column_mean, 0.5)
