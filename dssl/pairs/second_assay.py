"""Profiles of a second assay, one for each compound of the first."""

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd
from anndata import AnnData

from dssl import keys
from dssl.errors import PairingError, first_few

LOGGER = logging.getLogger(__name__)
N_SECOND_WELLS = "n_second_wells"
_FLAGS = (keys.QC_MISSING, keys.QC_DEAD)


@dataclass(frozen=True)
class SecondProfiles:
    """What the second assay gives.

    Attributes
    ----------
    features : AnnData
        Compounds of the first assay x features of the second; var["featurizer"] is "second_assay".
    excluded_wells : DataFrame
        well, plate, compound_id (as in the second assay's table), reason: wells of the second assay that are not used.
    without : DataFrame
        compound_id, reason: compounds of the first assay that have no second profile.
    """

    features: AnnData
    excluded_wells: pd.DataFrame
    without: pd.DataFrame


def second_profiles(
    wells: AnnData, aliases: pd.DataFrame, measured: pd.DataFrame, molecules: pd.DataFrame
) -> SecondProfiles:
    """Average the second assay's wells over the compounds of the first.

    Controls, flagged wells (qc_missing, qc_dead) and wells of compounds that the first assay has not are left out and
    listed. Compounds are the same where their InChIKey skeletons agree: stereoisomers share one second profile, and
    the split keeps them together, because it holds out skeletons. Missing values do not count in the mean.

    Parameters
    ----------
    wells : AnnData
        The second assay's normalised wells.
    aliases : DataFrame
        input_id and compound_id of the second assay's molecules.
    measured : DataFrame
        compound_id and skeleton of the second assay's molecules.
    molecules : DataFrame
        The first assay's molecules: compound_id, skeleton and further columns.

    Raises
    ------
    PairingError
        If the two assays share no compound.
    """
    compound = aliases.set_index("input_id")["compound_id"]
    skeletons = measured.set_index(keys.COMPOUND_ID)[keys.SKELETON]
    own = wells.obs[keys.COMPOUND_ID].astype(str).map(compound).map(skeletons)
    shared = set(molecules[keys.SKELETON])
    reasons = pd.Series("", index=wells.obs_names, dtype=object)
    reasons[(~own.isin(shared)).to_numpy()] = "its compound is not in the first assay"
    reasons[own.isna().to_numpy()] = "its compound has no structure"
    for flag in _FLAGS:
        reasons[wells.obs[flag].to_numpy(dtype=bool)] = flag
    reasons[wells.obs[keys.IS_CONTROL].to_numpy(dtype=bool)] = "control"
    used = np.flatnonzero((reasons == "").to_numpy())
    rows = {skeleton: used[places] for skeleton, places in own.iloc[used].groupby(own.iloc[used]).indices.items()}
    found = molecules[molecules[keys.SKELETON].isin(rows)].set_index(keys.COMPOUND_ID)
    if found.empty:
        raise PairingError(
            f"no compound of the first assay has a profile in the second: skeletons {first_few(molecules['skeleton'], 2)}"
            f" and {first_few(skeletons, 2)}\nCorrect molecules or second_assay.molecules (their SMILES decide)."
        )
    # all wells of a compound lack a feature: it stays missing, without a warning
    masked = np.ma.masked_invalid(np.asarray(wells.X, dtype=np.float64))
    means = np.stack([masked[rows[skeleton]].mean(axis=0).filled(np.nan) for skeleton in found[keys.SKELETON]])
    obs = found.assign(**{N_SECOND_WELLS: [len(rows[skeleton]) for skeleton in found[keys.SKELETON]]})
    obs.index = obs.index.astype(str)
    var = wells.var.assign(**{keys.FEATURIZER: keys.SECOND_ASSAY})
    without = molecules.loc[~molecules[keys.COMPOUND_ID].isin(found.index), [keys.COMPOUND_ID]]
    LOGGER.info("%d of %d compounds have a second profile, from %d wells", len(found), len(molecules), len(used))
    for reason, count in reasons[reasons != ""].value_counts().items():
        LOGGER.info("left out %d wells of the second assay: %s", count, reason)
    return SecondProfiles(
        AnnData(means.astype(np.float32), obs=obs, var=var),
        _excluded(wells.obs, reasons),
        without.assign(reason="no profile in the second assay").reset_index(drop=True),
    )


def _excluded(obs: pd.DataFrame, reasons: pd.Series) -> pd.DataFrame:
    left_out = (reasons != "").to_numpy()
    listed = obs.loc[left_out, [keys.WELL, keys.PLATE, keys.COMPOUND_ID]].astype(str).reset_index(drop=True)
    return listed.assign(reason=reasons[left_out].to_numpy())
