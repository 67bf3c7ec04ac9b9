"""A second assay of the same compounds."""

from dssl.io import read_table, write_anndata, write_table
from dssl.provenance import stamp
from dssl.settings.second_assay import SecondAssaySettings
from dssl.steps.phenotypes import read_profiles
from dssl.steps.registry import Input, Inputs, OptionalInput, OptionalInputs, Output, step


@step
def profile_second_assay(
    *,
    settings: SecondAssaySettings,
    molecules: Input,
    second_molecules: Input,
    tables: Inputs,
    plate_list: OptionalInput,
    metadata: OptionalInputs,
    features: Output,
    compounds: Output,
    profiles: Output,
    aliases: Output,
    state: Output,
    rejected: Output,
    excluded_wells: Output,
    without: Output,
    threads: int = 1,
) -> None:
    """Normalise the second assay's plates and average them over the compounds of the first, and over those of either."""
    from dssl.molecules.standardize import open_molecules, read_molecule_table, standardize_molecules
    from dssl.pairs.assays import all_compounds, ids_in_first
    from dssl.pairs.second_assay import second_profiles
    from dssl.phenotypes.assemble import assemble_profiles
    from dssl.phenotypes.assembled_state import save_assembled
    from dssl.phenotypes.normalize import normalize_plates

    rows = read_molecule_table(
        open_molecules(second_molecules, settings.molecules), settings.molecules, str(second_molecules)
    )
    measured = standardize_molecules(rows, settings.standardize_molecules, n_jobs=threads)
    plates = [
        normalize_plates(read_profiles(table, settings.plates, plate_list, metadata or []), settings.normalize_plate)
        for table in tables
    ]
    assembled = assemble_profiles(plates, settings.assemble_profiles)
    wells = assembled.profiles
    first = read_table(molecules, text_columns=["compound_id", "name"])
    text = first.select_dtypes("object").columns
    first = first.fillna(dict.fromkeys(text, ""))
    found = second_profiles(wells, measured.aliases, measured.molecules, first)
    either = all_compounds(first, measured.molecules)
    record = stamp("profile_second_assay", settings.model_dump(mode="json"))
    write_table(rejected, measured.rejected)
    write_table(excluded_wells, found.excluded_wells)
    write_table(without, found.without)
    write_anndata(features, found.features, record)
    save_assembled(state, assembled.state, record)
    write_table(aliases, ids_in_first(measured.aliases, measured.molecules, first))
    write_table(compounds, either)
    write_anndata(profiles, second_profiles(wells, measured.aliases, measured.molecules, either).features, record)
