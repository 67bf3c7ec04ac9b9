import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dssl.errors import PairingError
from dssl.training.data import TrainingData


@given(st.integers(2, 8), st.integers(0, 20), st.integers(0, 10_000))
def test_wells_are_sorted_and_pooled_by_compound(n_compounds: int, n_extra: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    compounds = rng.permutation(np.concatenate([np.arange(n_compounds), rng.integers(0, n_compounds, n_extra)]))
    wells, molecules = rng.normal(size=(len(compounds), 3)), rng.normal(size=(n_compounds, 2))
    data = TrainingData.from_arrays(wells, compounds, molecules)
    for compound in range(n_compounds):
        own = slice(int(data.first_well[compound]), int(data.first_well[compound] + data.n_wells[compound]))
        expected = wells[compounds == compound]
        assert np.allclose(data.phenotype[own].numpy(), expected, atol=1e-6)
        assert np.allclose(data.pooled[compound].numpy(), expected.mean(0), atol=1e-6)
        assert torch.equal(data.well_compound[own], torch.full((len(expected),), compound))
    assert data.input_sizes == (3, 2)
    assert data.n_compounds == n_compounds
    assert torch.equal(data.to(torch.device("cpu")).pooled, data.pooled)


@pytest.mark.parametrize(
    ("phenotype", "compounds", "molecule", "message"),
    [
        (np.ones((2, 3)), [0, 1, 1], np.ones((2, 2)), "one compound index per well"),
        (np.array([[1.0], [np.nan]]), [0, 1], np.ones((2, 2)), r"1 row\(s\) of phenotype hold missing .*rows 1"),
        (np.ones((2, 3)), [0, 1], np.array([[1.0], [np.inf]]), r"1 row\(s\) of molecule"),
        (np.ones((2, 3)), [0, 2], np.ones((2, 2)), r"outside 0\.\.1 \(wells 1\)"),
        (np.ones((2, 3)), [0.0, 1.0], np.ones((2, 2)), "must be integers"),
        (np.ones((2, 3)), [0, 0], np.ones((2, 2)), r"1 compound\(s\) have no well \(rows 1\)"),
        (np.ones((2, 3)), [0, 0], np.ones((1, 2)), "at least 2 compounds, found 1"),
    ],
)
def test_wrong_arrays_are_refused(phenotype, compounds, molecule, message: str) -> None:
    with pytest.raises(PairingError, match=message):
        TrainingData.from_arrays(phenotype, np.array(compounds), molecule)
