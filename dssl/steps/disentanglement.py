"""What held-out codes know, and how far they depend on each other."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl import keys
from dssl.settings.evaluation import EvaluateDisentanglementSettings

if TYPE_CHECKING:
    from anndata import AnnData

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
    keys.SPLIT,
    keys.IS_CONTROL,
    keys.N_WELLS,
    "n_inputs",
    *keys.QC_FLAGS,
}
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
    """
    from dssl.evaluation.probes import probe_table

    wells, compounds = held_out(levels["well"]), held_out(levels["compound"])
    compound_obs = _with_extra(compounds.obs, extra["compound"], [keys.COMPOUND_ID])
    well_obs = _with_extra(_with_position(wells.obs), extra["well"], [keys.PLATE, keys.WELL])
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
