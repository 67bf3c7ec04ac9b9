"""CellProfiler-style features and how strongly each planted factor shows in them."""

from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dssl.errors import ConfigError
from dssl.keys import CHANNEL, COMPARTMENT
from dssl.simulate.planted import CELL_STATE, SHARED_FACTORS

Array = npt.NDArray[np.floating[Any]]

COMPARTMENTS = ("Cells", "Cytoplasm", "Nuclei")
CHANNELS = ("DNA", "ER", "RNA", "AGP", "Mito")
FACTORS = [*SHARED_FACTORS, CELL_STATE]
# compartment x channel blocks in which a factor is strong; "" is the channel of AreaShape
BLOCKS = {
    "shared_1": {("Nuclei", "DNA"), ("Nuclei", "RNA"), ("Nuclei", "")},
    "shared_2": {("Cytoplasm", "ER"), ("Cells", "ER"), ("Cytoplasm", "RNA")},
    "shared_3": {("Cells", "AGP"), ("Cytoplasm", "AGP"), ("Cells", "")},
    "cell_state": {("Cells", "Mito"), ("Cytoplasm", "Mito"), ("Nuclei", "Mito"), ("Cells", "RNA"), ("Nuclei", "AGP")},
}
_BACKGROUND = 0.08  # size of a factor outside its blocks, against about 1 inside

_FAMILIES = (
    [
        f"Intensity_{name}_{{channel}}"
        for name in (
            "MeanIntensity", "IntegratedIntensity", "StdIntensity", "MedianIntensity", "MaxIntensity", "MinIntensity",
            "UpperQuartileIntensity", "LowerQuartileIntensity", "MADIntensity", "MassDisplacement", "MeanIntensityEdge",
            "StdIntensityEdge",
        )
    ],
    [
        f"Texture_{name}_{{channel}}_{scale}_0"
        for scale in (5, 10, 20)
        for name in (
            "Entropy", "Contrast", "InverseDifferenceMoment", "AngularSecondMoment", "SumAverage", "Variance",
            "DifferenceEntropy", "InfoMeas1",
        )
    ],
    [f"RadialDistribution_{name}_{{channel}}_{ring}of4" for ring in (1, 2, 3, 4)
     for name in ("FracAtD", "MeanFrac", "RadialCV")],
    [f"Granularity_{scale}_{{channel}}" for scale in range(1, 9)],
)  # fmt: skip
_SHAPES = [
    f"AreaShape_{name}"
    for name in (
        "Area", "Eccentricity", "FormFactor", "Perimeter", "Solidity", "Compactness", "Extent", "MajorAxisLength",
        "MinorAxisLength", "MaxFeretDiameter", "MinFeretDiameter", "MeanRadius", "MedianRadius", "MaximumRadius",
        *(f"Zernike_{order}" for order in ("0_0", "1_1", "2_0", "2_2", "3_1", "3_3", "4_0", "4_2", "4_4")),
    )
]  # fmt: skip
# as in real screens: three features that pycytominer's blocklist names, and one that often cannot be computed
BLOCKLISTED = [f"Nuclei_Correlation_Manders_{pair}" for pair in ("AGP_DNA", "ER_RNA", "Mito_AGP")]
OFTEN_MISSING = "Cytoplasm_Correlation_RWC_DNA_AGP"


@dataclass(frozen=True)
class FeatureDesign:
    """Features of the simulated assay.

    Attributes
    ----------
    table : DataFrame
        feature, compartment, channel, kind ("signal", "copy", "constant", "blocklisted", "often_missing") and the
        loading of each factor.
    copied_from : ndarray of int
        Index of the feature that this one repeats; its own where it repeats none.
    location, scale : ndarray
        Of the raw values, in arbitrary units.
    skewed : ndarray of bool
        Whether raw values are log-normal rather than symmetric.
    """

    table: pd.DataFrame
    copied_from: npt.NDArray[np.intp]
    location: Array
    scale: Array
    skewed: npt.NDArray[np.bool_]

    @property
    def loadings(self) -> Array:
        """Features x factors."""
        return self.table[FACTORS].to_numpy(dtype=float)


def design_features(n_features: int, rng: np.random.Generator) -> FeatureDesign:
    """Name `n_features` features, spread evenly over compartments and channels, and draw their loadings.

    Raises
    ------
    ConfigError
        If more features are asked for than there are names.
    """
    table = _name_features(n_features)
    kinds = table["kind"].to_numpy()
    copied_from = np.arange(n_features)
    for _, members in table[table["kind"].isin(["signal", "copy"])].groupby([COMPARTMENT, CHANNEL], sort=False):
        originals = members.index[members["kind"] == "signal"]
        for copy in members.index[members["kind"] == "copy"]:
            copied_from[copy] = rng.choice(originals)
    for factor in FACTORS:
        strong = [pair in BLOCKS[factor] for pair in zip(table[COMPARTMENT], table[CHANNEL], strict=True)]
        size = np.where(strong, 1.0, _BACKGROUND) * rng.uniform(0.6, 1.4, n_features)
        loading = size * rng.choice([-1.0, 1.0], n_features) * (kinds != "constant")
        table[factor] = loading[copied_from]
    location = 10 ** rng.uniform(-1, 3, n_features)
    return FeatureDesign(
        table=table,
        copied_from=copied_from,
        location=location,
        scale=location * rng.uniform(0.02, 0.12, n_features) * (kinds != "constant"),
        skewed=table["feature"].str.contains("Integrated|_Area$|Granularity").to_numpy(),
    )


def _name_features(n_features: int) -> pd.DataFrame:
    per_channel = [name for name in chain.from_iterable(zip_longest(*_FAMILIES)) if name]
    special = [(name, "Nuclei", "", "blocklisted") for name in BLOCKLISTED]
    special.append((OFTEN_MISSING, "Cytoplasm", "", "often_missing"))
    rows = []
    for number, (measurement, shape) in enumerate(zip_longest(per_channel, _SHAPES)):
        repeats = number % 8 == 3  # the fourth, twelfth, ... measurement of a block is a copy of another one
        for compartment in COMPARTMENTS:
            constant = compartment == "Nuclei" and number % 10 == 9
            kind = "constant" if constant else "copy" if repeats else "signal"
            rows += [
                (f"{compartment}_{measurement.format(channel=channel)}", compartment, channel, kind)
                for channel in CHANNELS
            ]
            if shape:
                rows.append((f"{compartment}_{shape}", compartment, "", kind))
    most = len(rows) + len(special)
    if n_features > most:
        raise ConfigError(
            f"simulate_screen.n_features: {n_features} features are wanted, there are names for {most}\n"
            f"Set simulate_screen.n_features to {most} or less."
        )
    chosen = [*rows[: n_features - len(special)], *special]
    return pd.DataFrame(chosen, columns=["feature", COMPARTMENT, CHANNEL, "kind"])
