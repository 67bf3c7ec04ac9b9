"""Learned baselines: training of every trial, and the choice among them on validation compounds."""

from pathlib import Path

import numpy as np
import pandas as pd

from dssl import keys
from dssl.io import read_json, write_table
from dssl.launch import is_first_process
from dssl.provenance import stamp
from dssl.settings.baselines import TrainLearnedBaselineSettings
from dssl.settings.learning import TrainSharedSettings
from dssl.steps.arrays import read_pairs, training_data
from dssl.steps.registry import Input, Inputs, Output, step
from dssl.steps.runs import log_epoch, own_checkpoint, write_run

CHOSEN_BY = "mrr"  # validation retrieval, mean of both directions


@step
def train_learned_baseline(
    *,
    settings: TrainLearnedBaselineSettings,
    shared_settings: TrainSharedSettings,
    specific_epochs: int,
    inputs: Input,
    method: str,
    trial: int,
    n_trials: int,
    seed: int,
    checkpoint: Path,
    model: Output,
    history: Output,
    metrics: Output,
) -> None:
    """Train one trial of a learned baseline; goes on from the checkpoint when there is one.

    It has the encoders, views and optimiser of step 1. A method with specific codes trains for the epochs of both steps
    together, since it learns in one objective what they learn one after the other.
    """
    from dssl.baselines.learned import has_specific_code, train_learned, trials
    from dssl.baselines.saved import save_baseline

    epochs = shared_settings.optimizer.epochs + (specific_epochs if has_specific_code(method) else 0)
    optimizer = shared_settings.optimizer.model_copy(update={"epochs": epochs})
    used = shared_settings.model_copy(update={"optimizer": optimizer})
    hyperparameters = trials(method, n_trials)[trial]
    mdata = read_pairs(inputs)
    trained, records, found = train_learned(
        method,
        training_data(mdata, keys.TRAIN),
        training_data(mdata, keys.VALIDATION),
        used,
        hyperparameters,
        seed,
        own_checkpoint(checkpoint, used, [inputs]),
        log_epoch(epochs),
    )
    if not is_first_process():
        return
    identity = {"method": method, "trial": trial, "seed": seed, "hyperparameters": hyperparameters}
    section = settings.model_dump(mode="json")
    save_baseline(model, method, trained, {**identity, **stamp("train_learned_baseline", section)})
    write_run(records, found, identity, (history, metrics))


@step
def select_learned_baseline(
    *,
    settings: TrainLearnedBaselineSettings,
    pairs: Input,
    state: Input,
    metrics: Inputs,
    models: Inputs,
    method: str,
    fold: str,
    candidates: Output,
    codes: Output,
) -> None:
    """Choose a baseline's trial on validation compounds, and encode the screen with its models of all seeds."""
    import torch

    from dssl.baselines.saved import encode_shared, load_baseline
    from dssl.preprocessing.state import load_state
    from dssl.steps.embeddings import prepare_levels

    found = pd.DataFrame([read_json(path) for path in metrics])
    tried = compare_trials(found)
    write_table(candidates, tried)
    chosen = found["trial"] == tried.loc[tried["chosen"], "trial"].item()
    paths = [path for path, is_chosen in zip(models, chosen, strict=True) if is_chosen]
    loaded = [load_baseline(path, torch.device("cpu")) for path in paths]
    levels = prepare_levels(read_pairs(pairs), load_state(state), fold)
    tables = []
    for name, level in levels.items():
        vectors = encode_shared(loaded, level.modality, level.values)
        numbered = pd.DataFrame(vectors, columns=[f"shared_{number + 1}" for number in range(vectors.shape[1])])
        numbered.insert(0, "id", level.obs.index.astype(str))
        numbered.insert(0, "level", name.removesuffix("s"))
        tables.append(numbered)
    table = pd.concat(tables, ignore_index=True)
    table.insert(0, "method", method)
    write_table(codes, table)


def compare_trials(found: pd.DataFrame) -> pd.DataFrame:
    """A row per trial: hyperparameters, means over seeds of the validation metrics, and whether it is chosen.

    Parameters
    ----------
    found : DataFrame
        A row per trained model: trial, seed, hyperparameters (a dict), and validation metrics. The trial with the
        highest mean of `mrr` is chosen; of equally good ones the first.
    """
    measured = found.drop(columns=["seed", "method", "hyperparameters"], errors="ignore").select_dtypes("number")
    means = measured.groupby("trial").mean()
    hyperparameters = pd.DataFrame(
        {row["trial"]: row["hyperparameters"] for row in found.to_dict("records")}
    ).T.rename_axis("trial")
    table = hyperparameters.join(means).sort_index().reset_index()
    return table.assign(chosen=np.arange(len(table)) == table[CHOSEN_BY].to_numpy().argmax())
