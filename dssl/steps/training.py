"""The two steps of DisentangledSSL, the choice among the trained models, and their embeddings."""

import hashlib
import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

from dssl import keys
from dssl.io import atomic_path, read_json, sha256_of, write_anndata, write_json, write_table, write_text
from dssl.provenance import stamp
from dssl.settings.base import Settings
from dssl.settings.learning import EmbedSettings, SelectModelSettings, TrainSharedSettings, TrainSpecificSettings
from dssl.steps.arrays import read_pairs, training_data
from dssl.steps.registry import Input, Inputs, Output, Outputs, step

logger = logging.getLogger(__name__)
Record = dict[str, float]


def _log_epoch(epochs: int) -> Callable[[Record], None]:
    def log(record: Record) -> None:
        if "validation_loss" in record:
            logger.info(
                "epoch %d of %d: training loss %.4f, validation loss %.4f",
                record["epoch"],
                epochs,
                record["train_loss"],
                record["validation_loss"],
            )

    return log


def _own_checkpoint(checkpoint: Path, settings: Settings, made_from: list[Path]) -> Path:
    """Name the checkpoint after what the run is made from; what another run left behind is removed, never resumed."""
    digest = hashlib.sha256(settings.to_json().encode())
    for path in made_from:
        digest.update(sha256_of(path).encode())
    own = checkpoint.with_name(f"{checkpoint.name}-{digest.hexdigest()[:12]}.safetensors")
    for other in checkpoint.parent.glob(f"{checkpoint.name}-*.safetensors"):
        if other != own:
            logger.warning("%s: left by a run with other settings or inputs, removed", other)
            other.unlink()
    return own


def _write_run(history: list[Record], metrics: Record, identity: dict[str, float], paths: tuple[Path, Path]) -> None:
    write_text(paths[0], "".join(json.dumps(record, sort_keys=True, allow_nan=False) + "\n" for record in history))
    write_json(paths[1], {**identity, **metrics})


@step
def train_shared(
    *,
    settings: TrainSharedSettings,
    inputs: Input,
    beta: float,
    seed: int,
    checkpoint: Path,
    model: Output,
    history: Output,
    metrics: Output,
) -> None:
    """Step 1: train the shared codes; goes on from the checkpoint when there is one."""
    from dssl.training.saved import save_model
    from dssl.training.shared import train_shared as train

    mdata = read_pairs(inputs)
    trained, records, found = train(
        training_data(mdata, keys.TRAIN),
        training_data(mdata, keys.VALIDATION),
        settings,
        beta,
        seed,
        _own_checkpoint(checkpoint, settings, [inputs]),
        _log_epoch(settings.optimizer.epochs),
    )
    identity = {"beta": beta, "seed": seed}
    save_model(model, trained, None, {**identity, **stamp("train_shared", settings.model_dump(mode="json"))})
    _write_run(records, found, identity, (history, metrics))


@step
def train_specific(
    *,
    settings: TrainSpecificSettings,
    inputs: Input,
    shared: Input,
    lam: float,
    seed: int,
    checkpoint: Path,
    model: Output,
    history: Output,
    metrics: Output,
) -> None:
    """Step 2: train the specific codes on the frozen shared ones; the written model holds both."""
    from dssl.training.device import resolve_device
    from dssl.training.saved import load_model, save_model
    from dssl.training.specific import train_specific as train

    mdata = read_pairs(inputs)
    frozen, _, described = load_model(shared, resolve_device(settings.run))
    trained, records, found = train(
        frozen,
        training_data(mdata, keys.TRAIN),
        training_data(mdata, keys.VALIDATION),
        settings,
        lam,
        seed,
        _own_checkpoint(checkpoint, settings, [inputs, shared]),
        _log_epoch(settings.optimizer.epochs),
    )
    identity = {"beta": described["beta"], "lam": lam, "seed": seed}
    save_model(model, frozen, trained, {**identity, **stamp("train_specific", settings.model_dump(mode="json"))})
    _write_run(records, found, identity, (history, metrics))


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
        source = by_identity[choice.beta, choice.lam, int(target.stem.removeprefix("seed~"))]
        with atomic_path(target) as temporary:
            shutil.copyfile(source, temporary)
    write_table(candidates, choice.candidates)
    write_json(selected, {"beta": choice.beta, "lam": choice.lam, "reason": choice.reason})


@step
def embed(
    *,
    settings: EmbedSettings,
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
    record = stamp("embed", {"fold": fold, "settings": settings.model_dump(mode="json")})
    for path in tables:
        write_table(path, code_table(embedded[path.name.split(".")[0]]))
    for path in (wells, treatments, compounds, molecules):
        write_anndata(path, embedded[path.stem], record)
