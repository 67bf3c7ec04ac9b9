"""What held-out codes know, what of the profiles they explain, and how far they depend on each other."""

import logging
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl import keys
from dssl.errors import ConfigError
from dssl.settings.evaluation import EvaluateDisentanglementSettings

if TYPE_CHECKING:
    from anndata import AnnData
    from mudata import MuData

logger = logging.getLogger(__name__)

CODES = {"shared": keys.X_SHARED, "specific": keys.X_SPECIFIC}
IDENTIFIERS = {
    keys.COMPOUND_ID,
    keys.TREATMENT,
    keys.NAME,
    keys.SMILES,
    keys.INCHIKEY,
    keys.SKELETON,
    keys.SCAFFOLD,
    keys.GROUP,
    keys.CLUSTER,
    keys.ORIGINAL_ID,
    keys.SPLIT,
    keys.IS_CONTROL,
    keys.N_WELLS,
    "n_inputs",
    *keys.QC_FLAGS,
}
# profiles are clipped at so many robust standard deviations of training wells before their variance is split
CLIP = 10.0
WELL_COLUMNS = (keys.PLATE, keys.BATCH, keys.CELL_COUNT, "well_row", "well_column")


def held_out(adata: "AnnData") -> "AnnData":
    """Rows of test compounds."""
    return adata[(adata.obs[keys.SPLIT].astype(str) == keys.TEST).to_numpy()]


def probe_codes(
    levels: dict[str, "AnnData"],
    extra: dict[str, pd.DataFrame | None],
    settings: EvaluateDisentanglementSettings,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Probe held-out codes: what varies between wells from wells, what belongs to a compound from compounds.

    Parameters
    ----------
    levels : embeddings "well", "compound" (pooled phenotypes) and "molecule".
    extra : further columns of wells (by plate and well) and of compounds (by compound_id), or None.
    settings : columns to probe, permutations.
    rng : draws folds and permutations.

    Returns
    -------
    DataFrame
        `dssl.evaluation.probes.PROBE_COLUMNS` and level; codes are named "<shared|specific>_<phenotype|molecule>".

    Raises
    ------
    ConfigError
        If `probe_columns` names a column that neither wells nor compounds have.
    """
    from dssl.evaluation.probes import probe_table

    wells, compounds = held_out(levels["well"]), held_out(levels["compound"])
    compound_obs = _with_extra(compounds.obs, extra["compound"], [keys.COMPOUND_ID])
    well_obs = _with_extra(_with_position(wells.obs), extra["well"], [keys.PLATE, keys.WELL])
    _check_known(settings.probe_columns, {*compound_obs.columns, *well_obs.columns})
    found = []
    for level, obs, codes in (
        ("compound", compound_obs, _compound_codes(levels)),
        ("well", well_obs, _codes(wells, keys.PHENOTYPE)),
    ):
        columns = _columns(obs, level, settings)
        groups = obs[keys.COMPOUND_ID].astype(str).to_numpy()
        found.append(probe_table(codes, obs, columns, groups, settings, rng).assign(level=level))
    return pd.concat(found, ignore_index=True)


def measure_dependence(
    levels: dict[str, "AnnData"],
    means: dict[str, "AnnData"],
    settings: EvaluateDisentanglementSettings,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Dependence between drawn codes of held-out compounds, and the participation ratio of every code's means."""
    from dssl.evaluation.dependence import dependence_table, participation_ratio

    codes, mean_codes = _compound_codes(levels), _compound_codes(means)
    pairs = [
        ("shared_phenotype", "shared_molecule"),
        ("specific_phenotype", "shared_phenotype"),
        ("specific_molecule", "shared_molecule"),
        ("specific_phenotype", "shared_molecule"),
        ("specific_molecule", "shared_phenotype"),
        ("specific_phenotype", "specific_molecule"),
    ]
    tables = [
        dependence_table(codes[a], codes[b], settings.n_permutations, rng).assign(code_a=a, code_b=b) for a, b in pairs
    ]
    ratios = pd.DataFrame(
        {"code_a": name, "code_b": name, "measure": "participation_ratio", "value": participation_ratio(values)}
        for name, values in mean_codes.items()
    )
    n_rows = len(next(iter(codes.values())))
    return pd.concat([*tables, ratios.assign(n_rows=n_rows)], ignore_index=True)


def measure_leakage(
    levels: dict[str, "AnnData"], fold: str, settings: EvaluateDisentanglementSettings, rng: np.random.Generator
) -> pd.DataFrame:
    """Retrieval across modalities by shared and by specific codes: see `dssl.evaluation.leakage`."""
    from dssl.evaluation.leakage import ROLES, RoleCodes, leakage_table

    compounds = levels["compound"]
    ids = compounds.obs[keys.COMPOUND_ID].astype(str).to_numpy()
    molecules = levels["molecule"][ids]
    rows = {role: (compounds.obs[keys.SPLIT].astype(str) == role).to_numpy() for role in ROLES}
    codes = {
        name: {
            role: RoleCodes(compounds.obsm[key][chosen], molecules.obsm[key][chosen]) for role, chosen in rows.items()
        }
        for name, key in CODES.items()
    }
    return leakage_table(codes, list(ids[rows[keys.TEST]]), fold, settings.n_permutations, rng)


def attribute_profiles(pairs: "MuData", compounds: "AnnData", fold: str, rng: np.random.Generator) -> pd.DataFrame:
    """Split the variance of every feature of held-out compounds' pooled profiles among the phenotype's codes.

    The features are those of the paired profiles, before selection and components: missing values become the median
    of training wells, and values are clipped at `CLIP` robust standard deviations about it.

    Parameters
    ----------
    compounds : embedding of pooled phenotypes.

    Returns
    -------
    DataFrame
        `dssl.evaluation.attribution.attribute_features`, feature, fold, and the columns of the profiles' var. Without
        values where fewer than five compounds are held out.
    """
    from dssl.evaluation.attribution import CHANCE, PARTS, R2, attribute_features
    from dssl.evaluation.linear_probe import N_OUTER
    from dssl.pairs.levels import pool
    from dssl.pairs.rows import of_fold, rows_of_role

    fold_pairs, tested = of_fold(pairs, fold), held_out(compounds)
    wells = fold_pairs[keys.PHENOTYPE]
    profiles, obs = pool(tamed(wells.X, rows_of_role(fold_pairs, keys.TRAIN).phenotype), wells.obs, "compound")
    ids = tested.obs[keys.COMPOUND_ID].astype(str).to_numpy()
    if len(ids) < N_OUTER:
        logger.warning("attribution: %d compounds are held out, %d are needed; left empty", len(ids), N_OUTER)
        table = pd.DataFrame(np.nan, index=range(wells.n_vars), columns=[*PARTS, *R2, *CHANCE])
    else:
        rows = profiles[obs.index.get_indexer(ids)]
        table = attribute_features(rows, tested.obsm[keys.X_SHARED], tested.obsm[keys.X_SPECIFIC], ids, rng)
    named = pd.DataFrame({"feature": wells.var_names.to_numpy(), "fold": fold})
    attributed: pd.DataFrame = pd.concat([named, table, wells.var.reset_index(drop=True)], axis=1)
    return attributed


def tamed(values: NDArray[np.float32], training: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Missing values filled, extreme ones clipped: by medians and MADs of training wells; all missing: 0."""
    known = np.where(np.isfinite(values), values, np.nan)
    empty = np.isnan(known[training]).all(axis=0)
    known[:, empty] = 0
    median = np.nanmedian(known[training], axis=0)
    bound = CLIP * 1.4826 * np.nanmedian(np.abs(known[training] - median), axis=0)
    bound[bound == 0] = np.inf
    filled = np.where(np.isnan(known), median, known)
    return np.asarray(np.clip(filled, median - bound, median + bound), dtype=np.float32)


def _check_known(columns: list[str] | None, available: set[str]) -> None:
    unknown = [column for column in columns or [] if column not in available]
    if unknown:
        raise ConfigError(
            f"evaluate_disentanglement.probe_columns: no column {', '.join(map(repr, unknown))}; there are "
            f"{', '.join(sorted(available))}\n"
            "Correct the name, keep the column (molecules.keep, plates.columns.keep), or name its table in probe_tables."
        )


def _compound_codes(levels: dict[str, "AnnData"]) -> dict[str, NDArray[np.float32]]:
    """Every code of the held-out compounds, rows in the same order."""
    compounds = held_out(levels["compound"])
    molecules = held_out(levels["molecule"])[compounds.obs[keys.COMPOUND_ID].astype(str).to_numpy()]
    return _codes(compounds, keys.PHENOTYPE) | _codes(molecules, keys.MOLECULE)


def _codes(adata: "AnnData", modality: str) -> dict[str, NDArray[np.float32]]:
    return {f"{name}_{modality}": np.asarray(adata.obsm[key]) for name, key in CODES.items()}


def _with_extra(obs: pd.DataFrame, table: pd.DataFrame | None, by: list[str]) -> pd.DataFrame:
    if table is None:
        return obs
    known = obs.reset_index(drop=True)
    for column in by:
        known[column] = known[column].astype(str)
    new = [*by, *(column for column in table.columns if column not in obs.columns)]
    return known.merge(table[new].drop_duplicates(by), on=by, how="left").set_axis(obs.index, axis=0)


def _with_position(obs: pd.DataFrame) -> pd.DataFrame:
    """Row and column of wells named like A01, as numbers; other names leave them missing."""
    position = obs[keys.WELL].astype(str).str.extract(r"^([A-Z]{1,2})0*(\d+)$")
    rows = position[0].map(lambda text: sum((ord(c) - 64) * 26**i for i, c in enumerate(reversed(text))), "ignore")
    return obs.assign(well_row=rows.astype(float), well_column=position[1].astype(float))


def _columns(obs: pd.DataFrame, level: str, settings: EvaluateDisentanglementSettings) -> list[str]:
    """Columns probed at a level: what differs between a compound's wells at the well level, the others once, pooled."""
    if settings.probe_columns is not None:
        candidates = [column for column in settings.probe_columns if column in obs.columns]
    else:
        candidates = [column for column in obs.columns if column not in IDENTIFIERS and column != keys.WELL]
    if level == "compound":
        return [column for column in candidates if column not in WELL_COLUMNS]
    varying = obs.groupby(obs[keys.COMPOUND_ID].astype(str))[candidates].nunique(dropna=False).gt(1).any()
    return [column for column in candidates if varying[column]]
