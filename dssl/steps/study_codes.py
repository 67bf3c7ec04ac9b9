"""Codes of the synthetic study, and the rows of its table that they give."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl.keys import MODALITIES, MOLECULE, PHENOTYPE
from dssl.settings.study import StudySettings
from dssl.simulate.paired_gaussians import PairedGaussians, paired_gaussians

if TYPE_CHECKING:
    from torch import Tensor

    from dssl.model.shared import SharedModel
    from dssl.model.specific import SpecificModel
    from dssl.training.data import TrainingData

Floats = NDArray[np.float64]
IDENTITY = ["method", "preset", "noise", "beta", "lam", "trial", "seed"]
STUDY_COLUMNS = [
    *IDENTITY,
    "code",
    "label",
    "accuracy",
    "ci_low",
    "ci_high",
    "chance",
    "n_test",
    "penalty",
    "participation_ratio",
    "validation_loss",
]
INFORMATION_COLUMNS = [*IDENTITY, "quantity", "nats", "standard_error"]
CHANCE = 0.5


def study_data(settings: StudySettings, noise: float, seed: int) -> PairedGaussians:
    """The study's data at a noise level: the same in every job of a seed, other data for every seed."""
    return paired_gaussians(settings.n_pairs, noise, np.random.default_rng(settings.data_seed + seed))


def whitened(data: PairedGaussians, whitening: Literal["none", "half", "full"]) -> PairedGaussians:
    """Observations as principal component scores, fitted on training rows, as `fit_preprocessing` makes them.

    With "none" the observations stay as they are.
    """
    from dssl.evaluation.label_probes import Rows
    from dssl.preprocessing.phenotype import apply_phenotype, fit_phenotype
    from dssl.settings.preparation import PhenotypePreprocessingSettings

    if whitening == "none":
        return data
    train, size = Rows.of(len(data.first)).train, data.first.shape[1]
    settings = PhenotypePreprocessingSettings(
        max_correlation=None, scale="none", clip=None, whiten=whitening, n_components=size
    )
    names, scores = [str(number) for number in range(size)], []
    for observed in (data.first, data.second):
        scores.append(apply_phenotype(fit_phenotype(observed[train], names, settings), observed, names))
    return replace(data, first=scores[0].astype(np.float64), second=scores[1].astype(np.float64))


def study_inputs(data: PairedGaussians) -> dict[str, Floats]:
    """X and Y in the places of the two modalities."""
    return {PHENOTYPE: data.first, MOLECULE: data.second}


def training_rows(data: PairedGaussians, rows: NDArray[np.int64]) -> "TrainingData":
    """Tensors of some pairs; X stands for the phenotype (one well per compound), Y for the molecule."""
    from dssl.training.data import TrainingData

    return TrainingData.from_arrays(data.first[rows], np.arange(len(rows)), data.second[rows])


def probe_rows(
    codes: Mapping[str, NDArray[Any]],
    data: PairedGaussians,
    settings: StudySettings,
    identity: Mapping[str, Any],
    validation_loss: float = np.nan,
) -> pd.DataFrame:
    """A row for each code and label: accuracy, interval, participation ratio of the code on test rows.

    Parameters
    ----------
    codes : "shared" (both modalities side by side), "specific_x", "specific_y" -> (n, d).
    identity : values for the columns IDENTITY; those left out are missing.
    """
    from dssl.evaluation.dependence import participation_ratio
    from dssl.evaluation.label_probes import Rows, probe_label

    rows = Rows.of(len(data.first))
    found = []
    for name, code in codes.items():
        ratio = participation_ratio(code[rows.test])
        for label, values in data.labels.items():
            probe = probe_label(code, values, rows, settings.penalties)
            fixed = {"chance": CHANCE, "n_test": len(rows.test), "participation_ratio": ratio}
            found.append(
                {
                    **identity,
                    "code": name,
                    "label": label,
                    **probe._asdict(),
                    **fixed,
                    "validation_loss": validation_loss,
                }
            )
    return pd.DataFrame(found, columns=STUDY_COLUMNS)


def shared_features(model: "SharedModel", data: PairedGaussians) -> NDArray[Any]:
    """Features f(x) of both modalities side by side, (n, 2 d): what the released code gives to its probe.

    A von Mises-Fisher code uses their direction only. The lengths tell a probe a little more.
    """
    import torch

    with torch.no_grad():
        return np.hstack([model.features(m, _tensor(x)).numpy() for m, x in study_inputs(data).items()])


def specific_features(shared: "SharedModel", specific: "SpecificModel", data: PairedGaussians) -> dict[str, Any]:
    """Features of the specific codes, (n, d)."""
    import torch

    found = {}
    for modality, name in zip(MODALITIES, ("specific_x", "specific_y"), strict=True):
        inputs = _tensor(study_inputs(data)[modality])
        with torch.no_grad():
            part = specific.shared_part(shared, modality, inputs)
            found[name] = specific.features(modality, inputs, part).numpy()
    return found


def information_rows(
    model: "SharedModel", data: PairedGaussians, identity: Mapping[str, Any], seed: int
) -> pd.DataFrame:
    """Bounds on the information in the code of X, on test pairs.

    The lower bound on I(Z;X2) is at most log n_test; its critic's temperature is fitted on validation pairs.
    """
    import torch

    from dssl.evaluation.information import fit_temperature, infonce_lower_bound, kl_upper_bound
    from dssl.evaluation.label_probes import Rows

    rows, generator = Rows.of(len(data.first)), torch.Generator().manual_seed(seed)
    draws, means, kl = {}, {}, np.empty(0)
    for name in ("validation", "test"):
        which = getattr(rows, name)
        with torch.no_grad():
            first = model.distribution(PHENOTYPE, _tensor(data.first[which]))
            second = model.distribution(MOLECULE, _tensor(data.second[which]))
            draws[name] = first.rsample(generator).numpy()[None]
            means[name], kl = second.mean.numpy(), first.kl(second).numpy()
    temperature = fit_temperature(draws["validation"], means["validation"])
    lower, upper = infonce_lower_bound(draws["test"], means["test"], temperature), kl_upper_bound(kl)
    found = [
        {**identity, "quantity": "lower_bound_I(Z;X2)", "nats": lower.value, "standard_error": lower.standard_error},
        {**identity, "quantity": "upper_bound_I(Z;X1|X2)", "nats": upper.value, "standard_error": upper.standard_error},
    ]
    return pd.DataFrame(found, columns=INFORMATION_COLUMNS)


def _tensor(array: NDArray[Any]) -> "Tensor":
    import torch

    return torch.from_numpy(np.asarray(array, dtype=np.float32))
