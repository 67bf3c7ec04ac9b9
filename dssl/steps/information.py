"""The information-bottleneck curve of a fold: bounds for every step-1 model of the sweep, on test compounds."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl import keys

if TYPE_CHECKING:
    from torch import Generator

    from dssl.model.shared import SharedModel
    from dssl.steps.embeddings import Level

Floats = NDArray[np.float32]
N_DRAWS = 10
N_DRAWS_TEMPERATURE = 3
MAX_COMPOUNDS = 1000  # pairs per bound, which is at most the logarithm of their number
DETERMINISTIC = "deterministic codes: the KL between two points is infinite, there is no upper bound"


def measure_information(
    sweep_models: list[Path], selected_models: list[Path], levels: dict[str, "Level"], seed: int
) -> pd.DataFrame:
    """Bound the information of the shared codes of test compounds for every beta and seed, each modality as X1.

    Codes are drawn from p(z|x1); the critic's temperature is fitted on validation compounds. These are models of
    step 1 alone: joint training goes on from them, and its shared codes are not measured here.

    Parameters
    ----------
    sweep_models : models of step 1.
    selected_models : the chosen models; their beta is marked.
    levels : preprocessed inputs (`dssl.steps.embeddings.prepare_levels`).
    seed : of the draws, and of the sample of compounds where there are more than `MAX_COMPOUNDS`.

    Returns
    -------
    DataFrame
        modality (whose code it is: X1), beta, seed, infonce_lower (lower bound on I(Z;X2)), infonce_se, log_n (its
        ceiling), kl_upper (upper bound on I(Z;X1|X2)), kl_se, all in nats; temperature, n_compounds, chosen, note.
    """
    import torch

    from dssl.training.saved import load_model

    cpu, rng = torch.device("cpu"), np.random.default_rng(seed)
    validation, test = (_paired_rows(levels, role, rng) for role in (keys.VALIDATION, keys.TEST))
    chosen = {load_model(path, cpu)[2]["beta"] for path in selected_models}
    lines = []
    for path in sweep_models:
        model, _, described = load_model(path, cpu)
        generator = torch.Generator().manual_seed(seed)
        for modality, other in (keys.MODALITIES, keys.MODALITIES[::-1]):
            head = {"modality": modality, "beta": described["beta"], "seed": described["seed"]}
            found = _bounds(model, modality, other, validation, test, generator)
            lines.append({**head, **found, "chosen": described["beta"] in chosen})
    return pd.DataFrame(lines).sort_values(["modality", "beta", "seed"], ignore_index=True)


def _bounds(
    model: "SharedModel",
    modality: str,
    other: str,
    validation: dict[str, Floats],
    test: dict[str, Floats],
    generator: "Generator",
) -> dict[str, object]:
    import torch

    from dssl.evaluation.information import Bound, fit_temperature, infonce_lower_bound, kl_upper_bound

    with torch.no_grad():
        temperature = fit_temperature(*_codes(model, modality, other, validation, N_DRAWS_TEMPERATURE, generator))
        infonce = infonce_lower_bound(*_codes(model, modality, other, test, N_DRAWS, generator), temperature)
        kl, note = Bound(np.nan, np.nan), DETERMINISTIC
        if model.code_settings.distribution != "deterministic":
            first, second = (model.distribution(name, torch.from_numpy(test[name])) for name in (modality, other))
            kl, note = kl_upper_bound(first.kl(second).numpy()), ""
    n = len(test[modality])
    return {
        "infonce_lower": infonce.value,
        "infonce_se": infonce.standard_error,
        "log_n": float(np.log(n)),
        "kl_upper": kl.value,
        "kl_se": kl.standard_error,
        "temperature": temperature,
        "n_compounds": n,
        "note": note,
    }


def _codes(
    model: "SharedModel", modality: str, other: str, inputs: dict[str, Floats], n_draws: int, generator: "Generator"
) -> tuple[Floats, Floats]:
    """Draws (n_draws, n, d) of one modality's codes, and the means (n, d) of the other's."""
    import torch

    own = model.distribution(modality, torch.from_numpy(inputs[modality]))
    means = model.distribution(other, torch.from_numpy(inputs[other])).mean
    return torch.stack([own.rsample(generator) for _ in range(n_draws)]).numpy(), means.numpy()


def _paired_rows(levels: dict[str, "Level"], role: str, rng: np.random.Generator) -> dict[str, Floats]:
    """Inputs of both modalities of the compounds of a role, rows in the same order; a sample where there are many."""
    compounds, molecules = levels["compounds"], levels["molecules"]
    rows = np.flatnonzero(compounds.obs[keys.SPLIT].astype(str) == role)
    if len(rows) > MAX_COMPOUNDS:
        rows = np.sort(rng.choice(rows, MAX_COMPOUNDS, replace=False))
    ids = compounds.obs[keys.COMPOUND_ID].astype(str).iloc[rows]
    matching = pd.Index(molecules.obs[keys.COMPOUND_ID].astype(str)).get_indexer(pd.Index(ids))
    return {keys.PHENOTYPE: compounds.values[rows], keys.MOLECULE: molecules.values[matching]}
