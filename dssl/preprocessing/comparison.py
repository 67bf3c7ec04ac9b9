"""Choices of preprocessing on the user's own screen: what each does to replicates, mechanisms and batches."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray

from dssl import keys
from dssl.errors import DsslError
from dssl.evaluation.statistics import bootstrap_interval, paired_test
from dssl.pairs.levels import mean_rows
from dssl.pairs.replicates import pool_replicates
from dssl.phenotypes.assemble import assemble_profiles
from dssl.phenotypes.quality import is_flagged
from dssl.preprocessing.agreement import METRICS, mechanism_agreement, well_agreement
from dssl.preprocessing.choices import CONFIGURED, Choice
from dssl.preprocessing.phenotype import apply_phenotype, fit_phenotype
from dssl.settings.quality import ComparePreprocessingSettings

LOGGER = logging.getLogger(__name__)
COLUMNS = ["choice", "metric", "value", "ci_low", "ci_high", "chance", "n_compounds"]
COLUMNS += ["difference", "difference_low", "difference_high", "p_value", "reason"]
GROUP, HALF, MECHANISM_COLUMN = "group", "half", "mechanism"


def draw_compounds(wells: pd.DataFrame, settings: ComparePreprocessingSettings) -> list[str]:
    """Compounds at random until there are `max_wells` of their wells, on `max_plates` plates at most.

    Parameters
    ----------
    wells : DataFrame
        compound_id and plate of the treated wells that may be looked at.
    settings : ComparePreprocessingSettings
        Limits and seed.
    """
    plates_of = {str(name): set(plates) for name, plates in wells.groupby(keys.COMPOUND_ID, sort=True)[keys.PLATE]}
    n_wells = wells[keys.COMPOUND_ID].value_counts()
    chosen: list[str] = []
    plates: set[str] = set()
    total = 0
    for name in np.random.default_rng(settings.seed).permutation(sorted(plates_of)).tolist():
        if total + int(n_wells[name]) > settings.max_wells or len(plates | plates_of[name]) > settings.max_plates:
            continue
        chosen.append(name)
        plates |= plates_of[name]
        total += int(n_wells[name])
    return chosen


def halves(groups: Sequence[str], seed: int) -> dict[str, int]:
    """Half, 0 or 1, of every group of compounds that no split may separate."""
    names = np.random.default_rng(seed).permutation(sorted(set(groups)))
    return {str(name): number % 2 for number, name in enumerate(names)}


def compare_choices(
    plates: Mapping[str, Sequence[AnnData]],
    choices: Mapping[str, Choice],
    compounds: pd.DataFrame,
    settings: ComparePreprocessingSettings,
    refused: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Measure every choice on compounds that it was not fitted on.

    What is fitted on treated wells is fitted on one half of the compounds and measured on the other, both ways round;
    what is fitted on controls is fitted on the controls of all plates given. So every compound is measured once.

    Parameters
    ----------
    plates : mapping of str to sequence of AnnData
        For every choice the normalised plates; treated wells of other compounds than `compounds` are not among them.
    choices : mapping of str to Choice
        `CONFIGURED` is among them.
    compounds : DataFrame
        Indexed by the wells' compound_id: group, and mechanism ("" where unknown).
    settings : ComparePreprocessingSettings
        Bootstrap and seed.
    refused : mapping of str to str, optional
        Why the plates could not be normalised, by choice; such choices are listed and not measured.

    Returns
    -------
    DataFrame
        One row per choice and metric: value (mean over compounds), its 95 % interval, chance, n_compounds; difference
        to the configuration on the same compounds, with interval and p-value; the reason where there is no value.
    """
    groups = compounds[GROUP].astype(str)
    half = groups.map(halves(groups.to_list(), settings.seed))
    described = compounds.assign(**{HALF: half})
    scores: dict[str, pd.DataFrame] = {}
    reasons = {name: text.splitlines()[0] for name, text in (refused or {}).items()}
    for name, choice in choices.items():
        if name in reasons:
            continue
        try:
            scores[name] = measure(plates[name], choice, described)
        except DsslError as error:
            reasons[name] = str(error).splitlines()[0]
            LOGGER.warning("%s: not measured: %s", name, reasons[name])
    rng = np.random.default_rng(settings.seed)
    rows = [_row(name, metric, scores, reasons, settings, rng) for name in choices for metric in METRICS]
    return pd.DataFrame(rows, columns=COLUMNS)


def measure(plates: Sequence[AnnData], choice: Choice, compounds: pd.DataFrame) -> pd.DataFrame:
    """Scores of one choice by compound: metric, compound_id, value, chance.

    Raises
    ------
    DsslError
        If the choice cannot be made on this screen (one batch only, too few controls, no replicates, ...).
    """
    profiles = assemble_profiles(plates, choice.assemble_profiles).profiles
    obs, values = profiles.obs, np.asarray(profiles.X)
    treated = ~obs[keys.IS_CONTROL].to_numpy(dtype=bool) & ~is_flagged(obs)
    half = obs[keys.COMPOUND_ID].astype(str).map(compounds[HALF]).to_numpy()
    features = list(profiles.var_names)
    found = []
    for number in (0, 1):
        fitted_on, measured = (treated & (half == other) for other in (1 - number, number))
        how = choice.pair_and_split
        rows, pooled = pool_replicates(values[fitted_on], obs[fitted_on], how.pool, how.pool_by)
        state = fit_phenotype(rows, features, choice.phenotype, pooled)
        inputs = apply_phenotype(state, values[measured], features, obs[measured])
        found.append(well_agreement(inputs.astype(np.float64), obs[measured]))
        rows, pooled = pool_replicates(values[measured], obs[measured], how.pool, how.pool_by)
        inputs = apply_phenotype(state, rows, features, pooled)
        codes, names = pd.factorize(pooled[keys.COMPOUND_ID].astype(str))
        mechanisms = compounds[MECHANISM_COLUMN].reindex(names).fillna("").astype(str)
        found.append(mechanism_agreement(mean_rows(inputs, codes, len(names)), list(names), list(mechanisms)))
    return pd.concat(found, ignore_index=True)


def _row(
    name: str,
    metric: str,
    scores: Mapping[str, pd.DataFrame],
    reasons: Mapping[str, str],
    settings: ComparePreprocessingSettings,
    rng: np.random.Generator,
) -> dict[str, object]:
    row: dict[str, object] = {"choice": name, "metric": metric, "n_compounds": 0}
    if name in reasons:
        return row | {"reason": reasons[name]}
    own = _of(scores[name], metric)
    if own.empty:
        return row | {"reason": "no compound has anything to find, or nothing else to find it among"}
    low, high = bootstrap_interval(own[["value"]].to_numpy(), settings.n_bootstrap, rng)
    row |= {"value": own["value"].mean(), "ci_low": low[0], "ci_high": high[0], "chance": own["chance"].mean()}
    row |= {"n_compounds": len(own), "reason": ""}
    if name == CONFIGURED or CONFIGURED not in scores:
        return row
    both = own.merge(_of(scores[CONFIGURED], metric), on=["fold", keys.COMPOUND_ID], suffixes=("", "_configured"))
    if both.empty:
        return row
    before = both[["fold", keys.COMPOUND_ID]].assign(value=both["value_configured"])
    test = paired_test(both, before, "value", rng, settings.n_bootstrap, settings.n_bootstrap)
    names: NDArray[np.str_] = np.array(["difference", "difference_low", "difference_high", "p_value"])
    return row | dict(zip(names.tolist(), test[:4], strict=True))


def _of(scores: pd.DataFrame, metric: str) -> pd.DataFrame:
    return scores[scores["metric"] == metric].assign(fold="0").reset_index(drop=True)
