"""Whether a code finds its partner across modalities: specific codes should not, shared codes should."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl import keys
from dssl.evaluation.libraries import WHOLE, Pairings
from dssl.evaluation.linear_probe import RIDGES, decompose
from dssl.evaluation.ranks import MRR, Floats
from dssl.evaluation.retrieval import evaluate_embedding
from dssl.evaluation.statistics import ALL_FOLDS, summarize

ROLES = (keys.TRAIN, keys.VALIDATION, keys.TEST)
RAW, ALIGNED = "raw", "aligned"
LEAKAGE_COLUMNS = [
    "code",
    "alignment",
    "direction",
    "mrr",
    "ci_low",
    "ci_high",
    "chance",
    "p_value",
    "n_compounds",
    "fold",
]
N_BOOTSTRAP = 1000


class RoleCodes(NamedTuple):
    """One kind of code of the compounds of a role, rows in the same order: phenotype (n, d1), molecule (n, d2)."""

    phenotype: NDArray[Any]
    molecule: NDArray[Any]


def leakage_table(
    codes: Mapping[str, Mapping[str, RoleCodes]],
    test_ids: list[str],
    fold: str,
    n_permutations: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Retrieval among test compounds, in both directions, by every kind of code, as it is and after alignment.

    The two modalities' specific codes live in spaces of their own, so that their cosine ("raw") is at chance whatever
    they know. "aligned" maps the phenotype's code to the molecule's linearly first (`align`).

    Parameters
    ----------
    codes : kind ("shared", "specific") -> role ("train", "validation", "test") -> codes.
    test_ids : compound_id of the rows of role "test".
    n_permutations : permuted pairings, for the p-value.

    Returns
    -------
    DataFrame
        LEAKAGE_COLUMNS: mean reciprocal rank with its bootstrap interval, chance and permutation p-value.
    """
    obs = pd.DataFrame({keys.COMPOUND_ID: test_ids}, index=pd.Index(test_ids, dtype=object))
    pairings = Pairings(n_permutations, rng)
    lines = []
    for kind, of_role in codes.items():
        test = of_role[keys.TEST]
        for alignment, vectors in {RAW: test, ALIGNED: align(*(of_role[role] for role in ROLES))}.items():
            scores = evaluate_embedding(
                vectors.phenotype,
                obs,
                vectors.molecule,
                test_ids,
                "compound",
                method=alignment,
                fold=fold,
                pairings=pairings,
                libraries=(WHOLE,),
            )
            table = summarize(scores.queries, scores.null, N_BOOTSTRAP, rng)
            found = table[(table["metric"] == MRR) & (table["fold"] != ALL_FOLDS)]
            lines.append(found.rename(columns={"value": MRR}).assign(code=kind, alignment=alignment, fold=fold))
    return pd.concat(lines, ignore_index=True)[LEAKAGE_COLUMNS]


def align(train: RoleCodes, validation: RoleCodes, test: RoleCodes) -> RoleCodes:
    """Map the phenotype's codes into the space of the molecule's, and centre both, for cosines.

    Ridge regression fitted on training compounds; the ridge with the least squared error on validation compounds.
    Means are those of training compounds, so that nothing is fitted on test compounds.
    """
    svd, center = decompose(_wide(train.phenotype)), _wide(train.molecule).mean(axis=0)
    projected = svd.u.T @ _wide(train.molecule)
    wanted = _wide(validation.molecule) - center
    errors = [((wanted - path) ** 2).sum() for path in svd.paths(_wide(validation.phenotype), projected)]
    best = (RIDGES[int(np.argmin(errors))],)
    return RoleCodes(svd.paths(_wide(test.phenotype), projected, best)[0], _wide(test.molecule) - center)


def _wide(codes: NDArray[Any]) -> Floats:
    return np.asarray(codes, dtype=np.float64)
