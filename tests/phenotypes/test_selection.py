import numpy as np

from dssl.phenotypes.selection import streamed_correlation, uncorrelated


def test_blocks_give_the_correlation_of_all_rows():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(60, 8)) @ rng.normal(size=(8, 8)) + 1e5
    blocks = np.split(values, [0, 7, 30])
    np.testing.assert_allclose(streamed_correlation(blocks), np.abs(np.corrcoef(values.T)), atol=1e-8)


def test_what_is_missing_counts_as_the_mean_and_constants_are_correlated_with_nothing():
    rng = np.random.default_rng(1)
    values = rng.normal(size=(30, 3))
    gaps = values.copy()
    gaps[4, 0] = np.nan
    filled = gaps.copy()
    filled[4, 0] = np.nanmean(gaps[:, 0])
    np.testing.assert_allclose(streamed_correlation([gaps]), np.abs(np.corrcoef(filled.T)), atol=1e-12)
    constant = values.copy()
    constant[:, 1] = 3.0
    np.testing.assert_array_equal(streamed_correlation([constant])[1], [0, 1, 0])


def test_of_disjoint_pairs_pycytominer_drops_as_many():
    """Where pairs do not overlap both rules keep one of each; which one depends on the mean, or the sum, of correlations."""
    import pandas as pd
    from pycytominer import feature_select

    rng = np.random.default_rng(2)
    first = rng.normal(size=(200, 6))
    values = np.concatenate([first, first + 0.05 * rng.normal(size=first.shape)], axis=1)
    names = [f"Cells_f{column}" for column in range(12)]
    theirs = feature_select(
        pd.DataFrame(values, columns=names), features=names, operation="correlation_threshold", corr_threshold=0.9
    )
    keep, reasons = uncorrelated(streamed_correlation([values]), names, 0.9)
    assert {name for name, kept in zip(names, keep, strict=True) if kept} == set(theirs.columns)
    assert len(reasons) == 6
