"""What the profiles themselves tell: which compounds are active, and what choices of preprocessing would change."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dssl import keys
from dssl.errors import ConfigError, TableError, first_few
from dssl.io import atomic_path, read_anndata, read_table, write_table
from dssl.settings.inputs import PlateTableSettings
from dssl.settings.preparation import (
    AssembleProfilesSettings,
    FitPreprocessingSettings,
    NormalizePlateSettings,
    PairAndSplitSettings,
)
from dssl.settings.quality import CallActivitySettings, ComparePreprocessingSettings
from dssl.steps.arrays import read_pairs
from dssl.steps.lists import QUALITY, TABLE, listed
from dssl.steps.phenotypes import read_profiles
from dssl.steps.registry import Input, Inputs, OptionalInput, OptionalInputs, Output, step

if TYPE_CHECKING:
    from anndata import AnnData

FOLD = "0"  # whose test compounds the comparison leaves alone


@step
def call_activity(*, settings: CallActivitySettings, profiles: Input, aliases: Input, activity: Output) -> None:
    """Call compounds active whose replicates find one another before the controls; list why others are not called."""
    from dssl.phenotypes.activity import call_activity as call

    wells = read_anndata(profiles)
    names = read_table(aliases, text_columns=["input_id", keys.COMPOUND_ID])
    write_table(activity, call(wells, mapped_compounds(wells.obs, names), settings))


@step
def compare_preprocessing(
    *,
    settings: ComparePreprocessingSettings,
    normalize: NormalizePlateSettings,
    assemble: AssembleProfilesSettings,
    split: PairAndSplitSettings,
    fit: FitPreprocessingSettings,
    columns: PlateTableSettings,
    plate_list: OptionalInput,
    metadata: OptionalInputs,
    plates: Inputs,
    profiles: Input,
    pairs: Input,
    aliases: Input,
    comparison: Output,
    figure: Output,
) -> None:
    """Compare choices of preprocessing on compounds outside the test fold 0: replicates, mechanisms, batches."""
    from dssl.phenotypes.normalize import normalize_plates
    from dssl.preprocessing.choices import Choice, choices_of
    from dssl.preprocessing.comparison import compare_choices, draw_compounds
    from dssl.report.preprocessing import comparison_svg

    choices = choices_of(Choice(normalize, assemble, split, fit.phenotype), settings.choices)
    obs = read_anndata(profiles).obs
    names = read_table(aliases, text_columns=["input_id", keys.COMPOUND_ID])
    compounds = _outside_the_test_fold(pairs, settings.mechanism)
    wells = obs.assign(**{keys.COMPOUND_ID: mapped_compounds(obs, names)})[~obs[keys.IS_CONTROL].astype(bool)]
    drawn = draw_compounds(wells[wells[keys.COMPOUND_ID].isin(compounds.index)], settings)
    wanted_plates = set(wells.loc[wells[keys.COMPOUND_ID].isin(drawn), keys.PLATE].astype(str))
    normalized: dict[NormalizePlateSettings, list[AnnData]] = {each.normalize_plate: [] for each in choices.values()}
    refused: dict[NormalizePlateSettings, str] = {}
    for table, quality in zip(listed(plates, TABLE), listed(plates, QUALITY), strict=True):
        if wanted_plates.isdisjoint(read_table(quality, text_columns=[keys.PLATE])[keys.PLATE]):
            continue
        raw = read_profiles(table, columns, plate_list, metadata or [])
        for how in normalized.keys() - refused.keys():
            try:
                normalized[how].append(_chosen_wells(normalize_plates(raw, how), names, wanted_plates, set(drawn)))
            except TableError as error:
                refused[how] = str(error)
    by_choice = {name: normalized[choice.normalize_plate] for name, choice in choices.items()}
    reasons = {name: refused[each.normalize_plate] for name, each in choices.items() if each.normalize_plate in refused}
    table_of_choices = compare_choices(by_choice, choices, compounds.loc[drawn], settings, reasons)
    write_table(comparison, table_of_choices)
    with atomic_path(figure) as temporary:
        temporary.write_bytes(comparison_svg(table_of_choices))


def _outside_the_test_fold(pairs: Path, mechanism: str | None) -> pd.DataFrame:
    """Group and mechanism of the compounds that fold 0 does not test."""
    from dssl.preprocessing.comparison import GROUP, MECHANISM_COLUMN

    molecules = read_pairs(pairs)[keys.MOLECULE].obs
    if mechanism is not None and mechanism not in molecules:
        raise ConfigError(
            f"compare_preprocessing.mechanism: the molecules have no column {mechanism!r}; they have"
            f" {first_few(molecules.columns, 12)}\nKeep it with molecules.keep, or set compare_preprocessing.mechanism: null."
        )
    known = "" if mechanism is None else molecules[mechanism].astype(object).where(molecules[mechanism].notna(), "")
    described = pd.DataFrame({GROUP: molecules[keys.GROUP].astype(str), MECHANISM_COLUMN: known}, molecules.index)
    outside: pd.DataFrame = described[molecules[keys.fold_column(FOLD)].astype(str) != keys.TEST]
    return outside


def _chosen_wells(plate: "AnnData", aliases: pd.DataFrame, plates: set[str], compounds: set[str]) -> "AnnData":
    """Controls, and wells of the drawn compounds, on the wanted plates."""
    from dssl.pairs.pairing import treatments_of

    obs = plate.obs.assign(**{keys.COMPOUND_ID: mapped_compounds(plate.obs, aliases)})
    obs[keys.TREATMENT] = treatments_of(obs[keys.COMPOUND_ID], obs[keys.DOSE_UM])
    wanted = obs[keys.IS_CONTROL].to_numpy(dtype=bool) | obs[keys.COMPOUND_ID].isin(compounds).to_numpy()
    plate.obs = obs
    return plate[np.asarray(wanted & obs[keys.PLATE].astype(str).isin(plates).to_numpy())].copy()


def mapped_compounds(obs: pd.DataFrame, aliases: pd.DataFrame) -> "pd.Series[str]":
    """Compound of every well after standardisation; the well's own id where no structure is known."""
    own = obs[keys.COMPOUND_ID].astype(str)
    known = aliases.drop_duplicates("input_id").set_index("input_id")[keys.COMPOUND_ID].astype(str)
    return own.map(known).fillna(own)
