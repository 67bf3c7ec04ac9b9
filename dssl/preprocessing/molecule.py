"""Molecular features -> inputs: vocabulary, scaled descriptors, log counts or kernel components."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from dssl import keys
from dssl.errors import TableError
from dssl.preprocessing.columns import positions_by_name, require_columns
from dssl.preprocessing.descriptors import DescriptorScaling, fit_descriptors, scale_descriptors
from dssl.preprocessing.kernel_components import KernelComponents, fit_kernel_components, project
from dssl.preprocessing.selection import FEATURE, REASON
from dssl.settings.preparation import MoleculePreprocessingSettings

LOGGER = logging.getLogger(__name__)
# the featurizers whose values are real numbers; all others are counts or bits
REAL_VALUED = ("rdkit_descriptors", keys.SECOND_ASSAY)


@dataclass(frozen=True, eq=False)
class MoleculeState:
    """What was fitted on training molecules.

    Attributes
    ----------
    count_names : tuple of str
        Count and bit features that inputs are made of: all of them with kernel components, whose Tanimoto counts what
        no training molecule has, too; the vocabulary with log counts.
    vocabulary : tuple of str
        Count and bit features that enough training molecules have.
    scaling : DescriptorScaling
        Of the descriptors that vary.
    kernel : KernelComponents or None
        None with log counts.
    dropped : DataFrame
        Columns feature, reason: what is not in the vocabulary, and constant descriptors.
    """

    count_names: tuple[str, ...]
    vocabulary: tuple[str, ...]
    scaling: DescriptorScaling
    kernel: KernelComponents | None
    dropped: pd.DataFrame


def fit_molecule(
    features: sparse.csr_matrix, var: pd.DataFrame, settings: MoleculePreprocessingSettings
) -> MoleculeState:
    """Fit on training molecules only.

    Parameters
    ----------
    features : csr_matrix, shape (n, p)
        Training molecules.
    var : DataFrame
        Index: the p names; column `featurizer`.
    settings : MoleculePreprocessingSettings
        `log_counts`: log(1 + count) of the vocabulary, then standardised, clipped descriptors. `kernel_components`:
        see `fit_kernel_components`.

    Raises
    ------
    TableError
        If no feature tells the training molecules apart.
    """
    names = tuple(var.index.astype(str))
    require_columns(features.shape[1], names, "molecule")
    featurizers = var[keys.FEATURIZER].astype(str).to_numpy()
    is_count = ~np.isin(featurizers, REAL_VALUED)
    count_names = tuple(var.index[is_count].astype(str))
    counts, descriptors = _counts(features, names, count_names), _dense(features[:, np.flatnonzero(~is_count)])
    scaling, constant = fit_descriptors(descriptors, tuple(var.index[~is_count].astype(str)), settings.descriptor_clip)
    frequent = counts.getnnz(axis=0) >= settings.min_count
    vocabulary = tuple(np.asarray(count_names, dtype=object)[frequent])
    used_names = count_names if settings.transform == "kernel_components" else vocabulary
    if not used_names and not scaling.names:
        raise TableError(
            f"none of the {len(names)} molecular features varies or is in {settings.min_count} training molecules\n"
            "Lower fit_preprocessing.molecule.min_count, or choose other featurize_molecules.featurizers."
        )
    kernel = None
    if settings.transform == "kernel_components":
        scaled = scaled_descriptors(scaling, features, names)
        blocks = featurizers[is_count].tolist()
        kernel = fit_kernel_components(counts, blocks, scaled, settings.n_components, settings.max_landmarks)
        LOGGER.info(
            "molecules: %d kernel components of %d landmarks, of %d training molecules",
            kernel.projection.shape[1],
            kernel.counts.shape[0],
            counts.shape[0],
        )
    LOGGER.info("molecules: %d of %d counts, %d descriptors", len(vocabulary), len(count_names), len(scaling.names))
    return MoleculeState(
        count_names=used_names,
        vocabulary=vocabulary,
        scaling=scaling,
        kernel=kernel,
        dropped=_dropped(np.asarray(count_names, dtype=object)[~frequent], constant, settings.min_count),
    )


def apply_molecule(state: MoleculeState, features: sparse.csr_matrix, names: Sequence[str]) -> NDArray[np.float32]:
    """Give the model's molecule inputs of any molecules; shape (m, k).

    Raises
    ------
    TableError
        If a feature that is used is missing; other features and the order of columns do not matter.
    """
    require_columns(features.shape[1], names, "molecule")
    counts = _counts(features, names, state.count_names)
    descriptors = scaled_descriptors(state.scaling, features, names)
    if state.kernel is not None:
        return project(state.kernel, counts, descriptors).astype(np.float32)
    return np.hstack([np.log1p(_dense(counts)), descriptors]).astype(np.float32)


def _counts(features: sparse.csr_matrix, names: Sequence[str], wanted: Sequence[str]) -> sparse.csr_matrix:
    counts = sparse.csr_matrix(features[:, positions_by_name(wanted, names, "molecule")])
    counts.sum_duplicates()
    counts.eliminate_zeros()
    return counts


def scaled_descriptors(
    scaling: DescriptorScaling, features: sparse.csr_matrix, names: Sequence[str]
) -> NDArray[np.float64]:
    """Standardised descriptors (m, d) of any molecules; raises TableError if one of them is missing."""
    return scale_descriptors(scaling, _dense(features[:, positions_by_name(scaling.names, names, "molecule")]))


def _dense(features: sparse.csr_matrix) -> NDArray[np.float64]:
    return np.asarray(features.toarray(), dtype=np.float64)


def _dropped(rare: NDArray[np.object_], constant: Sequence[str], min_count: int) -> pd.DataFrame:
    rows = [(name, f"in fewer than {min_count} training molecules") for name in rare]
    rows += [(name, "constant over the training molecules") for name in constant]
    return pd.DataFrame(rows, columns=[FEATURE, REASON], dtype=object)
