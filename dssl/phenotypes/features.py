"""Names of features: what they measure, where, and in which stain."""

from collections.abc import Iterable

import pandas as pd

from dssl.keys import CHANNEL, COMPARTMENT, MEASUREMENT

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
