"""The table of compounds that the report, the explorer and the hand-over show."""

from pathlib import Path

import pandas as pd
from pandas.api.types import is_numeric_dtype

from dssl import keys
from dssl.io import naming_damage, read_table, write_table
from dssl.settings.evaluation import DescribeCompoundsSettings
from dssl.settings.inputs import MoleculeTableSettings
from dssl.steps.registry import Input, Inputs, Output, step

TEXT_OF_FOLDS = (keys.FOLD, keys.COMPOUND_ID, "query")
RANKED = ("method", "level", "library", "direction", "mean_normalized_rank", keys.LIBRARY_SIZE, *TEXT_OF_FOLDS[:2])


@step
def describe_compounds(
    *,
    settings: DescribeCompoundsSettings,
    columns: MoleculeTableSettings,
    fold: str,
    pairs: Input,
    compounds: Input,
    activity: Input,
    queries: Inputs,
    described: Inputs,
    table: Output,
) -> None:
    """Describe every compound: what was measured, its held-out ranks, and whether to look at it first."""
    from dssl.evaluation.compound_columns import YES_NO
    from dssl.evaluation.compound_table import compound_table, held_out_ranks
    from dssl.steps.strata import activity_of

    embedded = read_obs(compounds, "obs")
    ids = embedded.get(keys.ORIGINAL_ID, embedded[keys.COMPOUND_ID]).astype(str).drop_duplicates()
    molecules = read_obs(pairs, f"mod/{keys.MOLECULE}/obs")
    called = read_table(activity, text_columns=[keys.COMPOUND_ID])
    by_compound = called.drop_duplicates(keys.COMPOUND_ID).set_index(keys.COMPOUND_ID)
    scores = (
        by_compound[["mean_average_precision", "q_value"]]
        .round(6)
        .set_axis([keys.ACTIVITY_MAP, keys.ACTIVITY_P_FDR], axis=1)
    )
    ranked = held_out_ranks(_folds(queries, RANKED))
    similar = _folds(described).drop_duplicates(keys.COMPOUND_ID).set_index(keys.COMPOUND_ID)
    found = compound_table(
        list(ids),
        molecules,
        read_obs(pairs, f"mod/{keys.PHENOTYPE}/obs"),
        [name for name in dict.fromkeys(columns.keep) if name in molecules.columns],
        ranked.assign(**{keys.TRAINING_SIMILARITY: similar["nearest_training_similarity"].round(6)}),
        scores.assign(**{keys.ACTIVE: activity_of(called)}),
        molecules[keys.fold_column(fold)]
        .astype(str)
        .str.split("|", regex=False)
        .map(lambda roles: keys.TRAIN in roles),
        settings.novel_below,
        settings.confident_above,
    )
    said = {name: found[name].map({True: "true", False: "false"}) for name in YES_NO}
    write_table(table, found.assign(**said))


def read_compounds(path: Path) -> pd.DataFrame:
    """Read the compound table: text as text, yes and no as booleans that may be missing."""
    from dssl.evaluation.compound_columns import TEXT, YES_NO

    table = read_table(path, text_columns=[*TEXT, *YES_NO])
    said = {name: table[name].map({"true": True, "false": False}).astype("boolean") for name in YES_NO}
    return table.assign(**said)


def label_of(table: pd.DataFrame, colors: list[str]) -> str | None:
    """The column that describes a compound in lists: the first that colours, else the first that was carried along."""
    from dssl.evaluation.compound_columns import compound_columns

    known = {each.name for each in compound_columns([])}
    carried = [str(name) for name in table.columns if name not in known and not is_numeric_dtype(table[name])]
    return next(iter([*(name for name in colors if name in table), *carried]), None)


def read_obs(path: Path, group: str) -> pd.DataFrame:
    """Read a table inside an .h5ad or .h5mu, without the matrices beside it."""
    import h5py
    from anndata.io import read_elem

    with naming_damage(path), h5py.File(path) as opened:
        table: pd.DataFrame = read_elem(opened[group])
    return table


def _folds(paths: list[Path], columns: tuple[str, ...] | None = None) -> pd.DataFrame:
    return pd.concat([read_table(path, columns, TEXT_OF_FOLDS) for path in paths], ignore_index=True)
