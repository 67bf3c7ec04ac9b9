"""Pairs, splits, and what is fitted before training."""

from dssl import keys
from dssl.io import read_anndata, read_table, write_table
from dssl.provenance import stamp
from dssl.settings.preparation import FitPreprocessingSettings, PairAndSplitSettings
from dssl.steps.arrays import read_pairs, write_pairs
from dssl.steps.registry import Input, Output, step


@step
def pair_and_split(
    *,
    settings: PairAndSplitSettings,
    profiles: Input,
    features: Input,
    aliases: Input,
    pairs: Output,
    folds: Output,
    excluded_wells: Output,
    excluded_compounds: Output,
) -> None:
    """Pair profiles with molecules and assign compounds to folds; fail when anything leaks."""
    from dssl.pairs.folds import add_folds
    from dssl.pairs.pairing import pair

    names = read_table(aliases, text_columns=["input_id", "compound_id"])
    paired = add_folds(pair(read_anndata(profiles), read_anndata(features), names, settings), settings)
    obs = paired.mdata[keys.MOLECULE].obs
    shown = [keys.GROUP, *(column for column in obs.columns if column.startswith(keys.fold_column("")))]
    write_table(folds, obs[shown].rename_axis(keys.COMPOUND_ID).reset_index())
    write_table(excluded_wells, paired.excluded_wells)
    write_table(excluded_compounds, paired.excluded_compounds)
    write_pairs(pairs, paired.mdata, stamp("pair_and_split", settings.model_dump(mode="json")))


@step
def fit_preprocessing(
    *, settings: FitPreprocessingSettings, pairs: Input, fold: str, state: Output, inputs: Output
) -> None:
    """Fit selection, scaling, whitening and molecular kernels on the fold's training rows; apply them to all rows."""
    from dssl.pairs.rows import training_rows
    from dssl.preprocessing.molecule import apply_molecule, fit_molecule
    from dssl.preprocessing.phenotype import apply_phenotype, fit_phenotype
    from dssl.preprocessing.state import save_state
    from dssl.steps.arrays import inputs_mudata, write_pairs

    mdata = read_pairs(pairs)
    wells, molecules = mdata[keys.PHENOTYPE], mdata[keys.MOLECULE]
    train, names = training_rows(mdata, fold), list(wells.var_names)
    phenotype = fit_phenotype(wells.X[train.phenotype], names, settings.phenotype, wells.obs[train.phenotype])
    molecule = fit_molecule(molecules.X[train.molecule], molecules.var, settings.molecule)
    record = stamp("fit_preprocessing", {"fold": fold, "settings": settings.model_dump(mode="json")})
    save_state(state, phenotype, molecule, record)
    prepared = inputs_mudata(
        mdata,
        fold,
        apply_phenotype(phenotype, wells.X, names, wells.obs),
        apply_molecule(molecule, molecules.X, list(molecules.var_names)),
    )
    write_pairs(inputs, prepared, record)
