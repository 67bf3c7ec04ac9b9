"""Names of features: what they measure, where, and in which stain."""

import logging
from collections.abc import Iterable

import pandas as pd

from dssl.errors import TableError, first_few
from dssl.keys import CHANNEL, COMPARTMENT, MEASUREMENT
from dssl.phenotypes.cells import settle_dtypes, text_of

logger = logging.getLogger(__name__)

COMPARTMENTS = frozenset({"Cells", "Cytoplasm", "Nuclei", "Image"})
MODULES = frozenset(
    {
        "AreaShape",
        "Children",
        "Correlation",
        "Count",
        "Granularity",
        "ImageQuality",
        "Intensity",
        "Location",
        "Neighbors",
        "Number",
        "ObjectSkeleton",
        "Parent",
        "RadialDistribution",
        "Texture",
    }
)

# spelling in lower case -> name of the stain; the second names are those of older Cell Painting screens
CHANNELS = {
    "dna": "DNA",
    "dapi": "DNA",
    "hoechst": "DNA",
    "er": "ER",
    "rna": "RNA",
    "syto": "RNA",
    "syto14": "RNA",
    "agp": "AGP",
    "actin": "AGP",
    "golgi": "AGP",
    "phgolgi": "AGP",
    "mito": "Mito",
    "mitotracker": "Mito",
    "brightfield": "Brightfield",
    "bf": "Brightfield",
    "bfhigh": "Brightfield",
    "bflow": "Brightfield",
}
_PROCESSED = ("orig", "corr", "illum")  # image names such as OrigDNA and CorrER


def parse_feature_names(names: Iterable[str]) -> pd.DataFrame:
    """Take CellProfiler's feature names apart.

    A name reads <compartment>_<module>_<measure>[_<stain>][_<numbers>], and the stain stands anywhere after the module:
    `Cells_Texture_SumAverage_Mito_5_0`, `Nuclei_Granularity_1_RNA`. A name with two stains
    (`Cells_Correlation_Manders_DNA_ER`) has both as its channel, sorted and joined by "+".

    Parameters
    ----------
    names : iterable of str
        Feature names of any kind.

    Returns
    -------
    DataFrame
        Indexed by name; columns compartment, channel, measurement (the CellProfiler module). Channel is "" where
        a name has no stain (shapes); all three are "" where the name is not CellProfiler's (an Entrez id).
    """
    index = pd.Index([str(name) for name in names], dtype=object)
    rows = [_parse(name) for name in index]
    return pd.DataFrame(rows, index=index, columns=[COMPARTMENT, CHANNEL, MEASUREMENT], dtype=object)


def _parse(name: str) -> tuple[str, str, str]:
    compartment, *rest = name.split("_")
    if len(rest) < 2 or not (compartment in COMPARTMENTS or rest[0] in MODULES):
        return "", "", ""
    channels = {channel for channel in map(_channel, rest[1:]) if channel}
    return compartment, "+".join(sorted(channels)), rest[0]


def _channel(part: str) -> str | None:
    lower = part.lower()
    for prefix in _PROCESSED:
        lower = lower.removeprefix(prefix)
    return CHANNELS.get(lower)


def annotate_features(var: pd.DataFrame, annotation: pd.DataFrame, source: str) -> pd.DataFrame:
    """Join the user's table of features to var.

    Parameters
    ----------
    var : DataFrame
        Indexed by feature name, as `parse_feature_names` gives it.
    annotation : DataFrame
        First column: the feature's name; the others are copied. A column called compartment, channel or measurement
        replaces the parsed one.
    source : str
        Name of the annotation table, for messages.

    Returns
    -------
    DataFrame
        var with the further columns; features that the table lacks have "" or NaN there (counted in the log).

    Raises
    ------
    TableError
        If a feature is described twice, no feature is described, or a column's name holds "/".
    """
    names = text_of(annotation.iloc[:, 0])
    repeated = names[names.duplicated() & names.isin(var.index)]
    if len(repeated):
        raise TableError(
            f"{source}: {repeated.nunique()} features are described more than once: {first_few(repeated.unique())}"
            "\nKeep one row for each feature (plates.features.annotation)."
        )
    known = var.index.isin(names)
    if not known.any():
        raise TableError(
            f"{source}: its first column {annotation.columns[0]!r} ({first_few(names, 3)}) names none of the"
            f" {len(var)} features ({first_few(var.index, 3)})\nPut the features' names first in"
            " plates.features.annotation."
        )
    added = [str(column) for column in annotation.columns[1:]]
    slashed = [column for column in added if "/" in column]
    if slashed:
        raise TableError(
            f"{source}: column {first_few(map(repr, slashed))} cannot be stored, because .h5ad files allow no '/' there"
            "\nRename it in the table of plates.features.annotation."
        )
    if not known.all():
        logger.warning("%s: %d of %d features are not described", source, (~known).sum(), len(var))
    table = annotation.set_axis([str(column) for column in annotation.columns], axis=1)
    table = table.iloc[:, 1:].set_index(names)
    described = settle_dtypes(table[~table.index.duplicated()].reindex(var.index), added)
    kept = var.drop(columns=[column for column in var.columns if column in added])
    return pd.concat([kept, described], axis=1)
