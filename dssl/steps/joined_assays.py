"""Three modalities of the same compounds in one MuData, preprocessed, and as training data."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from dssl import keys
from dssl.plan import ALL_COMPOUNDS, COMPLETE_COMPOUNDS
from dssl.settings.preparation import FitPreprocessingSettings, PairAndSplitSettings
from dssl.steps.arrays import inputs_mudata, numbered

if TYPE_CHECKING:
    from anndata import AnnData
    from mudata import MuData

    from dssl.preprocessing.molecule import MoleculeState
    from dssl.preprocessing.phenotype import PhenotypeState
    from dssl.training.multimodal import MultimodalData

MODALITIES = (keys.PHENOTYPE, keys.SECOND_ASSAY, keys.MOLECULE)


@dataclass(frozen=True)
class JoinedAssays:
    """What `join` makes.

    Attributes
    ----------
    mdata : MuData
        phenotype (wells), second_assay (compounds), molecule (all compounds; obs says which they are in).
    counts : DataFrame
        `dssl.pairs.assays.counted`.
    excluded_compounds : DataFrame
        compound_id, reason.
    """

    mdata: "MuData"
    counts: pd.DataFrame
    excluded_compounds: pd.DataFrame


def join(
    profiles: "AnnData",
    features: "AnnData",
    second: "AnnData",
    aliases: pd.DataFrame,
    both: pd.DataFrame,
    settings: PairAndSplitSettings,
) -> JoinedAssays:
    """Pair wells with molecules, keep the compounds that have one of the assays, and extend the folds to them.

    Parameters
    ----------
    profiles : AnnData
        Wells of the first assay.
    features : AnnData
        Molecular features of the compounds of either assay.
    second : AnnData
        Profiles of compounds in the second assay.
    aliases : DataFrame
        input_id of the wells and compound_id.
    both : DataFrame
        The compounds that have both, with their folds.
    settings : PairAndSplitSettings
        As they were split.
    """
    from anndata import AnnData

    from dssl.pairs.assays import counted, extend_folds
    from dssl.pairs.pairing import pair
    from dssl.pairs.storage import as_mudata, storable
    from dssl.steps.pairs import cluster_names

    wells = pair(profiles, features, aliases, settings).mdata[keys.PHENOTYPE]
    obs = features.obs.assign(
        **{
            keys.PHENOTYPE: features.obs_names.isin(wells.obs[keys.COMPOUND_ID].astype(str)),
            keys.SECOND_ASSAY: features.obs_names.isin(second.obs_names),
        }
    )
    used = (obs[keys.PHENOTYPE] | obs[keys.SECOND_ASSAY]).to_numpy(dtype=bool)
    molecules = features[used].copy()
    molecules.obs = obs[used]
    if settings.split == "cluster":
        molecules.obs[keys.CLUSTER] = cluster_names(molecules, settings.cluster_distance)
    folds = both[[name for name in map(str, both) if name.startswith(keys.fold_column(""))]]
    folds = folds.set_axis(folds.index.astype(str))
    molecules.obs = storable(molecules.obs.join(extend_folds(molecules.obs, folds, settings)))
    profiled = second[molecules.obs_names[molecules.obs[keys.SECOND_ASSAY]]]
    profiles_of_second = AnnData(profiled.X, obs=storable(molecules.obs.loc[profiled.obs_names]), var=profiled.var)
    left_out = pd.DataFrame({keys.COMPOUND_ID: features.obs_names[~used].astype(str)})
    return JoinedAssays(
        as_mudata(wells, molecules, profiles_of_second),
        counted(molecules.obs),
        left_out.assign(reason="no profile in either assay"),
    )


@dataclass(frozen=True)
class PreparedAssays:
    """Preprocessing fitted on a fold's training rows: `second` as a phenotype, and as descriptors for its kernel."""

    phenotype: "PhenotypeState"
    molecule: "MoleculeState"
    second: "PhenotypeState"
    second_as_descriptors: "MoleculeState"
    inputs: "MuData"


def prepare(mdata: "MuData", fold: str, settings: FitPreprocessingSettings) -> PreparedAssays:
    """Fit on the training rows of a fold and apply to all rows.

    The second assay's profiles, one for each compound, are preprocessed as the phenotype is, but for what needs
    replicates or batches.
    """
    from anndata import AnnData

    from dssl.pairs.rows import of_fold, rows_of_role
    from dssl.pairs.storage import as_mudata, storable
    from dssl.preprocessing.molecule import apply_molecule, fit_molecule
    from dssl.preprocessing.phenotype import apply_phenotype, fit_phenotype

    of_pairs = of_fold(mdata, fold)
    wells, molecules, second = of_pairs[keys.PHENOTYPE], of_pairs[keys.MOLECULE], mdata[keys.SECOND_ASSAY]
    train, names, second_names = rows_of_role(of_pairs, keys.TRAIN), list(wells.var_names), list(second.var_names)
    roles = molecules.obs[keys.SPLIT].astype(str).loc[second.obs_names]
    trained = (roles == keys.TRAIN).to_numpy()
    phenotype = fit_phenotype(wells.X[train.phenotype], names, settings.phenotype, wells.obs[train.phenotype])
    molecule = fit_molecule(molecules.X[train.molecule], molecules.var, settings.molecule)
    alone = {"harmony": None, "min_replicate_correlation": None, "max_replicate_std": None}
    as_phenotype = fit_phenotype(second.X[trained], second_names, settings.phenotype.model_copy(update=alone))
    as_descriptors = fit_molecule(sparse.csr_matrix(second.X[trained]), second.var, settings.molecule)
    inputs = inputs_mudata(
        of_pairs,
        apply_phenotype(phenotype, wells.X, names, wells.obs),
        apply_molecule(molecule, molecules.X, list(molecules.var_names)),
    )
    values = apply_phenotype(as_phenotype, second.X, second_names)
    obs = pd.DataFrame({keys.COMPOUND_ID: second.obs_names.astype(str), keys.SPLIT: roles.to_numpy()}, roles.index)
    prepared = AnnData(values, obs=storable(obs), var=numbered("second_component", values.shape[1]))
    return PreparedAssays(
        phenotype,
        molecule,
        as_phenotype,
        as_descriptors,
        as_mudata(inputs[keys.PHENOTYPE], inputs[keys.MOLECULE], prepared),
    )


def profiles_of(inputs: "MuData", modality: str, compounds: Sequence[str]) -> tuple[NDArray[np.float32], pd.DataFrame]:
    """Inputs (n, k) of one modality of the named compounds, wells being averaged, and the obs of the rows."""
    from dssl.pairs.levels import pool

    adata = inputs[modality]
    if modality == keys.PHENOTYPE:
        chosen = adata.obs[keys.COMPOUND_ID].astype(str).isin(set(compounds)).to_numpy()
        values, obs = pool(adata.X[chosen], adata.obs[chosen], "compound")
        order = obs.index.get_indexer(pd.Index(compounds))
        return values[order], obs.iloc[order]
    chosen = adata[list(compounds)]
    return np.asarray(chosen.X, dtype=np.float32), chosen.obs


def compounds_with(inputs: "MuData", modalities: Sequence[str], role: str | None = None) -> list[str]:
    """Compounds that have all of the modalities, in the order of the molecules; those of one role, or of any."""
    obs = inputs[keys.MOLECULE].obs
    chosen = np.ones(len(obs), dtype=bool) if role is None else (obs[keys.SPLIT].astype(str) == role).to_numpy()
    for modality in set(modalities) - {keys.MOLECULE}:
        chosen = chosen & obs[modality].to_numpy(dtype=bool)
    return list(obs.index[chosen].astype(str))


def multimodal_data(inputs: "MuData", subset: str, role: str) -> "MultimodalData":
    """Training data of one role.

    Parameters
    ----------
    inputs : MuData
        What `prepare` made.
    subset : str
        "all": all compounds and modalities; "complete": all modalities, of the compounds that have all; or the two
        modalities of a pair, of the compounds that have both.
    role : str
        train or validation.
    """
    from dssl.training.multimodal import MultimodalData

    modalities = MODALITIES if subset in (ALL_COMPOUNDS, COMPLETE_COMPOUNDS) else subset.split("-")
    rows = compounds_with(inputs, () if subset == ALL_COMPOUNDS else modalities, role)
    arrays = {}
    for modality in modalities:
        there = compounds_with(inputs, [modality] if subset == ALL_COMPOUNDS else modalities, role)
        values, _ = profiles_of(inputs, modality, there)
        arrays[modality] = np.full((len(rows), values.shape[1]), np.nan, dtype=np.float32)
        arrays[modality][pd.Index(rows).get_indexer(pd.Index(there))] = values
    return MultimodalData.from_arrays(arrays)
