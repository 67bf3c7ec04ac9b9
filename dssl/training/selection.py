"""Choice of beta and lambda from validation metrics."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from dssl.evaluation.ranks import LOWER_IS_BETTER
from dssl.keys import MODALITIES
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
    Beta: the best mean over seeds of `settings.metric` (mean of both directions); of equals the largest, which keeps
    least of what is not shared. Lambda: among the models of that beta, the largest whose mean step-2 contrastive loss
    exceeds the lowest by at most `lam_tolerance` of it. Neither looks at test compounds.
    """
    step_1 = pd.DataFrame(shared).groupby("beta", as_index=False)[[settings.metric, "contrastive", "kl"]].mean()
    sign = 1.0 if settings.metric in LOWER_IS_BETTER else -1.0
    ordered = step_1.assign(cost=sign * step_1[settings.metric]).sort_values(["cost", "beta"], ascending=[True, False])
    beta = float(ordered["beta"].iloc[0])
    measured = [
        "contrastive",
        *(f"{what}_{each}" for what in ("dependence", "participation_ratio") for each in MODALITIES),
    ]
    step_2 = pd.DataFrame(specific).groupby(["beta", "lam"], as_index=False)[measured].mean()
    of_beta = step_2[step_2["beta"] == beta]
    limit = of_beta["contrastive"].min() * (1 + settings.lam_tolerance)
    lam = float(of_beta.loc[of_beta["contrastive"] <= limit, "lam"].max())
    candidates = step_2.rename(columns={"contrastive": "specific_contrastive"}).merge(
        step_1.rename(columns={"contrastive": "shared_contrastive", "kl": "shared_kl_nats"}), on="beta"
    )
    candidates["selected"] = (candidates["beta"] == beta) & (candidates["lam"] == lam)
    reason = (
        f"beta {beta:g} has the best validation {settings.metric} ({ordered[settings.metric].iloc[0]:.4f}); "
        f"lambda {lam:g} is the largest whose step-2 validation loss is within {settings.lam_tolerance:.0%} of the best"
    )
    return Choice(beta, lam, reason, candidates)
