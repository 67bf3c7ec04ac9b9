"""Standardised molecules -> a sparse matrix with named features. Nothing is fitted here."""

import logging

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp
from rdkit import Chem, rdBase

from dssl.errors import TableError, first_few
from dssl.keys import COMPOUND_ID, FEATURIZER, SMILES
from dssl.molecules.fingerprints import DESCRIPTORS, descriptors_chunk, fingerprint_block
from dssl.molecules.parallel import map_in_chunks
from dssl.settings.preparation import FeaturizeMoleculesSettings

logger = logging.getLogger(__name__)

UNDEFINED = "undefined_descriptors"


def featurize_molecules(molecules: pd.DataFrame, settings: FeaturizeMoleculesSettings, n_jobs: int = 1) -> ad.AnnData:
    """Compute the blocks of `settings.featurizers` and put them side by side.

    A descriptor that RDKit cannot compute for a molecule (no partial charges for its elements, say) is 0 there, so
    that the matrix stays sparse and finite; which, and for how many molecules, is logged and listed.

    Parameters
    ----------
    molecules : DataFrame
        Standardised molecules: compound_id, smiles, and further columns.
    settings : FeaturizeMoleculesSettings
        Blocks and their parameters.
    n_jobs : int
        Threads (fingerprints) and processes (descriptors); the result does not depend on it.

    Returns
    -------
    AnnData
        X : csr float32 (molecules x features); obs : `molecules` indexed by compound_id; var index
        "<featurizer>:<feature>", var["featurizer"]; uns["undefined_descriptors"] : DataFrame with columns descriptor,
        n_molecules, compound_ids (the first few), empty when every descriptor is defined.

    Raises
    ------
    TableError
        If ids repeat or a SMILES cannot be parsed: the table was not made by standardize_molecules.
    """
    parsed = _parse(molecules)
    blocks, names, kinds = [], [], []
    undefined = pd.DataFrame({"descriptor": [], "n_molecules": [], "compound_ids": []})
    for featurizer in settings.featurizers:
        if featurizer == "rdkit_descriptors":
            block, undefined = _descriptor_block(molecules, n_jobs)
            own = list(DESCRIPTORS)
        else:
            block, own = fingerprint_block(featurizer, parsed, settings, n_jobs)
        blocks.append(block)
        names += [f"{featurizer}:{name}" for name in own]
        kinds += [featurizer] * len(own)
    matrix = sp.hstack(blocks, format="csr", dtype=np.float32)
    logger.info("%d molecules x %d features, %.1f %% non-zero", *matrix.shape, 100 * matrix.nnz / np.prod(matrix.shape))
    return ad.AnnData(
        X=matrix,
        obs=molecules.set_index(COMPOUND_ID),
        var=pd.DataFrame({FEATURIZER: kinds}, index=pd.Index(names, name="feature")),
        uns={UNDEFINED: undefined},
    )


def _parse(molecules: pd.DataFrame) -> list[Chem.Mol]:
    repeated = molecules.loc[molecules[COMPOUND_ID].duplicated(), COMPOUND_ID]
    if len(repeated):
        raise TableError(
            f"featurize_molecules expects one row per compound_id; {len(repeated)} repeat: {first_few(repeated)}\n"
            "Run standardize_molecules on the table first."
        )
    with rdBase.BlockLogs():
        parsed = [Chem.MolFromSmiles(smiles) for smiles in molecules[SMILES]]
    failed = [name for name, molecule in zip(molecules[COMPOUND_ID], parsed, strict=True) if molecule is None]
    if failed:
        raise TableError(
            f"featurize_molecules expects valid SMILES; {len(failed)} cannot be parsed: {first_few(failed)}\n"
            "Run standardize_molecules on the table first."
        )
    return parsed


def _descriptor_block(molecules: pd.DataFrame, n_jobs: int) -> tuple[sp.csr_matrix, pd.DataFrame]:
    rows = map_in_chunks(descriptors_chunk, list(molecules[SMILES]), n_jobs, "descriptors")
    values = np.asarray(rows, dtype=np.float64).reshape(len(molecules), len(DESCRIPTORS))
    is_undefined = np.isnan(values)
    found = [
        (name, int(column.sum()), first_few(molecules.loc[column, COMPOUND_ID], 3))
        for name, column in zip(DESCRIPTORS, is_undefined.T, strict=True)
        if column.any()
    ]
    if found:
        logger.warning(
            "%d descriptor(s) are undefined for some of the molecules and 0 there: %s",
            len(found),
            first_few(f"{name} ({count})" for name, count, _ in found),
        )
    table = pd.DataFrame(found, columns=["descriptor", "n_molecules", "compound_ids"])
    return sp.csr_matrix(np.where(is_undefined, 0.0, values).astype(np.float32)), table
