"""What the columns of the compound table mean: said once, for the table, the report, and everything that is handed over."""

from collections.abc import Iterable
from typing import NamedTuple

from dssl import keys


class Column(NamedTuple):
    """One entry of a data dictionary.

    Attributes
    ----------
    name : the column.
    meaning : what it says, how it was found, and when it is empty.
    unit : unit, or range of values; "" for text.
    chance : its value where nothing was learned; "" where that is no question.
    """

    name: str
    meaning: str
    unit: str = ""
    chance: str = ""


COMPOUND_ID = Column(keys.COMPOUND_ID, "identifier of the compound in this screen")
NAME = Column(keys.NAME, "readable name, as given")
SMILES = Column(keys.SMILES, "standardised structure, as the model was given it")
INCHIKEY = Column(keys.INCHIKEY, "InChIKey of the standardised structure")

_OF_HELD_OUT = (
    "of the fold in which the compound was held out (of the first, where there are several); empty if it never was"
)
_RANK = "among all held-out {items} of that fold; tied items at their expected rank; empty if never held out"
_PERCENTILE = (
    "share of the other held-out {items} that the compound's own beats, 1 = first; empty if never held out or if there "
    "is no other"
)
MEASURED = (
    Column(keys.N_WELLS, "wells of the compound that are used, over all doses and plates", "wells"),
    Column(keys.N_PLATES, "plates that these wells are on", "plates"),
    Column(keys.DOSES_UM, "doses of these wells, ascending, separated by ;", "uM"),
    Column(keys.CELL_COUNT, "mean cell count of these wells, as given", "cells, or relative to controls, as given"),
    Column(
        keys.ACTIVITY_MAP,
        "mean average precision with which the compound's replicates find one another before the controls",
        "0 to 1",
        "call_activity/activity.tsv, column chance: it depends on the number of replicates and controls",
    ),
    Column(
        keys.ACTIVITY_P_FDR,
        "p-value of activity_map against permuted labels, corrected for all compounds (Benjamini-Hochberg)",
        "0 to 1",
        "uniform before the correction",
    ),
    Column(keys.ACTIVE, "whether the phenotype differs from the controls; empty where it could not be called", "true/false"),
    Column(keys.FOLD, "fold in which the compound was held out (the first, where there are several); empty if never"),
    Column(keys.LIBRARY_SIZE, f"held-out compounds {_OF_HELD_OUT}", "compounds"),
    Column(keys.CHANCE_RANK, "mean rank of a ranking that knows nothing: (library_size + 1) / 2", "rank"),
    Column(
        keys.RANK_PHENOTYPE_TO_MOLECULE,
        f"rank of the compound's own molecule for its phenotype, {_RANK.format(items='molecules')}",
        "1 to library_size",
        "chance_rank",
    ),
    Column(
        keys.PERCENTILE_PHENOTYPE_TO_MOLECULE, _PERCENTILE.format(items="molecules"), "0 to 1", "0.5 on average"
    ),
    Column(
        keys.RANK_MOLECULE_TO_PHENOTYPE,
        f"rank of the compound's own phenotype for its molecule, {_RANK.format(items='phenotypes')}",
        "1 to library_size",
        "chance_rank",
    ),
    Column(
        keys.PERCENTILE_MOLECULE_TO_PHENOTYPE, _PERCENTILE.format(items="phenotypes"), "0 to 1", "0.5 on average"
    ),
    Column(
        keys.TRAINING_SIMILARITY,
        "Tanimoto similarity to the nearest training molecule of the fold in which the compound was held out",
        "0 to 1",
    ),
    Column(
        keys.SEEN_IN_HANDOVER_MODEL,
        "whether the model whose codes are handed over was trained on this compound: its codes there are no held-out "
        "evidence",
        "true/false",
    ),
    Column(
        keys.PRIORITY,
        "1 = look at first: active before not called before inactive; then confident, never held out, not confident; "
        "then novel, similarity not known, not novel; then the lower of the two percentiles, highest first",
        "1 to the number of compounds",
    ),
    Column(keys.PRIORITY_REASON, "the three answers behind the priority, in words"),
    Column(
        keys.NOVEL, "whether training_similarity is below describe_compounds.novel_below; empty if not known", "true/false"
    ),
    Column(
        keys.CONFIDENT,
        "whether both percentiles are at least describe_compounds.confident_above; empty if never held out",
        "true/false",
        "in each direction 1 - confident_above of the compounds",
    ),
)  # fmt: skip
TEXT = (
    keys.COMPOUND_ID,
    keys.NAME,
    keys.SMILES,
    keys.INCHIKEY,
    keys.DOSES_UM,
    keys.FOLD,
    keys.PRIORITY_REASON,
)
YES_NO = (keys.ACTIVE, keys.SEEN_IN_HANDOVER_MODEL, keys.NOVEL, keys.CONFIDENT)


def kept(name: str) -> Column:
    """The entry of a column that the user asked to carry along."""
    return Column(name, "as given in the table of molecules (molecules.keep)")


def compound_columns(kept_names: Iterable[str]) -> tuple[Column, ...]:
    """The data dictionary of the compound table, in the order of its columns."""
    return (COMPOUND_ID, NAME, SMILES, INCHIKEY, *map(kept, kept_names), *MEASURED)
