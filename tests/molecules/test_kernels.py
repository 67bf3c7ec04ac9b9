"""Kernels against RDKit, the formula written out, and what makes a kernel a kernel."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator

from dssl.errors import DsslError
from dssl.molecules import kernels
from dssl.molecules.kernels import gaussian_kernel, tanimoto_count_kernel

COUNTS = arrays(np.float64, (6, 5), elements=st.sampled_from([0.0, 0.0, 1.0, 2.0, 3.5, 40.0]))


def slow_tanimoto(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    small, large = np.minimum(a[:, None], b[None]).sum(-1), np.maximum(a[:, None], b[None]).sum(-1)
    return np.where(large > 0, small / np.where(large > 0, large, 1), 1.0)


@given(COUNTS, COUNTS)
@settings(max_examples=60, deadline=None)
def test_tanimoto_equals_the_formula(a: np.ndarray, b: np.ndarray) -> None:
    fast = tanimoto_count_kernel(sp.csr_matrix(a), sp.csr_matrix(b))
    np.testing.assert_allclose(fast, slow_tanimoto(a, b), atol=1e-12)


@given(COUNTS)
@settings(max_examples=30, deadline=None)
def test_tanimoto_is_a_kernel(a: np.ndarray) -> None:
    kernel = tanimoto_count_kernel(sp.csr_matrix(a), sp.csr_matrix(a))
    np.testing.assert_array_equal(np.diag(kernel), 1.0)
    np.testing.assert_allclose(kernel, kernel.T, atol=1e-12)
    assert np.linalg.eigvalsh(kernel).min() > -1e-10


def test_tanimoto_equals_rdkit_on_count_fingerprints() -> None:
    smiles = ["CC(=O)Oc1ccccc1C(=O)O", "Cn1c(=O)c2c(ncn2C)n(C)c1=O", "CCO", "CCCCCCCCCCCCCCCC", "OCC(O)C(O)C(O)C(O)CO"]
    generator = rdFingerprintGenerator.GetAtomPairGenerator(fpSize=256)
    counts = [generator.GetCountFingerprint(Chem.MolFromSmiles(text)) for text in smiles]
    matrix = np.zeros((5, 256))
    for row, vector in enumerate(counts):
        for bit, count in vector.GetNonzeroElements().items():
            matrix[row, bit] = count
    expected = [[DataStructs.TanimotoSimilarity(x, y) for y in counts] for x in counts]
    fast = tanimoto_count_kernel(sp.csr_matrix(matrix, dtype=np.float32), sp.csr_matrix(matrix, dtype=np.float32))
    np.testing.assert_allclose(fast, expected, atol=1e-12)


def test_empty_rows_are_like_each_other_and_like_nothing_else() -> None:
    a = sp.csr_matrix(np.array([[0, 0], [1, 2]]))
    np.testing.assert_array_equal(tanimoto_count_kernel(a, a), np.eye(2))


def test_blocks_of_rows_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    a, b = (sp.csr_matrix(rng.poisson(0.5, (n, 30))) for n in (7, 11))
    whole = tanimoto_count_kernel(a, b)
    monkeypatch.setattr(kernels, "_BLOCK", 3)
    np.testing.assert_array_equal(tanimoto_count_kernel(a, b), whole)


def test_tanimoto_refuses_what_is_not_a_count() -> None:
    with pytest.raises(DsslError, match=r"1 are not: -1\.0"):
        tanimoto_count_kernel(sp.csr_matrix([[1.0, -1.0]]), sp.csr_matrix([[1.0, 0.0]]))
    with pytest.raises(DsslError, match="1 are not: nan"):
        tanimoto_count_kernel(sp.csr_matrix([[1.0, np.nan]]), sp.csr_matrix([[1.0, 0.0]]))
    with pytest.raises(DsslError, match="different lengths, 2, 3"):
        tanimoto_count_kernel(sp.csr_matrix((1, 2)), sp.csr_matrix((1, 3)))


def test_gaussian_equals_the_formula_far_from_the_origin() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(1e4, 1, (4, 3)), rng.normal(1e4, 1, (5, 3))
    expected = np.exp(-((a[:, None] - b[None]) ** 2).sum(-1) / (2 * 0.7**2))
    np.testing.assert_allclose(gaussian_kernel(a, b, 0.7), expected, rtol=1e-9)
    np.testing.assert_allclose(np.diag(gaussian_kernel(a, a, 0.7)), 1.0, rtol=1e-12)


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan")])
def test_gaussian_needs_a_positive_scale(scale: float) -> None:
    with pytest.raises(DsslError, match="scale must be positive"):
        gaussian_kernel(np.ones((1, 1)), np.ones((1, 1)), scale)
