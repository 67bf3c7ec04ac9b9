"""The two steps of DisentangledSSL, the choice among the trained models, and their embeddings."""

import shutil
from pathlib import Path

from dssl import keys
from dssl.io import atomic_path, read_json, write_anndata, write_json, write_table
from dssl.launch import is_first_process
from dssl.provenance import stamp
from dssl.settings.learning import EmbedScreenSettings, SelectModelSettings, TrainSharedSettings, TrainSpecificSettings
from dssl.steps.arrays import read_pairs, training_data
from dssl.steps.registry import Input, Inputs, Output, Outputs, step
from dssl.steps.runs import log_epoch, own_checkpoint, write_run


@step
def train_shared(
    *,
    settings: TrainSharedSettings,
    inputs: Input,
    beta: float,
    seed: str,
    checkpoint: Path,
    model: Output,
    history: Output,
    metrics: Output,
) -> None:
    """Step 1: train the shared codes, from the checkpoint on when there is one.

    It is solved instead with solver: gaussian, or with `closed_form` in the place of the seed.
    """
    from dssl.model.shared import beta_scales
    from dssl.training.gaussian import solve_shared
    from dssl.training.saved import save_model
    from dssl.training.shared import train_shared as train

    mdata = read_pairs(inputs)
    data = training_data(mdata, keys.TRAIN), training_data(mdata, keys.VALIDATION)
    if settings.solver == "gaussian" or seed == keys.CLOSED_FORM:
        trained, records, found = solve_shared(*data, settings, beta)
    else:
        own = own_checkpoint(checkpoint, settings, [inputs])
        trained, records, found = train(*data, settings, beta, int(seed), own, log_epoch(settings.optimizer.epochs))
    if not is_first_process():
        return
    identity = {"beta": beta, "seed": seed}
    described = {**identity, **beta_scales(beta, trained.code_settings, settings.kl_scale)}
    save_model(model, trained, None, {**described, **stamp("train_shared", settings.model_dump(mode="json"))})
    write_run(records, found, identity, (history, metrics))


@step
def train_specific(
    *,
    settings: TrainSpecificSettings,
    inputs: Input,
    shared: Input,
    lam: float,
    seed: str,
    checkpoint: Path,
    model: Output,
    history: Output,
    metrics: Output,
) -> None:
    """Step 2: train the specific codes on the frozen shared ones, or together with them (joint_alpha), or solve it.

    The written model holds both. On the closed form of step 1 (`closed_form` in the place of the seed) it is solved.
    """
    from dssl.training.device import resolve_device
    from dssl.training.gaussian import solve_specific
    from dssl.training.saved import load_model, save_model
    from dssl.training.specific import train_specific as train

    mdata = read_pairs(inputs)
    frozen, _, described = load_model(shared, resolve_device(settings.run.of_member(seed, settings.solver)))
    data = training_data(mdata, keys.TRAIN), training_data(mdata, keys.VALIDATION)
    if settings.solver == "gaussian" or seed == keys.CLOSED_FORM:
        trained, records, found = solve_specific(frozen, *data, settings, lam)
    else:
        trained, records, found = train(
            frozen,
            *data,
            settings,
            lam,
            int(seed),
            own_checkpoint(checkpoint, settings, [inputs, shared]),
            log_epoch(settings.optimizer.epochs),
            described["beta_nats"],
        )
    if not is_first_process():
        return
    identity = {"beta": described["beta"], "lam": lam, "seed": seed}
    save_model(model, frozen, trained, {**identity, **stamp("train_specific", settings.model_dump(mode="json"))})
    write_run(records, found, identity, (history, metrics))


@step
def select_model(
    *,
    settings: SelectModelSettings,
    shared_metrics: Inputs,
    specific_metrics: Inputs,
    models: Inputs,
    candidates: Output,
    selected: Output,
    selected_models: Outputs,
) -> None:
    """Choose beta and lambda on validation compounds, and keep the models of all seeds at that choice."""
    from dssl.training.selection import choose

    shared, specific = ([read_json(path) for path in paths] for paths in (shared_metrics, specific_metrics))
    choice = choose(shared, specific, settings)
    by_identity = {
        (found["beta"], found["lam"], found["seed"]): path for found, path in zip(specific, models, strict=True)
    }
    for target in selected_models:
        source = by_identity[choice.beta, choice.lam, target.stem.removeprefix("seed~")]
        with atomic_path(target) as temporary:
            shutil.copyfile(source, temporary)
    write_table(candidates, choice.candidates)
    write_json(selected, {"beta": choice.beta, "lam": choice.lam, "reason": choice.reason})


@step
def embed_screen(
    *,
    settings: EmbedScreenSettings,
    pairs: Input,
    state: Input,
    models: Inputs,
    fold: str,
    umap: bool,
    wells: Output,
    treatments: Output,
    compounds: Output,
    molecules: Output,
    tables: Outputs,
) -> None:
    """Write the codes of wells, treatments, compounds and molecules, and maps of them, as AnnData and CSV."""
    from dssl.preprocessing.state import load_state
    from dssl.steps.embeddings import code_table, encode_level, load_models, prepare_levels

    loaded = load_models(models)
    levels = prepare_levels(read_pairs(pairs), load_state(state), fold)
    embedded = {name: encode_level(level, loaded, settings if umap else None) for name, level in levels.items()}
    record = stamp("embed_screen", {"fold": fold, "settings": settings.model_dump(mode="json")})
    for path in tables:
        write_table(path, code_table(embedded[path.name.split(".")[0]]))
    for path in (wells, treatments, compounds, molecules):
        write_anndata(path, embedded[path.stem], record)
