"""Counts of transcripts -> log-scaled expression, well by well."""

import logging

import numpy as np
from anndata import AnnData

from dssl.errors import TableError, first_few
from dssl.settings.inputs import CountSettings

logger = logging.getLogger(__name__)

TOTAL_COUNTS, N_GENES = "total_counts", "n_genes"


def log_expression(wells: AnnData, settings: CountSettings, source: str) -> AnnData:
    """Scale every well's counts to one total and take log(1 + x): scanpy's normalize_total and log1p.

    Each well is treated by itself, so that nothing is fitted. Wells with a total below `min_total` are empty: all of
    their values are missing, and `normalize_plate` flags them qc_missing. obs gains total_counts and n_genes (features
    with a count).

    Raises
    ------
    TableError
        If a count is negative.
    """
    import scanpy

    counts = np.asarray(wells.X, dtype=np.float64)
    negative = np.flatnonzero((counts < 0).any(axis=0))
    if negative.size:
        raise TableError(
            f"{source}: counts are negative in {negative.size} features: {first_few(wells.var_names[negative])}\n"
            "Set plates.counts: null if the values are not counts (log ratios, z-scores)."
        )
    totals = np.nansum(counts, axis=1)
    empty = totals < settings.min_total
    if empty.any():
        logger.warning("%s: %d wells have fewer counts than min_total: empty", source, empty.sum())
    if not np.array_equal(np.nan_to_num(counts), np.rint(np.nan_to_num(counts))):
        logger.warning("%s: the counts are not whole numbers", source)
    scaled = AnnData(np.nan_to_num(counts[~empty]).astype(np.float32))
    scanpy.pp.normalize_total(scaled, target_sum=settings.target_sum)
    scanpy.pp.log1p(scaled)
    values = np.full(counts.shape, np.nan, dtype=np.float32)
    values[~empty] = np.where(np.isnan(counts[~empty]), np.nan, scaled.X)
    obs = wells.obs.assign(**{TOTAL_COUNTS: totals, N_GENES: (counts > 0).sum(axis=1).astype(np.float64)})
    return AnnData(values, obs=obs, var=wells.var.copy())
