"""Validation metrics of a pair of shared codes: retrieval in both directions, participation ratios."""

from torch import Tensor

from dssl.evaluation.dependence import participation_ratio
from dssl.evaluation.retrieval import DIRECTIONS, retrieval_metrics
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
    similarity = (phenotype @ molecule.T).double().cpu().numpy()
    for direction, matrix in zip(DIRECTIONS, (similarity, similarity.T), strict=True):
        found = retrieval_metrics(matrix)
        record |= {f"{name}_{direction}": found[name] for name in RETRIEVAL_METRICS}
    for name in RETRIEVAL_METRICS:
        record[name] = sum(record[f"{name}_{direction}"] for direction in DIRECTIONS) / len(DIRECTIONS)
    record[f"participation_ratio_{PHENOTYPE}"] = participation_ratio(phenotype.cpu().numpy())
    record[f"participation_ratio_{MOLECULE}"] = participation_ratio(molecule.cpu().numpy())
    return record
