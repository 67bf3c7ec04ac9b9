"""A whole simulated screen: the tables a lab would hand over, and the truth behind them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from dssl.keys import COMPOUND_ID
from dssl.settings.preparation import SimulateScreenSettings
from dssl.simulate.features import design_features
from dssl.simulate.layout import plate_maps
from dssl.simulate.library import drug_like_library
from dssl.simulate.orders import order_table
from dssl.simulate.planted import CELL_STATE, MOLECULE_FACTOR, SHARED_FACTORS, plant_compounds
from dssl.simulate.plates import draw_nuisance, round_significant, simulate_plate


@dataclass(frozen=True)
class SimulatedScreen:
    """Tables of a screen and its planted truth.

    Attributes
    ----------
    molecules : DataFrame
        compound_id, name, smiles, mechanism; with salts, duplicates and one broken SMILES.
    plates : dict of str to DataFrame
        By plate name: Plate, Well, Batch, Compound, Role ("control", "treatment"), Dose_uM, Cell_Count, features.
    truth_wells : DataFrame
        plate, well, response, cell_state, plate_effect, edge_effect, dead.
    truth_compounds : DataFrame
        compound_id (every id of `molecules`), shared_1..3, cell_state, molecule_only, active.
    truth_features : DataFrame
        feature, compartment, channel, kind, and the loading of each factor.
    """

    molecules: pd.DataFrame
    plates: dict[str, pd.DataFrame]
    truth_wells: pd.DataFrame
    truth_compounds: pd.DataFrame
    truth_features: pd.DataFrame


def simulate_screen(settings: SimulateScreenSettings) -> SimulatedScreen:
    """Simulate a Cell Painting screen with planted factors.

    Structure and phenotype share three factors; a cell state shows in the phenotype alone; one factor is in the
    structure alone; plates, batches (one per replicate) and well positions add theirs. The same seed gives equal
    tables.

    Raises
    ------
    ConfigError
        If the compounds do not fit the plate maps, or more compounds or features are asked for than there are.
    """
    rng = np.random.default_rng(settings.seed)
    library = drug_like_library(settings.n_compounds, rng)
    planted = plant_compounds(library, settings, rng)
    molecules, parents = order_table(library, rng)
    truth = planted.set_index(COMPOUND_ID).loc[[parents[each] for each in molecules[COMPOUND_ID]]]
    truth.index = pd.Index(molecules[COMPOUND_ID], name=COMPOUND_ID)
    molecules["mechanism"] = truth["mechanism"].to_numpy()
    plates, truth_wells, truth_features = _measure(list(molecules[COMPOUND_ID]), truth, settings, rng)
    columns = [*SHARED_FACTORS, CELL_STATE, MOLECULE_FACTOR, "active"]
    return SimulatedScreen(
        molecules=molecules,
        plates=plates,
        truth_wells=_rounded(truth_wells),
        truth_compounds=_rounded(truth[columns].reset_index()),
        truth_features=_rounded(truth_features),
    )


def _measure(
    compound_ids: list[str], truth: pd.DataFrame, settings: SimulateScreenSettings, rng: np.random.Generator
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame, pd.DataFrame]:
    layouts = plate_maps(compound_ids, settings, rng)
    design = design_features(settings.n_features, rng)
    common, edge_direction = (rng.standard_normal(settings.n_features)[design.copied_from] for _ in range(2))
    plates, truths = {}, []
    names = iter(settings.plate_names())  # replicate by replicate, as the loops below
    for replicate in range(1, settings.n_replicates + 1):
        batch = draw_nuisance(common, design, settings.plate_strength, rng)
        for layout in layouts:
            name = next(names)
            plate = draw_nuisance(common, design, settings.plate_strength, rng)
            features, cells, wells = simulate_plate(
                layout, truth, design, (batch, plate), edge_direction, settings, rng
            )
            described = pd.DataFrame(
                {
                    "Plate": name,
                    "Well": layout["well"],
                    "Batch": f"batch_{replicate}",
                    "Compound": layout[COMPOUND_ID],
                    "Role": layout["role"],
                    "Dose_uM": layout["dose_um"],
                    "Cell_Count": cells,
                }
            )
            plates[name] = pd.concat([described, features], axis=1)
            wells.insert(0, "plate", name)
            truths.append(wells)
    return plates, pd.concat(truths, ignore_index=True), design.table


def _rounded(frame: pd.DataFrame) -> pd.DataFrame:
    numbers = frame.select_dtypes("float").columns
    return frame.assign(**{column: round_significant(frame[column].to_numpy()) for column in numbers})
