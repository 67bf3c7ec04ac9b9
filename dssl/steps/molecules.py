"""SMILES to features."""

from dssl.io import read_table, write_anndata, write_table
from dssl.provenance import stamp
from dssl.settings.inputs import MoleculeTableSettings
from dssl.settings.preparation import FeaturizeMoleculesSettings, StandardizeMoleculesSettings
from dssl.steps.registry import Input, Output, step


@step
def standardize_molecules(
    *,
    settings: StandardizeMoleculesSettings,
    columns: MoleculeTableSettings,
    table: Input,
    molecules: Output,
    aliases: Output,
    rejected: Output,
    merged: Output,
    changed: Output,
    threads: int = 1,
) -> None:
    """Clean the structures, merge duplicates, and list every rejected or merged input with its reason."""
    from dssl.molecules.standardize import open_molecules, read_molecule_table
    from dssl.molecules.standardize import standardize_molecules as standardize

    frame = open_molecules(table, columns)
    result = standardize(read_molecule_table(frame, columns, str(table)), settings, n_jobs=threads)
    write_table(molecules, result.molecules)
    write_table(aliases, result.aliases)
    write_table(rejected, result.rejected)
    write_table(merged, result.merged)
    write_table(changed, result.changed)


@step
def featurize_molecules(
    *, settings: FeaturizeMoleculesSettings, molecules: Input, features: Output, threads: int = 1
) -> None:
    """Compute fingerprints and descriptors; nothing is fitted."""
    from dssl.molecules.featurize import featurize_molecules as featurize

    frame = read_table(molecules, text_columns=["compound_id", "name"])
    # an acyclic molecule has no scaffold, a compound may have no mechanism: missing text is empty text
    text = frame.select_dtypes("object").columns
    adata = featurize(frame.fillna(dict.fromkeys(text, "")), settings, n_jobs=threads)
    write_anndata(features, adata, stamp("featurize_molecules", settings.model_dump(mode="json")))
