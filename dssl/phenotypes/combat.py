"""ComBat, fitted on control wells, as a map that new wells can be given."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from dssl.phenotypes.group_scaling import GroupScaling
from dssl.phenotypes.statistics import Array, nan_median


def fit_combat(controls: Mapping[str, Array]) -> GroupScaling:
    r"""Location and scale of every batch by `scanpy.pp.combat` on control wells.

    ComBat (Johnson, Li, Rabinovic 2007) has no form for new wells, but what it does to a batch is one linear map of each
    feature. Controls are the same in every batch, so that the map tells batches apart and nothing else; it is read
    from the two most distant controls of the batch and holds for its treated wells too. Without covariates, because
    controls have none.

    Parameters
    ----------
    controls : mapping of str to ndarray, wells x features
        Passing control wells of two batches or more; every feature varies in each of them. Missing values count as
        the batch's median.
    """
    import scanpy
    from anndata import AnnData

    filled = [np.where(np.isnan(block), nan_median(block), block) for block in controls.values()]
    before = np.concatenate(filled)
    batches = np.repeat(list(controls), [len(block) for block in filled])
    index = pd.Index([str(row) for row in range(len(before))], dtype=object)
    wells = AnnData(before.copy(), obs=pd.DataFrame({"batch": pd.Categorical(batches)}, index=index))
    after = np.asarray(scanpy.pp.combat(wells, key="batch", inplace=False))
    maps = [_line(before[batches == batch], after[batches == batch]) for batch in controls]
    return GroupScaling(tuple(controls), np.stack([each[0] for each in maps]), np.stack([each[1] for each in maps]))


def _line(before: Array, after: Array) -> tuple[Array, Array]:
    """Slope and intercept of every column, from its smallest and its largest value."""
    column = np.arange(before.shape[1])
    low, high = before.argmin(axis=0), before.argmax(axis=0)
    slope = (after[high, column] - after[low, column]) / (before[high, column] - before[low, column])
    return slope, after[low, column] - slope * before[low, column]
