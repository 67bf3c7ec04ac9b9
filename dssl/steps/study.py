"""The paper's synthetic study: training, probes, and what stands beside them."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl.io import read_json, read_table, write_table
from dssl.provenance import stamp
from dssl.settings.learning import TrainSharedSettings
from dssl.settings.study import StudySettings
from dssl.steps.registry import Input, Inputs, OptionalInput, Output, step
from dssl.steps.study_codes import (
    INFORMATION_COLUMNS,
    STUDY_COLUMNS,
    information_rows,
    probe_rows,
    shared_features,
    specific_features,
    study_data,
    training_rows,
    whitened,
)

logger = logging.getLogger(__name__)


@step
def study_shared(
    *,
    settings: StudySettings,
    preset: str,
    noise: float,
    beta: float,
    seed: int,
    model: Output,
    probes: Output,
    information: Output,
) -> None:
    """Step 1 of a preset on the study's data; beta is given on the released code's scale."""
    from dssl.evaluation.label_probes import Rows
    from dssl.training.gaussian import solve_shared
    from dssl.training.saved import save_model
    from dssl.training.shared import train_shared

    data, used = whitened(study_data(settings, noise, seed), settings.whitening(preset)), settings.shared(preset)
    rows = Rows.of(settings.n_pairs)
    with _timed("training of step 1"):
        pairs, weight = (training_rows(data, rows.train), training_rows(data, rows.validation)), own_beta(beta, used)
        if used.solver == "gaussian":
            trained, _, metrics = solve_shared(*pairs, used, weight)
        else:
            trained, _, metrics = train_shared(*pairs, used, weight, seed)
    identity = {"method": "dssl", "preset": preset, "noise": noise, "beta": beta, "seed": seed}
    with _timed("probes of step 1"):
        found = probe_rows({"shared": shared_features(trained, data)}, data, settings, identity, metrics["loss"])
    save_model(model, trained, None, {**identity, **stamp("study_shared", settings.model_dump(mode="json"))})
    write_table(probes, found)
    write_table(information, information_rows(trained, data, identity, seed))


@step
def study_specific(
    *,
    settings: StudySettings,
    preset: str,
    noise: float,
    beta: float,
    lam: float,
    seed: int,
    shared: Input,
    probes: Output,
) -> None:
    """Step 2 of a preset on the study's data, on the shared model of the same seed."""
    import torch

    from dssl.evaluation.label_probes import Rows
    from dssl.training.gaussian import solve_specific
    from dssl.training.saved import load_model
    from dssl.training.specific import train_specific

    data = whitened(study_data(settings, noise, seed), settings.whitening(preset))
    rows = Rows.of(settings.n_pairs)
    frozen, _, _ = load_model(shared, torch.device("cpu"))
    with _timed("training of step 2"):
        pairs = training_rows(data, rows.train), training_rows(data, rows.validation)
        used = settings.specific(preset)
        if used.solver == "gaussian":
            trained, _, metrics = solve_specific(frozen, *pairs, used, lam)
        else:
            trained, _, metrics = train_specific(frozen, *pairs, used, lam, seed)
    identity = {"method": "dssl", "preset": preset, "noise": noise, "beta": beta, "lam": lam, "seed": seed}
    with _timed("probes of step 2"):
        found = probe_rows(specific_features(frozen, trained, data), data, settings, identity, metrics["loss"])
    write_table(probes, found)


@step
def study_baseline(
    *, settings: StudySettings, method: str, noise: float, trial: int, seed: int, probes: Output
) -> None:
    """One trial of a learned baseline on the study's data."""
    import torch

    from dssl.baselines.learned import train_learned, trials
    from dssl.evaluation.label_probes import Rows
    from dssl.steps.study_codes import study_inputs

    data = whitened(study_data(settings, noise, seed), settings.whitening(method))
    rows = Rows.of(settings.n_pairs)
    hyperparameters = trials(method, settings.baseline_trials)[trial]
    logger.info("%s, trial %d: %s", method, trial, hyperparameters)
    with _timed(f"training of {method}"):
        trained, _, metrics = train_learned(
            method,
            training_rows(data, rows.train),
            training_rows(data, rows.validation),
            settings.baseline(method),
            hyperparameters,
            seed,
        )
    codes: dict[str, list[NDArray[Any]]] = {"shared": [], "specific_x": [], "specific_y": []}
    for name, (modality, array) in zip(("specific_x", "specific_y"), study_inputs(data).items(), strict=True):
        with torch.no_grad():
            shared, specific = trained.codes(modality, torch.from_numpy(array.astype(np.float32)))
        codes["shared"].append(shared.numpy())
        codes[name] = [] if specific is None else [specific.numpy()]
    identity = {"method": method, "noise": noise, "trial": trial, "seed": seed}
    joined = {name: np.hstack(parts) for name, parts in codes.items() if parts}
    write_table(probes, probe_rows(joined, data, settings, identity, metrics["loss"]))


@step
def study_context(*, settings: StudySettings, noise: float, seed: int, probes: Output, information: Output) -> None:
    """What learning is compared with: true factors, raw inputs, an untrained encoder, PCA, PLS, CCA; the optimum."""
    from dssl.steps.study_context import context_codes, optimum_rows

    data = study_data(settings, noise, seed)
    found = [
        probe_rows({code: values}, data, settings, {"method": method, "noise": noise, "seed": seed})
        for method, codes in context_codes(data, settings, seed).items()
        for code, values in codes.items()
    ]
    write_table(probes, pd.concat(found, ignore_index=True))
    used = settings.shared("released")
    betas = {beta: nats_beta(beta, used) for beta in settings.betas}
    write_table(information, optimum_rows(data, noise, betas).assign(seed=seed).reindex(columns=INFORMATION_COLUMNS))


@step
def study_report(
    *,
    settings: StudySettings,
    probes: Inputs,
    information: Inputs,
    reference: OptionalInput,
    study: Output,
    all_information: Output,
    agreement: Output,
    comparison: Output,
    figure_shared: Output,
    figure_shared_svg: Output,
    figure_specific: Output,
    figure_specific_svg: Output,
    figure_information: Output,
    figure_information_svg: Output,
) -> None:
    """The study's table, its agreement with another implementation, and its figures, as PNG and SVG."""
    from dssl.evaluation.label_probes import Rows
    from dssl.evaluation.study_tables import agreement_table, frontiers
    from dssl.report.study import draw_information, draw_shared, draw_specific

    table = pd.concat([read_table(path) for path in probes], ignore_index=True).reindex(columns=STUDY_COLUMNS)
    curves = pd.concat([read_table(path) for path in information], ignore_index=True)
    write_table(study, table)
    write_table(all_information, curves)
    write_table(agreement, agreement_table(table, None if reference is None else read_json(reference)))
    write_table(comparison, frontiers(table))
    draw_shared(table, figure_shared, figure_shared_svg)
    draw_specific(table, figure_specific, figure_specific_svg)
    n_test = len(Rows.of(settings.n_pairs).test)
    draw_information(curves, n_test, figure_information, figure_information_svg)


def own_beta(beta: float, settings: TrainSharedSettings) -> float:
    """Beta of the released code's scale on the scale of a preset."""
    return beta if settings.kl_scale == "released" else nats_beta(beta, settings)


def nats_beta(beta: float, settings: TrainSharedSettings) -> float:
    """Beta of the released code's scale as a weight of the KL in nats: beta / (kappa A_d(kappa))."""
    from dssl.model.bessel import bessel_ratio

    # closed form: Gaussian codes have no kappa; the axis is that of the released code
    code = settings.code if settings.code.distribution == "vmf" else TrainSharedSettings(preset="released").code
    return beta / (code.kappa * bessel_ratio(code.size, code.kappa))


@contextmanager
def _timed(what: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    logger.info("%s: %.1f s", what, time.perf_counter() - start)
