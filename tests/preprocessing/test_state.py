import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from mudata import MuData
from safetensors.numpy import save_file
from scipy import sparse

from dssl.errors import IntegrityError
from dssl.pairs.rows import rows_of, training_rows
from dssl.pairs.storage import as_mudata
from dssl.preprocessing.molecule import apply_molecule, fit_molecule
from dssl.preprocessing.phenotype import apply_phenotype, fit_phenotype
from dssl.preprocessing.state import FORMAT, load_state, save_state
from dssl.settings.preparation import MoleculePreprocessingSettings, PhenotypePreprocessingSettings

METADATA = {"fold": "0", "version": "1.0", "seed": "3", "input": "β = 1"}
TRANSFORMS = ["kernel_components", "log_counts"]


def assert_same(one: object, other: object) -> None:
    """Compare two states field by field, arrays bit by bit."""
    if dataclasses.is_dataclass(one):
        assert type(one) is type(other)
        for field in dataclasses.fields(one):
            assert_same(getattr(one, field.name), getattr(other, field.name))
    elif isinstance(one, np.ndarray):
        assert (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    elif isinstance(one, sparse.csr_matrix):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one.toarray(), other.toarray())
    elif isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other)
    else:
        assert one == other


def screen(make_features) -> MuData:
    """Forty compounds, two wells each, one fold."""
    features, var = make_features(40)
    roles = ["train"] * 25 + ["validation"] * 5 + ["test"] * 10
    ids = [f"c{number:02d}" for number in range(40)]
    molecule = AnnData(features, obs=pd.DataFrame({"fold_0": roles}, index=ids), var=var)
    wells = pd.DataFrame({"compound_id": ids * 2}, index=[f"P:{number}" for number in range(80)])
    values = np.random.default_rng(5).normal(size=(80, 9)).astype(np.float32)
    phenotype = AnnData(values, obs=wells, var=pd.DataFrame(index=[f"f{number}" for number in range(9)]))
    return as_mudata(phenotype, molecule)


def fit_fold(mdata: MuData, transform: str):
    rows = training_rows(mdata, "0")
    phenotype, molecule = mdata["phenotype"], mdata["molecule"]
    return (
        fit_phenotype(phenotype.X[rows.phenotype], list(phenotype.var_names), PhenotypePreprocessingSettings()),
        fit_molecule(
            molecule.X[rows.molecule], molecule.var, MoleculePreprocessingSettings(transform=transform, min_count=6)
        ),
    )


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_round_trip(make_features, tmp_path, transform):
    mdata = screen(make_features)
    phenotype, molecule = fit_fold(mdata, transform)
    save_state(tmp_path / "fold" / "state.safetensors", phenotype, molecule, METADATA)
    back = load_state(tmp_path / "fold" / "state.safetensors")
    assert_same(back.phenotype, phenotype)
    assert_same(back.molecule, molecule)
    assert back.metadata == METADATA
    assert len(back.molecule.dropped) > 0
    values, names = mdata["phenotype"].X, list(mdata["phenotype"].var_names)
    np.testing.assert_array_equal(
        apply_phenotype(back.phenotype, values, names), apply_phenotype(phenotype, values, names)
    )
    features, names = mdata["molecule"].X, list(mdata["molecule"].var_names)
    np.testing.assert_array_equal(
        apply_molecule(back.molecule, features, names), apply_molecule(molecule, features, names)
    )


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_same_content_gives_the_same_bytes(make_features, tmp_path, transform):
    digests = set()
    for number in range(8):
        metadata = dict(sorted(METADATA.items(), reverse=bool(number % 2)))
        save_state(tmp_path / f"{number}.safetensors", *fit_fold(screen(make_features), transform), metadata)
        digests.add(hashlib.sha256((tmp_path / f"{number}.safetensors").read_bytes()).hexdigest())
    assert len(digests) == 1


@pytest.mark.parametrize("role", ["validation", "test"])
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_held_out_rows_leave_no_trace(make_features, tmp_path, transform, role):
    def bytes_of(mdata: MuData) -> bytes:
        save_state(tmp_path / "state.safetensors", *fit_fold(mdata, transform), {})
        return (tmp_path / "state.safetensors").read_bytes()

    def plant(role: str) -> MuData:
        mdata = screen(make_features)
        rows = rows_of(mdata, "0", role)
        mdata["phenotype"].X[rows.phenotype] = 1e30
        features = mdata["molecule"].X.toarray()
        features[rows.molecule] = 1e6
        mdata.mod["molecule"].X = sparse.csr_matrix(features)
        return mdata

    clean = bytes_of(screen(make_features))
    assert bytes_of(plant(role)) == clean
    spoiled = screen(make_features)
    spoiled["phenotype"].X[training_rows(spoiled, "0").phenotype.argmax()] = 50
    assert bytes_of(spoiled) != clean


def rewrite_version(path: Path, version: int) -> None:
    save_file({"a": np.zeros(1)}, path, metadata={FORMAT: json.dumps({"version": version})})


def test_unknown_files(tmp_path):
    path = tmp_path / "state.safetensors"
    with pytest.raises(IntegrityError, match="expected fitted preprocessing, cannot read it"):
        load_state(path)
    path.write_bytes(b"not safetensors at all")
    with pytest.raises(IntegrityError, match="expected fitted preprocessing, cannot read it"):
        load_state(path)
    save_file({"a": np.zeros(1)}, path)
    with pytest.raises(IntegrityError, match="found another safetensors file"):
        load_state(path)
    rewrite_version(path, 99)
    with pytest.raises(IntegrityError, match=r"expected version 1 of fitted preprocessing, found version 99"):
        load_state(path)
