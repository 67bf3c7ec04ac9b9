"""Paired inputs as tensors: compounds, their wells, and both in the order that views need."""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from dssl.errors import PairingError, first_few


@dataclass(frozen=True)
class TrainingData:
    """Preprocessed inputs of the compounds of one split. Made by `from_arrays`, which sorts the wells by compound.

    Attributes
    ----------
    phenotype : Tensor, (n_wells, k1)
        Profiles of wells; those of one compound are contiguous.
    well_compound : Tensor of int64, (n_wells,)
        Row of `molecule` that each well belongs to, ascending.
    molecule : Tensor, (n_compounds, k2)
        Molecular inputs.
    first_well, n_wells : Tensor of int64, (n_compounds,)
        Where each compound's wells begin in `phenotype`, and how many there are.
    pooled : Tensor, (n_compounds, k1)
        Mean profile of each compound's wells.
    """

    phenotype: Tensor
    well_compound: Tensor
    molecule: Tensor
    first_well: Tensor
    n_wells: Tensor
    pooled: Tensor

    @classmethod
    def from_arrays(cls, phenotype: ArrayLike, well_compound: ArrayLike, molecule: ArrayLike) -> Self:
        """Check, sort and convert to tensors (float32).

        Parameters
        ----------
        phenotype : array, (n_wells, k1)
        well_compound : array of int, (n_wells,)
            Row of `molecule` of each well.
        molecule : array, (n_compounds, k2)

        Raises
        ------
        PairingError
            If shapes disagree, a value is missing, an index is out of range, or a compound has no well.
        """
        profiles, molecules = np.asarray(phenotype, dtype=np.float32), np.asarray(molecule, dtype=np.float32)
        compounds = np.asarray(well_compound)
        _check(profiles, compounds, molecules)
        order = np.argsort(compounds, kind="stable")
        profiles, compounds = profiles[order], compounds[order].astype(np.int64)
        counts = np.bincount(compounds, minlength=len(molecules))
        first = np.concatenate([[0], np.cumsum(counts)[:-1]])
        pooled = np.add.reduceat(profiles, first, axis=0, dtype=np.float64) / counts[:, None]
        arrays = (profiles, compounds, molecules, first, counts, pooled.astype(np.float32))
        return cls(*(torch.from_numpy(np.array(array)) for array in arrays))

    @property
    def n_compounds(self) -> int:
        """Number of compounds."""
        return len(self.molecule)

    @property
    def input_sizes(self) -> tuple[int, int]:
        """Numbers of inputs: phenotype, molecule."""
        return self.phenotype.shape[1], self.molecule.shape[1]

    def to(self, device: torch.device) -> Self:
        """The same data on a device."""
        return type(self)(*(getattr(self, field.name).to(device) for field in fields(self)))


def _check(phenotype: np.ndarray, well_compound: np.ndarray, molecule: np.ndarray) -> None:
    if phenotype.ndim != 2 or molecule.ndim != 2 or well_compound.shape != (len(phenotype),):
        raise PairingError(
            "training data: expected phenotype (wells x features), one compound index per well and molecule "
            f"(compounds x features), found shapes {phenotype.shape}, {well_compound.shape} and {molecule.shape}"
        )
    for name, array in (("phenotype", phenotype), ("molecule", molecule)):
        bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
        if len(bad):
            raise PairingError(
                f"training data: {len(bad)} row(s) of {name} hold missing or infinite values (rows {first_few(bad)})\n"
                "Preprocessing should have filled them: check fit_preprocessing."
            )
    if len(molecule) < 2:
        raise PairingError(f"training data: expected at least 2 compounds, found {len(molecule)}; use fewer folds")
    if not np.issubdtype(well_compound.dtype, np.integer):
        raise PairingError(f"training data: compound indices must be integers, found {well_compound.dtype}")
    outside = np.flatnonzero((well_compound < 0) | (well_compound >= len(molecule)))
    if len(outside):
        raise PairingError(
            f"training data: {len(outside)} well(s) refer to a compound outside 0..{len(molecule) - 1} "
            f"(wells {first_few(outside)})"
        )
    without = np.setdiff1d(np.arange(len(molecule)), well_compound)
    if len(without):
        raise PairingError(
            f"training data: {len(without)} compound(s) have no well (rows {first_few(without)})\n"
            "Leave them out of the molecules, or add their wells."
        )
