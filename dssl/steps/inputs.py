"""Where a screen comes from: simulated, or fetched."""

from pathlib import Path

from dssl.io import stem_of, write_table
from dssl.settings.preparation import FetchScreenSettings, SimulateScreenSettings
from dssl.steps.registry import Output, Outputs, step


@step
def simulate_screen(
    *,
    settings: SimulateScreenSettings,
    molecules: Output,
    plates: Outputs,
    truth_wells: Output,
    truth_compounds: Output,
) -> None:
    """Simulate a screen with planted factors and write its tables as a lab would have them."""
    from dssl.simulate.screen import simulate_screen as simulate

    screen = simulate(settings)
    write_table(molecules, screen.molecules)
    for path in plates:
        write_table(path, screen.plates[stem_of(path)])
    write_table(truth_wells, screen.truth_wells)
    write_table(truth_compounds, screen.truth_compounds)


@step
def fetch_screen(*, settings: FetchScreenSettings, file: Output) -> None:
    """Fetch one public file, verify its checksum, and put it in place."""
    from dssl.fetch import fetch_file

    fetch_file(settings.files[Path(file).name], Path(file), settings.folder)
