"""Blocks of molecular features by name: hashed fingerprints, MACCS keys, RDKit descriptors."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse as sp
from rdkit import Chem, rdBase
from rdkit.Chem import Descriptors, rdFingerprintGenerator
from rdkit.Chem.EState.EState import MaxAbsEStateIndex, MaxEStateIndex, MinAbsEStateIndex, MinEStateIndex
from rdkit.Chem.rdMolDescriptors import GetMACCSKeysFingerprint
from threadpoolctl import threadpool_limits

from dssl.settings.preparation import FeaturizeMoleculesSettings, Featurizer

# without this RDKit computes the E-state indices of a molecule again for each of these four
_OF_ESTATES = {
    function.__name__: partial(function, force=False)
    for function in (MaxAbsEStateIndex, MaxEStateIndex, MinAbsEStateIndex, MinEStateIndex)
}
# Ipc grows exponentially with size (1e40 and more, beyond float32); AvgIpc, which is kept, is the same normalised
DESCRIPTORS: dict[str, Callable[[Chem.Mol], float]] = {
    name: _OF_ESTATES.get(name, function) for name, function in Descriptors.descList if name != "Ipc"
}
_LARGEST = float(np.finfo(np.float32).max)


def _morgan(settings: FeaturizeMoleculesSettings) -> Any:
    return rdFingerprintGenerator.GetMorganGenerator(radius=settings.radius, fpSize=settings.n_bits)


def _feature_morgan(settings: FeaturizeMoleculesSettings) -> Any:
    return rdFingerprintGenerator.GetMorganGenerator(
        radius=settings.radius,
        fpSize=settings.n_bits,
        atomInvariantsGenerator=rdFingerprintGenerator.GetMorganFeatureAtomInvGen(),
    )


def _atom_pair(settings: FeaturizeMoleculesSettings) -> Any:
    return rdFingerprintGenerator.GetAtomPairGenerator(fpSize=settings.n_bits)


def _topological_torsion(settings: FeaturizeMoleculesSettings) -> Any:
    return rdFingerprintGenerator.GetTopologicalTorsionGenerator(fpSize=settings.n_bits)


_COUNTED: dict[Featurizer, Callable[[FeaturizeMoleculesSettings], Any]] = {
    "morgan_count": _morgan,
    "feature_morgan_count": _feature_morgan,
    "atom_pair_count": _atom_pair,
    "topological_torsion_count": _topological_torsion,
}


def fingerprint_block(
    featurizer: Featurizer, molecules: Sequence[Chem.Mol], settings: FeaturizeMoleculesSettings, n_threads: int
) -> tuple[sp.csr_matrix, list[str]]:
    """Fingerprints of one kind: molecules x features (float32 counts or bits), and the features' names."""
    if featurizer == "maccs":
        bits = [dict.fromkeys(GetMACCSKeysFingerprint(molecule).GetOnBits(), 1) for molecule in molecules]
        return _rows_to_csr(bits, 167)[:, 1:], [str(key) for key in range(1, 167)]  # key 0 does not exist
    names = [str(bit) for bit in range(settings.n_bits)]
    if featurizer == "morgan_bit":
        vectors = _morgan(settings).GetFingerprints(molecules, numThreads=n_threads)
        return _rows_to_csr([dict.fromkeys(vector.GetOnBits(), 1) for vector in vectors], settings.n_bits), names
    counts = _COUNTED[featurizer](settings).GetCountFingerprints(molecules, numThreads=n_threads)
    return _rows_to_csr([vector.GetNonzeroElements() for vector in counts], settings.n_bits), names


def _rows_to_csr(rows: Sequence[dict[int, int]], n_columns: int) -> sp.csr_matrix:
    columns = [sorted(row) for row in rows]
    values = [row[column] for row, ordered in zip(rows, columns, strict=True) for column in ordered]
    starts = np.concatenate([[0], np.cumsum([len(ordered) for ordered in columns])])
    indices = [column for ordered in columns for column in ordered]
    return sp.csr_matrix((np.asarray(values, np.float32), indices, starts), shape=(len(rows), n_columns))


def descriptors_chunk(smiles: Sequence[str]) -> list[list[float]]:
    """Descriptors of each molecule, in the order of `DESCRIPTORS`; NaN where one is undefined or beyond float32.

    The matrix products behind some of them (AvgIpc, of molecules of a hundred atoms) run on one thread, since several add
    up in another order: the last digit would depend on the number of threads that a job was given.
    """
    with rdBase.BlockLogs(), threadpool_limits(1, user_api="blas"):
        return [_descriptors(Chem.MolFromSmiles(text)) for text in smiles]


def _descriptors(molecule: Chem.Mol) -> list[float]:
    values = []
    for function in DESCRIPTORS.values():
        try:
            value = float(function(molecule))
        except (ValueError, RuntimeError, ZeroDivisionError):  # e.g. no Gasteiger parameters for an element
            value = math.nan
        values.append(value if abs(value) <= _LARGEST else math.nan)
    return values
