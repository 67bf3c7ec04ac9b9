from collections.abc import Callable

import numpy as np
import pytest

from dssl.settings.learning import (
    CodeSettings,
    EncoderSettings,
    OptimizerSettings,
    TrainSharedSettings,
    TrainSpecificSettings,
    ViewSettings,
)
from dssl.training.data import TrainingData


class Planted:
    """Compounds whose phenotype and molecule share a factor and have one each of their own, mixed linearly."""

    def __init__(self, n_compounds: int, n_replicates: int, seed: int, mixing_seed: int = 99) -> None:
        rng, mixing = np.random.default_rng(seed), np.random.default_rng(mixing_seed)
        self.shared = rng.normal(size=(n_compounds, 4))
        self.own = {"phenotype": rng.normal(size=(n_compounds, 4)), "molecule": rng.normal(size=(n_compounds, 4))}
        maps = {name: mixing.normal(size=(8, 12)) / np.sqrt(8) for name in ("phenotype", "molecule")}
        clean = {name: np.hstack([self.shared, self.own[name]]) @ maps[name] for name in maps}
        self.well_compound = np.repeat(np.arange(n_compounds), n_replicates)
        wells = clean["phenotype"][self.well_compound]
        self.phenotype = wells + 0.2 * rng.normal(size=wells.shape)
        self.molecule = clean["molecule"]
        self.data = TrainingData.from_arrays(self.phenotype, self.well_compound, self.molecule)


@pytest.fixture(scope="session")
def planted() -> Callable[..., Planted]:
    return Planted


@pytest.fixture(scope="session")
def small_shared() -> TrainSharedSettings:
    """Seconds on one core."""
    return TrainSharedSettings(
        encoder=EncoderSettings(hidden_sizes=[32], dropout=0.1),
        code=CodeSettings(size=12),
        views=ViewSettings(phenotype_noise=0.1),
        optimizer=OptimizerSettings(epochs=4, batch_size=32, evaluate_every=1, checkpoint_every=1),
    )


@pytest.fixture(scope="session")
def small_specific() -> TrainSpecificSettings:
    return TrainSpecificSettings(
        encoder=EncoderSettings(hidden_sizes=[32], dropout=0.1),
        code=CodeSettings(size=10),
        optimizer=OptimizerSettings(epochs=3, batch_size=32, evaluate_every=1, checkpoint_every=1),
    )
