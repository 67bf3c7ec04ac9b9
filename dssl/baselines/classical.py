"""Classical controls: each gives vectors of molecules, and a map of profiles to what these are compared with."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl.baselines.data import ClassicalData
from dssl.baselines.trials import TRIALS, reason_to_skip
from dssl.baselines.tuning import choose
from dssl.errors import ConfigError
from dssl.settings.baselines import TrainBaselineSettings

LOGGER = logging.getLogger(__name__)
SKIPPED = "skipped"


@dataclass(frozen=True, eq=False)
class Controls:
    """The chosen trial of every control, all fitted on training compounds.

    Attributes
    ----------
    molecules : (n, m) vectors of all molecules, by method.
    uns : what `dssl.baselines.vectors.phenotype_vectors` needs, and under "skipped" a reason per method left out.
    tuning : a row per trial (see `dssl.baselines.tuning.choose`).
    """

    molecules: Mapping[str, NDArray[np.float32]]
    uns: Mapping[str, Any]
    tuning: pd.DataFrame


def fit_controls(data: ClassicalData, settings: TrainBaselineSettings) -> Controls:
    """Fit every control on training compounds; take the hyperparameters that retrieve best on validation compounds.

    Raises
    ------
    ConfigError
        If the screen has not what any of the controls needs.
    PairingError
        If there are no validation compounds.
    """
    molecules: dict[str, NDArray[np.float32]] = {}
    uns: dict[str, dict[str, Any]] = {}
    skipped: dict[str, str] = {}
    tried = []
    for method in settings.methods:
        reason = reason_to_skip(method, data)
        if reason is not None:
            LOGGER.warning("control %s is left out: %s", method, reason)
            skipped[method] = reason
            continue
        trial, rows = choose(method, TRIALS[method](data, settings), data)
        chosen = ", ".join(f"{name} {value:g}" for name, value in trial.hyperparameters.items())
        LOGGER.info("control %s: %s", method, chosen or "nothing to tune")
        molecules[method] = trial.molecules
        tried.append(rows)
        for name, content in trial.uns.items():
            uns[name] = uns.get(name, {}) | content
    if not tried:
        reasons = "; ".join(f"{method}: {reason}" for method, reason in skipped.items())
        raise ConfigError(
            f"train_baseline: none of its methods can be used on this screen ({reasons})\n"
            "Add `random` to train_baseline.methods, or give the screen what they need."
        )
    return Controls(molecules, uns | {SKIPPED: skipped}, pd.concat(tried, ignore_index=True))
