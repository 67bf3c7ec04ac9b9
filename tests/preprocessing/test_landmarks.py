"""Kernel components of many molecules: those of evenly spaced landmarks, and Nystroem's formula for all others."""

import logging
import subprocess
import sys

import numpy as np
import pytest
from scipy import sparse
from scipy.spatial.distance import cdist, pdist

from dssl.errors import TableError
from dssl.preprocessing.kernel_components import evenly_spaced
from dssl.preprocessing.molecule import apply_molecule, fit_molecule
from dssl.settings.preparation import MoleculePreprocessingSettings

MEASURED = """
import resource, sys
import numpy as np, pandas as pd
from scipy import sparse
from dssl.preprocessing.molecule import apply_molecule, fit_molecule
from dssl.settings.preparation import MoleculePreprocessingSettings

def measure(n, landmarks):
    rng = np.random.default_rng(0)
    blocks = ["morgan_count", "atom_pair_count"]
    names = [f"{block}:{bit}" for block in blocks for bit in range(512)]
    var = pd.DataFrame({"featurizer": np.repeat(blocks, 512)}, index=names)
    counts = sparse.random(n, len(names), 0.02, "csr", np.float32, rng, lambda k: rng.integers(1, 4, k))
    state = fit_molecule(counts, var, MoleculePreprocessingSettings(max_landmarks=landmarks))
    assert apply_molecule(state, counts, names).shape == (n, min(300, landmarks - 1))

measure(500, 100)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
measure(int(sys.argv[1]), int(sys.argv[2]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def plain_kernel(left, right, training, var) -> np.ndarray:
    """The averaged kernel from dense arrays; lengths and scales are those of all training molecules."""
    dense = [part.toarray().astype(np.float64) for part in (left, right, training)]
    of = {name: (var["featurizer"] == name).to_numpy() for name in var["featurizer"].unique()}
    chosen = of.pop("rdkit_descriptors")
    mean, std = dense[2][:, chosen].mean(axis=0), dense[2][:, chosen].std(axis=0)
    a, b, scaled = (np.clip((part[:, chosen] - mean) / std, -5, 5) for part in dense)
    kernels = [np.exp(-(cdist(a, b) ** 2) / (2 * np.median(pdist(scaled)) ** 2))]
    for columns in of.values():
        a, b = dense[0][:, None, columns], dense[1][None][:, :, columns]
        kernels.append(np.minimum(a, b).sum(axis=2) / np.maximum(a, b).sum(axis=2))
    return np.mean(kernels, axis=0)


def test_inner_products_are_nystroems_approximation_of_the_centred_kernel(make_features):
    train, var = make_features(60)
    new, _ = make_features(20, seed=1)
    every = sparse.vstack([train, new], format="csr")
    state = fit_molecule(train, var, MoleculePreprocessingSettings(max_landmarks=15))
    inputs = apply_molecule(state, every, var.index).astype(np.float64)
    assert inputs.shape == (80, 14)  # centring takes one dimension
    landmarks = train[np.floor(np.arange(15) * 59 / 14).astype(int)]
    among = plain_kernel(landmarks, landmarks, train, var)
    across = plain_kernel(every, landmarks, train, var)
    centred = across - across.mean(axis=1, keepdims=True) - among.mean(axis=0) + among.mean()
    among = among - among.mean(axis=0) - among.mean(axis=1, keepdims=True) + among.mean()
    truth = centred @ np.linalg.pinv(among, hermitian=True) @ centred.T
    scalar = np.trace(among) / (15 * 14)  # the landmarks' scores, 14 each, have a mean square of 1
    np.testing.assert_allclose(inputs @ inputs.T, truth / scalar, atol=1e-4)


@pytest.mark.parametrize("max_landmarks", [30, 31])
def test_with_as_few_molecules_as_landmarks_nothing_changes(make_features, max_landmarks):
    train, var = make_features(30)
    default = fit_molecule(train, var, MoleculePreprocessingSettings()).kernel
    found = fit_molecule(train, var, MoleculePreprocessingSettings(max_landmarks=max_landmarks)).kernel
    assert found.projection.tobytes() == default.projection.tobytes()
    assert found.column_mean.tobytes() == default.column_mean.tobytes()
    assert found.counts.shape[0] == 30


def test_more_landmarks_come_nearer_to_the_kernel(make_features):
    train, var = make_features(60)
    whole = plain_kernel(train, train, train, var)
    errors = []
    for max_landmarks in (10, 30, 50, 60):
        settings = MoleculePreprocessingSettings(max_landmarks=max_landmarks)
        inputs = apply_molecule(fit_molecule(train, var, settings), train, var.index).astype(np.float64)
        inputs -= inputs.mean(axis=0)
        centred = whole - whole.mean(axis=0) - whole.mean(axis=1, keepdims=True) + whole.mean()
        products = inputs @ inputs.T
        errors.append(np.linalg.norm(centred / np.trace(centred) - products / np.trace(products)))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-6


def test_the_state_holds_the_landmarks_alone_and_the_log_says_how_many(make_features, caplog):
    train, var = make_features(60)
    with caplog.at_level(logging.INFO):
        state = fit_molecule(train, var, MoleculePreprocessingSettings(max_landmarks=15))
    assert state.kernel.counts.shape[0] == len(state.kernel.descriptors) == len(state.kernel.column_mean) == 15
    assert "14 kernel components of 15 landmarks, of 60 training molecules" in caplog.text
    assert state.vocabulary == fit_molecule(train, var, MoleculePreprocessingSettings()).vocabulary


def test_landmarks_that_do_not_differ(make_features):
    train, var = make_features(3)
    mixed = sparse.vstack([train[0], train[1], train[2], train[0]], format="csr")
    with pytest.raises(TableError, match="the 2 training molecules that were taken as landmarks from 4 all have the"):
        fit_molecule(mixed, var, MoleculePreprocessingSettings(max_landmarks=2))


def test_evenly_spaced_rows():
    assert evenly_spaced(4, 9).tolist() == [0, 1, 2, 3]
    assert evenly_spaced(9, 3).tolist() == [0, 4, 8]
    assert len(set(evenly_spaced(5001, 5000).tolist())) == 5000
    assert evenly_spaced(0, 3).tolist() == []


def test_memory_does_not_grow_with_the_square_of_the_molecules() -> None:
    n, landmarks = 12_000, 500
    command = [sys.executable, "-c", MEASURED, str(n), str(landmarks)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    unit = 1 if sys.platform == "darwin" else 1024
    matrix = 8 * n * n
    assert int(done.stdout) * unit < matrix / 4
