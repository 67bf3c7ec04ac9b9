"""Plates to one AnnData of comparable profiles."""

from pathlib import Path

import pandas as pd

from dssl.io import read_anndata, read_table, stem_of, table_columns, write_anndata, write_table
from dssl.provenance import stamp
from dssl.settings.inputs import PlateTableSettings
from dssl.settings.preparation import AssembleProfilesSettings, NormalizePlateSettings
from dssl.steps.registry import Input, Inputs, OptionalInput, Output, step


def read_wells(table: Path, plates: PlateTableSettings, plate_list: Path | None, features: bool = True) -> pd.DataFrame:
    """Read the columns of a plate table that the settings name; columns of the plate list are added to every row."""
    from dssl.phenotypes.columns import resolve_columns, text_columns
    from dssl.phenotypes.read import add_listed_columns

    extra = {} if plate_list is None else _listed(table, plate_list)
    present = table_columns(table)
    resolved = resolve_columns([*present, *(name for name in extra if name not in present)], plates, str(table))
    wanted = [*resolved.metadata, *(resolved.features if features else [])]
    frame = read_table(table, columns=[name for name in wanted if name in present], text_columns=text_columns(plates))
    return add_listed_columns(frame, extra, str(table)) if extra else frame


def read_well_columns(table: Path, plates: PlateTableSettings, plate_list: Path | None) -> pd.DataFrame:
    """Read and check what a plate table says of its wells, without the feature values."""
    from dssl.phenotypes.read import describe_wells

    return describe_wells(read_wells(table, plates, plate_list, features=False), plates, str(table))


def _listed(table: Path, plate_list: Path) -> dict[str, object]:
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
    profiles: Output,
    quality: Output,
) -> None:
    """Normalise the plates of one table, each against its own controls, and flag wells."""
    from dssl.phenotypes.normalize import normalize_plates
    from dssl.phenotypes.quality import plate_quality
    from dssl.phenotypes.read import read_plate_table

    wells = read_plate_table(read_wells(table, plates, plate_list), plates, str(table))
    normalized = normalize_plates(wells, settings)
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
    """Bring all plates together on the features that every plate has."""
    from dssl.phenotypes.assemble import annotate_features
    from dssl.phenotypes.assemble import assemble_profiles as assemble
    from dssl.phenotypes.assembled_state import save_assembled

    assembled = assemble([read_anndata(path) for path in plates], settings)
    adata = assembled.profiles
    if annotation is not None:
        first = table_columns(annotation)[0]
        annotate_features(adata, read_table(annotation, text_columns=[first]).set_index(first), str(annotation))
    write_table(dropped_features, assembled.dropped_features)
    record = stamp("assemble_profiles", settings.model_dump(mode="json"))
    save_assembled(state, assembled.state, record)
    write_anndata(profiles, adata, record)
