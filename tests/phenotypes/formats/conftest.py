import numpy as np
import pandas as pd
import pytest

from dssl.settings.preparation import SimulateScreenSettings
from dssl.simulate.screen import simulate_screen


@pytest.fixture(scope="session")
def wells() -> pd.DataFrame:
    """A plate of the simulated screen, its features as whole numbers without gaps: every format can hold them."""
    settings = SimulateScreenSettings(n_compounds=20, n_plate_maps=1, n_replicates=1, n_features=60)
    plate = simulate_screen(settings).plates["map01_rep1"]
    features = [name for name in plate.columns if name.startswith(("Cells_", "Cytoplasm_", "Nuclei_"))]
    plate[features] = np.rint(np.nan_to_num(plate[features].to_numpy())).clip(-1e5, 1e5)
    assert plate[features].to_numpy().std() > 1
    return plate.assign(Cell_Count=3, Plate="P").reset_index(drop=True)
