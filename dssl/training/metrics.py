"""Validation metrics of a pair of shared codes: retrieval in both directions, participation ratios."""

import numpy as np
from torch import Tensor

from dssl.evaluation.dependence import participation_ratio
from dssl.evaluation.ranking import CHUNK_CELLS
from dssl.evaluation.ranks import expected_metrics, tie_counts
from dssl.evaluation.retrieval import DIRECTIONS
from dssl.keys import MOLECULE, PHENOTYPE
from dssl.training.fit import Record

RETRIEVAL_METRICS = ("mrr", "mean_normalized_rank")


def shared_code_metrics(phenotype: Tensor, molecule: Tensor) -> Record:
    """Metrics of unit vectors (n, d) with matching rows.

    Returns
    -------
    dict
        `mrr_phenotype_to_molecule`, ... for both metrics and directions, the mean of both directions (`mrr`,
        `mean_normalized_rank`), and the participation ratio of each modality's code.
    """
    record: Record = {}
    for direction, sides in zip(DIRECTIONS, ((phenotype, molecule), (molecule, phenotype)), strict=True):
        record |= {f"{name}_{direction}": value for name, value in mean_retrieval(*sides).items()}
    for name in RETRIEVAL_METRICS:
        record[name] = sum(record[f"{name}_{direction}"] for direction in DIRECTIONS) / len(DIRECTIONS)
    record[f"participation_ratio_{PHENOTYPE}"] = participation_ratio(phenotype.cpu().numpy())
    record[f"participation_ratio_{MOLECULE}"] = participation_ratio(molecule.cpu().numpy())
    return record


def mean_retrieval(queries: Tensor, items: Tensor) -> Record:
    """Means of `RETRIEVAL_METRICS` over queries (n, d); a slice of the similarities (n, n) is in memory at a time."""
    n_rows = max(1, CHUNK_CELLS // len(items))
    parts = []
    for start in range(0, len(queries), n_rows):
        similarity = (queries[start : start + n_rows] @ items.T).double().cpu().numpy()
        matches = np.eye(len(similarity), len(items), k=start, dtype=bool)
        parts.append(expected_metrics(tie_counts(similarity, matches)))
    return {name: float(np.concatenate([part[name] for part in parts]).mean()) for name in RETRIEVAL_METRICS}
