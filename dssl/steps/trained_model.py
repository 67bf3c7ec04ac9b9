"""What a trained model is worth on compounds it has not seen, and the folder in which it is kept."""

from dssl import keys
from dssl.io import read_anndata, read_json, write_table
from dssl.settings.new_data import AppliedSettings, CalibrateScoresSettings
from dssl.steps.arrays import features_in_rows, read_pairs
from dssl.steps.registry import Input, Inputs, OptionalInput, Output, Outputs, step


@step
def calibrate_scores(
    *,
    settings: CalibrateScoresSettings,
    pairs: Input,
    wells: Inputs,
    treatments: Inputs,
    compounds: Inputs,
    molecules: Inputs,
    calibration: Output,
    held_out: Output,
    performance: Output,
) -> None:
    """Measure on the held-out compounds of the test folds what scores are worth and where the model is at home."""
    from dssl.steps.held_out import Fold, calibrate_levels, measure_domain

    features = read_pairs(pairs)[keys.MOLECULE]
    paths = {"well": wells, "treatment": treatments, "compound": compounds}
    folds = []
    for number, path in enumerate(molecules):
        embedded = read_anndata(path)
        profiles = {level: read_anndata(of_level[number]) for level, of_level in paths.items()}
        folds.append(Fold(profiles, embedded, features_in_rows(features, embedded.obs)))
    write_table(calibration, calibrate_levels(folds, settings))
    reference, retrieved = measure_domain(folds, settings)
    write_table(held_out, reference)
    write_table(performance, retrieved)


@step
def bundle_model(
    *,
    settings: AppliedSettings,
    fold: str,
    pairs: Input,
    preprocessing: Input,
    assembled: Input,
    selected: Input,
    models: Inputs,
    compounds: Input,
    molecules: Input,
    aliases: Input,
    calibration: Input,
    held_out: Input,
    performance: Input,
    model: Output,
    files: Outputs,
    second_assembled: OptionalInput = None,
    second_aliases: OptionalInput = None,
) -> None:
    """Put everything that new data need into one folder: states, weights, the screen's codes, calibration."""
    from dssl.steps import bundle
    from dssl.steps.held_out import descriptor_ranges, is_role

    features = read_pairs(pairs)[keys.MOLECULE]
    embedded = read_anndata(molecules)
    training = features_in_rows(features, embedded.obs)[is_role(embedded, keys.TRAIN)]
    parts = {
        bundle.PREPROCESSING: preprocessing,
        bundle.ASSEMBLED: assembled,
        **{path.name: path for path in models},
        bundle.COMPOUNDS: compounds,
        bundle.MOLECULES: molecules,
        bundle.ALIASES: aliases,
        bundle.CALIBRATION: calibration,
        bundle.HELD_OUT: held_out,
        bundle.PERFORMANCE: performance,
    }
    second = {bundle.SECOND_ASSEMBLED: second_assembled, bundle.SECOND_ALIASES: second_aliases}
    parts |= {name: path for name, path in second.items() if path is not None}
    about = {
        "models": [path.name for path in models],
        "fold": fold,
        "n_training_compounds": training.n_obs,
        "selected": read_json(selected),
    }
    bundle.write_bundle(model, settings, parts, descriptor_ranges(training), about)
