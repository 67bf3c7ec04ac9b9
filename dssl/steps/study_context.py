"""What the learned codes of the synthetic study are compared with."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl.evaluation.label_probes import Rows
from dssl.settings.study import StudySettings
from dssl.simulate.paired_gaussians import PairedGaussians, canonical_correlations
from dssl.steps.study_codes import shared_features

Codes = dict[str, NDArray[Any]]


def context_codes(data: PairedGaussians, settings: StudySettings, seed: int) -> dict[str, Codes]:
    """Codes (n, d) by method and name; what is fitted is fitted on training rows.

    PCA, PLS and CCA give a shared code, `context_components` of each modality side by side, and as specific code what
    a linear regression on the own modality's components leaves of the inputs.
    """
    x, y = data.first, data.second
    found: dict[str, Codes] = {
        "true factors": {f"factor_{name}": factor for name, factor in data.factors.items()},
        "raw input": {"shared": np.hstack([x, y]), "specific_x": x, "specific_y": y},
        "untrained encoder": {"shared": _untrained(data, settings, seed)},
    }
    train = Rows.of(len(x)).train
    for name, (first, second) in _projections(x, y, train, settings.context_components).items():
        specific = {"specific_x": _residual(x, first, train), "specific_y": _residual(y, second, train)}
        found[name] = {"shared": np.hstack([first, second]), **specific}
    return found


def optimum_rows(data: PairedGaussians, noise: float, betas: Mapping[float, float]) -> pd.DataFrame:
    """Information of the exact Gaussian optimum for every beta (released scale -> nats), from the population.

    With beta = 0 the optimum is not bounded: I(Z;X1|X2) may be anything.
    """
    from dssl.model.gaussian_bottleneck import information

    correlations, found = canonical_correlations(data.mixing, noise), []
    for beta, nats in betas.items():
        if nats <= 0:
            continue
        totals = information(correlations, nats).totals()
        for quantity, value in (
            ("I(Z;X2)", totals["information_other"]),
            ("I(Z;X1|X2)", totals["information_conditional"]),
        ):
            if np.isfinite(value):
                line = {"method": "gaussian optimum", "noise": noise, "beta": beta}
                found.append({**line, "quantity": quantity, "nats": float(value)})
    return pd.DataFrame(found)


def _untrained(data: PairedGaussians, settings: StudySettings, seed: int) -> NDArray[Any]:
    import torch

    from dssl.model.shared import SharedModel

    used = settings.shared("released")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = SharedModel(data.first.shape[1], data.second.shape[1], used.encoder, used.code, used.contrastive)
    return shared_features(model.eval(), data)


def _projections(
    x: NDArray[Any], y: NDArray[Any], train: NDArray[np.int64], n: int
) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    from sklearn.cross_decomposition import PLSSVD
    from sklearn.decomposition import PCA

    from dssl.model.canonical import canonical_directions

    pca = [PCA(n, random_state=0).fit(each[train]).transform(each) for each in (x, y)]
    pls = PLSSVD(n).fit(x[train], y[train]).transform(x, y)
    cca = canonical_directions(x[train], y[train], 1e-6)
    canonical = (x - cca.first_mean) @ cca.first[:, :n], (y - cca.second_mean) @ cca.second[:, :n]
    return {"PCA": (pca[0], pca[1]), "PLS": (pls[0], pls[1]), "CCA": canonical}


def _residual(inputs: NDArray[Any], code: NDArray[Any], train: NDArray[np.int64]) -> NDArray[Any]:
    design = np.hstack([code, np.ones((len(code), 1))])
    weights, *_ = np.linalg.lstsq(design[train], inputs[train], rcond=None)
    return np.asarray(inputs - design @ weights)
