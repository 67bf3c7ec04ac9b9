"""What the files of the hand-over are, and what their columns mean."""

from collections.abc import Mapping, Sequence

import pandas as pd

from dssl import keys
from dssl.evaluation.compound_columns import COMPOUND_ID, NAME, Column, compound_columns, kept
from dssl.report.handover.colors import COLORS
from dssl.report.handover.formulas import RISKY

COMPOUNDS, NEIGHBORS, HITS = "compounds.csv", "neighbours.csv", "hits.csv"
PROFILES_SHARED, PROFILES_SPECIFIC = "profiles_shared.csv", "profiles_specific.csv"
MOLECULES_SHARED, MOLECULES_SPECIFIC = "molecules_shared.csv", "molecules_specific.csv"
VARIANCE = "feature_variance.csv"
DICTIONARY = "data_dictionary.csv"
FILES = {
    "report.html": "The whole story of the screen, to read first: quality, retrieval with controls, what the codes know.",
    "explorer.html": "Maps of the codes to look around in, search and select; opens in a browser, without network.",
    COMPOUNDS: "One row per compound: what was measured, how well it was found while held out, what to look at first.",
    "compounds.xlsx": "The same for Excel, in the order of priority, with structures drawn in the cells.",
    "compounds.sdf": "The same structures with the same columns as properties, for chemistry software.",
    HITS: "Held-out retrieval: which molecules a phenotype found, and which phenotypes a molecule found.",
    NEIGHBORS: "Each compound's nearest compounds in each code of the model that is handed over.",
    PROFILES_SHARED: "Shared code of each compound's mean phenotype, and its place on the map.",
    PROFILES_SPECIFIC: "Specific code of each compound's mean phenotype, and its place on the map.",
    MOLECULES_SHARED: "Shared code of each compound's molecule (or second assay), and its place on the map.",
    MOLECULES_SPECIFIC: "Specific code of each compound's molecule (or second assay), and its place on the map.",
    VARIANCE: "How much of each measured feature's variance the shared and the specific code explain, held out.",
    "profiles.h5ad": "AnnData of the mean phenotypes: normalised features, codes, maps, colours; scanpy and cellxgene open it.",
    "molecules.h5ad": "AnnData of the molecules (or second assay): features, codes, maps, colours.",
    "screen.h5mu": "MuData of both, compound by compound; muon and mudata open it.",
    DICTIONARY: "What each column of the CSV files means, its unit, and its chance level.",
}
DIRECTION = Column("direction", "what was asked: phenotype_to_molecule or molecule_to_phenotype")
PRECISION = "chance that the item is the right one, if exactly one item of the library is"
SPACES = "shared_phenotype, shared_molecule, specific_phenotype or specific_molecule"


def hit_columns(kept_names: Sequence[str]) -> tuple[Column, ...]:
    """The data dictionary of the hits."""
    return (
        DIRECTION,
        Column(keys.FOLD, "fold whose model was asked; query and library are what it held out"),
        Column("query_id", "compound_id of the compound that was asked about"),
        Column("query_name", "its name, as given"),
        Column(
            "rank",
            "place of the item; tied items at their expected rank",
            "1 to library_size",
            "(library_size + 1) / 2",
        ),
        Column("item_id", "compound_id of the item"),
        Column("item_name", "its name, as given"),
        *(Column(f"item_{name}", f"of the item: {name}, {kept(name).meaning}") for name in kept_names),
        Column(
            "own",
            "whether the item is the query's own compound, the right answer; its row is there whatever its rank",
            "true/false",
            "chance_own",
        ),
        Column("cosine", "cosine of the two shared codes: what is ranked by", "-1 to 1", "see percentile_other"),
        Column("percentile", "share of the other items that this one beats", "0 to 1", "0.5 on average"),
        Column(keys.LIBRARY_SIZE, "held-out compounds of the fold", "compounds"),
        Column("chance_own", "chance that an item drawn at random is the right one: 1 / library_size", "0 to 1"),
        Column(
            "percentile_match", "share of held-out right pairs whose cosine is lower", "0 to 1", "0.5 for a right pair"
        ),
        Column(
            "percentile_other", "share of held-out wrong pairs whose cosine is lower", "0 to 1", "0.5 for a wrong pair"
        ),
        Column(
            "precision",
            f"{PRECISION}: calibrated on the same held-out compounds",
            "0 to 1",
            "chance_own",
        ),
        Column("precision_low", "lower end of its 95 % interval", "0 to 1", "chance_own"),
        Column("precision_high", "upper end of its 95 % interval", "0 to 1", "chance_own"),
    )


def neighbor_columns(kept_names: Sequence[str]) -> tuple[Column, ...]:
    """The data dictionary of the neighbours."""
    return (
        Column("code", f"code in which they are near: {SPACES}"),
        COMPOUND_ID,
        NAME,
        Column(
            "rank", "place of the neighbour among all other compounds; tied ones at their expected rank", "1, 2, ..."
        ),
        Column("neighbor_id", "compound_id of the neighbour"),
        Column("neighbor_name", "its name, as given"),
        *(Column(f"neighbor_{name}", f"of the neighbour: {name}, {kept(name).meaning}") for name in kept_names),
        Column("cosine", "cosine of the two codes", "-1 to 1", "median_cosine"),
        Column("median_cosine", "median cosine of the compound with all others: what a random compound has", "-1 to 1"),
        Column(
            "in_training",
            "whether the model was trained on them: both, only the compound, only the neighbour, neither. Nearness of "
            "compounds that the model has seen is a description, no evidence; hits.csv and report.html have the held-out "
            "figures",
        ),
    )


def code_columns(code: str, what: str, size: int) -> tuple[Column, ...]:
    """The data dictionary of a table of codes."""
    return (
        Column("row", "name of the row, also in the .h5ad files: the compound_id, with its role where it has several"),
        COMPOUND_ID,
        NAME,
        Column(keys.SPLIT, "role in the fold of the model that is handed over: train, validation, test or left out"),
        Column("umap_1", "first coordinate of the map of these codes; axes and distances between groups mean nothing"),
        Column("umap_2", "second coordinate of the map"),
        Column(
            f"{code}_1 to {code}_{size}",
            f"coordinates of the {code} code of the {what}; only all together mean something, by their cosine with others",
        ),
    )


def variance_columns(annotation: Sequence[str]) -> tuple[Column, ...]:
    """The data dictionary of the features' variance."""
    share = "share of the feature's variance, over held-out compounds, that {} explains; mean over folds"
    spread = "{} of `{}` over folds"
    return (
        Column("feature", "name of the feature, as in profiles.h5ad"),
        *(Column(name, "annotation of the feature") for name in annotation),
        Column("shared", share.format("only the shared code"), "0 to 1", "chance_r2_shared"),
        Column("specific", share.format("only the specific code"), "0 to 1", "chance_r2_specific"),
        Column("both", share.format("either code"), "0 to 1"),
        Column("neither", share.format("no code"), "0 to 1", "1"),
        *(
            Column(f"{name}_{end}", spread.format(end, name), "0 to 1")
            for name in ("shared", "specific")
            for end in ("lowest", "highest")
        ),
        Column("chance_r2_shared", "what the shared code of other compounds explains", "0 to 1"),
        Column("chance_r2_specific", "what the specific code of other compounds explains", "0 to 1"),
        Column("n_folds", "folds in which the feature was examined", "folds"),
    )


def data_dictionary(columns: Mapping[str, Sequence[Column]]) -> pd.DataFrame:
    """One row per column of every file: file, column, meaning, unit, chance_level."""
    rows = [(file, *column) for file, of_file in columns.items() for column in of_file]
    return pd.DataFrame(rows, columns=["file", "column", "meaning", "unit", "chance_level"])


def compound_dictionary(table: pd.DataFrame) -> tuple[Column, ...]:
    """The data dictionary of a compound table, with the columns that were carried along."""
    return compound_columns(kept_names(table))


def kept_names(table: pd.DataFrame) -> list[str]:
    """Columns of a compound table that the user asked to carry along."""
    own = {column.name for column in compound_columns([])}
    return [str(name) for name in table.columns if name not in own]


def notes(fold: str, obs: pd.DataFrame, simulated: bool, second_assay: str) -> list[str]:
    """What has to be known before anything is concluded from the files.

    Parameters
    ----------
    fold : whose model is handed over.
    obs : of the embedded molecules.
    simulated : whether the data are.
    second_assay : what stands in place of the molecules; "" for molecules themselves.
    """
    trained = int((obs[keys.SPLIT].astype(str) == keys.TRAIN).sum())
    held_out = (
        "each compound was ranked by a model that had seen neither it nor any compound of its library."
        if keys.ORIGINAL_ID not in obs
        else "each compound was ranked by wells that the model had not seen; of known compounds it had seen other wells."
    )
    return [
        *(["The data are simulated: nothing here says anything about real compounds."] if simulated else []),
        *(
            [
                f"This screen compares two phenotypes: where files and columns say molecule, it is the compound's {second_assay}, "
                "its mean profile in the second assay. Structures only identify the compounds."
            ]
            if second_assay
            else []
        ),
        f"Codes, maps and neighbours are of the model of fold {fold}. It was trained on {trained} of {len(obs)} compounds: "
        "for these they describe, and are no evidence that the model finds anything. The columns seen_in_handover_model, "
        "in_training and split say which they are.",
        f"Ranks, percentiles and hits.csv are held out: {held_out} Read them beside the "
        "library's size and the chance level, and report.html before all: it has the controls and the intervals.",
        "priority orders compounds by a simple rule (data_dictionary.csv); it is a list for the next experiment, not a "
        "test. Compounds that stand first because they ranked well will on average do less well when they are repeated.",
        f"In the CSV files a text that begins with {' '.join(RISKY[:4])} or with an apostrophe, a tab or a line end has "
        "an apostrophe before it, so that no spreadsheet runs it. Take one leading apostrophe away to have the text as it "
        "was. Excel, SDF, .h5ad and .h5mu files have the texts as they are.",
        f"Colours of categories tell apart up to {len(COLORS)} of them, with common colour blindness too (eight hues, "
        "then the same lighter and darker); where there are more, the most frequent have colours and the others are grey.",
    ]
