"""Plates to one AnnData of comparable profiles."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from dssl.io import read_anndata, read_table, stem_of, table_columns, write_anndata, write_table
from dssl.provenance import stamp
from dssl.settings.inputs import PlateTableSettings
from dssl.settings.preparation import AssembleProfilesSettings, NormalizePlateSettings
from dssl.steps.lists import PROFILES, listed
from dssl.steps.registry import Input, Inputs, OptionalInput, OptionalInputs, Output, step

if TYPE_CHECKING:
    from anndata import AnnData


def read_well_columns(
    table: Path, plates: PlateTableSettings, plate_list: Path | None, metadata: Sequence[Path]
) -> pd.DataFrame:
    """Read and check what a file of wells and its metadata tables say of the wells, without the feature values."""
    from dssl.phenotypes.read import describe_wells
    from dssl.phenotypes.wells import read_wells, with_counted_cells

    plates = with_counted_cells(plates)
    frame = read_wells(table, plates, _listed(table, plate_list), metadata, features=False)
    return describe_wells(frame, plates, str(table))


def read_profiles(
    table: Path, plates: PlateTableSettings, plate_list: Path | None, metadata: Sequence[Path]
) -> "AnnData":
    """Read the wells of a file as AnnData, raw but for counts, which are scaled and logged."""
    from dssl.phenotypes.counts import log_expression
    from dssl.phenotypes.read import read_plate_table
    from dssl.phenotypes.wells import read_wells, with_counted_cells

    plates = with_counted_cells(plates)
    wells = read_plate_table(read_wells(table, plates, _listed(table, plate_list), metadata), plates, str(table))
    return wells if plates.counts is None else log_expression(wells, plates.counts, str(table))


def _listed(table: Path, plate_list: Path | None) -> dict[str, object]:
    if plate_list is None:
        return {}
    listed = read_table(plate_list, text_columns=["path"])
    row = listed[listed["path"].map(lambda name: stem_of(Path(name))) == stem_of(table)]
    return {str(name): value for name, value in row.drop(columns="path").iloc[0].items()}


@step
def normalize_plate(
    *,
    settings: NormalizePlateSettings,
    plates: PlateTableSettings,
    table: Input,
    plate_list: OptionalInput,
    metadata: OptionalInputs,
    profiles: Output,
    quality: Output,
) -> None:
    """Normalise the plates of one table, each against its own controls, and flag wells."""
    from dssl.phenotypes.normalize import normalize_plates
    from dssl.phenotypes.quality import plate_quality

    normalized = normalize_plates(read_profiles(table, plates, plate_list, metadata or []), settings)
    write_table(quality, plate_quality(normalized))
    write_anndata(profiles, normalized, stamp("normalize_plate", settings.model_dump(mode="json")))


@step
def assemble_profiles(
    *,
    settings: AssembleProfilesSettings,
    plates: Inputs,
    annotation: OptionalInput,
    profiles: Output,
    dropped_features: Output,
    state: Output,
) -> None:
    """Bring the plates of some lists together on the features that all have, and correct them by their controls."""
    from dssl.phenotypes.annotation import annotate_features
    from dssl.phenotypes.assemble import assemble_profiles as assemble
    from dssl.phenotypes.assembled_state import save_assembled

    assembled = assemble(listed(plates, PROFILES), settings, read_anndata)
    adata = assembled.profiles
    if annotation is not None:
        first = table_columns(annotation)[0]
        annotate_features(adata, read_table(annotation, text_columns=[first]).set_index(first), str(annotation))
    record = stamp("assemble_profiles", settings.model_dump(mode="json"))
    write_table(dropped_features, assembled.dropped_features)
    save_assembled(state, assembled.state, record)
    write_anndata(profiles, adata, record)
