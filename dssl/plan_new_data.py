"""What a screen's `new_data` consists of, and what its trained model is told of the screen's settings."""

from pathlib import Path

from dssl.errors import ConfigError, first_few
from dssl.plan import expand, locate
from dssl.settings.new_data import AppliedSecondAssay, AppliedSettings, EmbedSettings, NewDataSettings, QuerySettings
from dssl.settings.screen import ScreenSettings


def applied_settings(screen: ScreenSettings) -> AppliedSettings:
    """What new data are treated with, as the screen was: for the model's folder."""
    second = screen.second_assay
    applied_second = None
    if second is not None:
        plates = second.plates.model_copy(update={"tables": [], "plate_list": None})
        applied_second = AppliedSecondAssay(name=second.name, plates=plates, normalize_plate=second.normalize_plate)
    return AppliedSettings(
        screen=screen.screen,
        molecules=screen.molecules.model_copy(update={"table": None}),
        plates=screen.plates.model_copy(update={"tables": [], "plate_list": None}),
        standardize_molecules=screen.standardize_molecules,
        featurize_molecules=screen.featurize_molecules,
        normalize_plate=screen.normalize_plate,
        exclude_flags=screen.pair_and_split.exclude_flags,
        calibrate_scores=screen.calibrate_scores,
        second_assay=applied_second,
    )


def without_new_data(screen: ScreenSettings) -> ScreenSettings:
    """The screen itself, whatever its model is used for later."""
    return screen.model_copy(update={"new_data": {}, "embed": EmbedSettings(), "query": QuerySettings()})


def new_entry(screen: ScreenSettings, name: str) -> NewDataSettings:
    """One entry of `new_data`.

    Raises
    ------
    ConfigError
        If there is no such entry, or its library is none or itself.
    """
    known = sorted(screen.new_data)
    if name not in screen.new_data:
        raise ConfigError(f"new_data: there is no entry {name!r}; it has {first_few(known) or 'none'}")
    library = screen.new_data[name].library
    if library is not None and (library not in screen.new_data or library == name):
        raise ConfigError(
            f"new_data.{name}.library: {library!r} is not another entry of new_data; it has {first_few(known)}\n"
            "Name one of them, or leave it out to rank against the screen."
        )
    return screen.new_data[name]


def new_tables(screen: ScreenSettings, name: str) -> dict[str, list[Path]]:
    """Tables of one entry of `new_data`: "molecules" (one or none), "plates" and "second_plates"."""
    entry = new_entry(screen, name)
    table = entry.molecules.table if entry.molecules else None
    return {
        "molecules": [locate(screen, table)] if table else [],
        **{
            kind: [
                path for pattern in getattr(entry, kind) for path in expand(screen, pattern, f"new_data.{name}.{kind}")
            ]
            for kind in ("plates", "second_plates")
        },
    }


def new_settings(screen: ScreenSettings, name: str) -> tuple[EmbedSettings, QuerySettings]:
    """Settings of the steps embed and query for one entry of `new_data`: its own columns and the sections' numbers."""
    entry = new_entry(screen, name)
    columns = {"molecules": entry.molecules, "columns": entry.columns, "control": entry.control}
    own = {key: value for key, value in columns.items() if value is not None}
    return screen.embed.model_copy(update=own), screen.query.model_copy(update=own)


def ranked_entries(screen: ScreenSettings) -> list[str]:
    """Entries of `new_data` that are queries: all but those that serve others as their library."""
    libraries = {entry.library for entry in screen.new_data.values()}
    return [name for name in screen.new_data if name not in libraries]
