"""Choice of beta and lambda from validation metrics."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from dssl.evaluation.ranks import LOWER_IS_BETTER
from dssl.keys import CLOSED_FORM, MODALITIES
from dssl.settings.learning import SelectModelSettings


@dataclass(frozen=True)
class Choice:
    """The chosen beta and lambda, why, and every candidate (means over seeds) with its validation metrics."""

    beta: float
    lam: float
    reason: str
    candidates: pd.DataFrame


def choose(shared: list[dict[str, Any]], specific: list[dict[str, Any]], settings: SelectModelSettings) -> Choice:
    """Choose beta by validation retrieval, then lambda by what the specific code may lose for independence.

    Parameters
    ----------
    shared : one dict per step-1 model: beta, seed, and validation metrics.
    specific : one dict per step-2 model: beta, lam, seed, and validation metrics.
    settings : metric that chooses beta; tolerance that chooses lambda.

    Notes
    -----
    Beta: the largest whose mean over seeds of `settings.metric` (mean of both directions) is within `beta_tolerance` of
    the best, since it keeps least of what is not shared. Lambda: among the models of that beta, the largest whose mean
    step-2 contrastive loss exceeds the lowest by at most `lam_tolerance` of it. Neither looks at test compounds, nor at
    the ensemble's closed form, which has no lambda to choose.
    """
    trained_1, trained_2 = ([run for run in runs if run["seed"] != CLOSED_FORM] for runs in (shared, specific))
    step_1 = pd.DataFrame(trained_1).groupby("beta", as_index=False)[[settings.metric, "contrastive", "kl"]].mean()
    found = step_1[settings.metric]
    if settings.metric in LOWER_IS_BETTER:
        within = found <= found.min() * (1 + settings.beta_tolerance)
    else:
        within = found >= found.max() * (1 - settings.beta_tolerance)
    beta = float(step_1.loc[within, "beta"].max())
    measured = [
        "contrastive",
        *(f"{what}_{each}" for what in ("dependence", "participation_ratio") for each in MODALITIES),
    ]
    step_2 = pd.DataFrame(trained_2).groupby(["beta", "lam"], as_index=False)[measured].mean()
    of_beta = step_2[step_2["beta"] == beta]
    limit = of_beta["contrastive"].min() * (1 + settings.lam_tolerance)
    lam = float(of_beta.loc[of_beta["contrastive"] <= limit, "lam"].max())
    candidates = step_2.rename(columns={"contrastive": "specific_contrastive"}).merge(
        step_1.rename(columns={"contrastive": "shared_contrastive", "kl": "shared_kl_nats"}), on="beta"
    )
    candidates["selected"] = (candidates["beta"] == beta) & (candidates["lam"] == lam)
    reason = (
        f"beta {beta:g} is the largest whose validation {settings.metric} is within {settings.beta_tolerance:.0%} of "
        f"the best; lambda {lam:g} the largest whose step-2 loss is within {settings.lam_tolerance:.0%} of the lowest"
    )
    return Choice(beta, lam, reason, candidates)
