"""Which columns of a user's plate table mean what."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from dssl import keys
from dssl.errors import ConfigError, TableError, first_few
from dssl.settings.inputs import FeatureColumns, PlateTableSettings

RESERVED = frozenset(
    {
        keys.PLATE,
        keys.WELL,
        keys.BATCH,
        keys.COMPOUND_ID,
        keys.DOSE_UM,
        keys.IS_CONTROL,
        keys.CELL_COUNT,
        *keys.QC_FLAGS,
        keys.TREATMENT,
        keys.N_WELLS,
        keys.GROUP,
        keys.SPLIT,
    }
)


@dataclass(frozen=True)
class PlateColumns:
    """Columns of one table that are read: those that describe wells, and the features."""

    metadata: list[str]
    features: list[str]


def needed_columns(columns: Sequence[str], plates: PlateTableSettings, source: str = "plate table") -> list[str]:
    """Names of the columns that are read from a table with these `columns`: first metadata, then features.

    Raises
    ------
    TableError
        As `resolve_columns`; nothing but the table's header is needed.
    """
    resolved = resolve_columns(columns, plates, source)
    return resolved.metadata + resolved.features


def text_columns(plates: PlateTableSettings) -> list[str]:
    """Names of the columns that are to be read as text: identifiers such as 00123 would lose their zeros."""
    named = plates.columns
    return [column for column in (named.compound_id, named.plate, named.well, named.batch) if column is not None]


def resolve_columns(columns: Sequence[str], plates: PlateTableSettings, source: str = "plate table") -> PlateColumns:
    """Find the columns that the settings name in a table's header.

    Parameters
    ----------
    columns : sequence of str
        The table's header.
    plates : PlateTableSettings
        The user's column names.
    source : str
        The table's name, for messages.

    Raises
    ------
    TableError
        If columns are missing or occur twice, no feature matches, a feature also describes wells, or a kept column has
        one of dssl's own names.
    ConfigError
        If `features.pattern` is not a regular expression.
    """
    present = list(dict.fromkeys(columns))
    if len(present) < len(columns):
        repeated = [column for column in present if list(columns).count(column) > 1]
        raise TableError(f"{source}: columns occur twice: {first_few(map(repr, repeated))}\nRename one of each.")
    roles = _roles(plates)
    missing = [(key, column) for key, column in roles if column not in present]
    missing += [("features.names", name) for name in plates.features.names or [] if name not in present]
    if missing:
        raise TableError(_missing_message(missing, present, source))
    _check_kept(plates.columns.keep, source)
    metadata = list(dict.fromkeys(column for _, column in roles))
    features = _matching(present, plates.features)
    if not features:
        examples = [column for column in present if column not in metadata]
        raise TableError(
            f"{source}: no feature column matches {_described(plates.features)}; among its {len(present)} columns are"
            f" {first_few(map(repr, examples or present))}\nCorrect plates.features (prefixes, names or pattern)."
        )
    both = [column for column in features if column in metadata]
    if both:
        key = next(key for key, column in roles if column == both[0])
        raise TableError(
            f"{source}: {first_few(map(repr, both))} would be read both as a feature and as plates.{key}"
            "\nLeave it out of plates.features (a pattern can exclude it), or out of the other key."
        )
    return PlateColumns(metadata, features)


def _roles(plates: PlateTableSettings) -> list[tuple[str, str]]:
    named = plates.columns
    roles = [
        (f"columns.{key}", getattr(named, key))
        for key in ("compound_id", "plate", "well", "batch", "dose", "cell_count")
        if getattr(named, key) is not None
    ]
    if plates.control is not None:
        roles.append(("control.column", plates.control.column))
    return roles + [("columns.keep", column) for column in named.keep]


def _missing_message(missing: list[tuple[str, str]], present: list[str], source: str) -> str:
    lower = {column.lower(): column for column in reversed(present)}
    described = []
    for key, column in missing:
        nearest = difflib.get_close_matches(column.lower(), lower, n=1, cutoff=0.4)
        hint = f", nearest: {lower[nearest[0]]!r}" if nearest else ""
        described.append(f"{column!r} (plates.{key}{hint})")
    return (
        f"{source}: {len(missing)} columns are missing: {first_few(described, 12)}"
        f"\nIt has {first_few(map(repr, present), 8)}; correct the names in the settings."
    )


def _check_kept(keep: list[str], source: str) -> None:
    taken = [column for column in keep if column in RESERVED or column.startswith("fold_")]
    if taken:
        raise TableError(
            f"{source}: kept columns {first_few(map(repr, taken))} have names that dssl itself writes"
            "\nRemove them from plates.columns.keep, or rename them in the table."
        )
    slashed = [column for column in keep if "/" in column]
    if slashed:
        raise TableError(
            f"{source}: kept columns {first_few(map(repr, slashed))} cannot be stored: .h5ad files allow no '/' there"
            "\nRemove them from plates.columns.keep, or rename them in the table."
        )


def _matching(present: list[str], features: FeatureColumns) -> list[str]:
    if features.prefixes is not None:
        return [column for column in present if column.startswith(tuple(features.prefixes))]
    if features.names is not None:
        return list(dict.fromkeys(features.names))
    try:
        pattern = re.compile(features.pattern or "")
    except re.error as error:
        raise ConfigError(
            f"plates.features.pattern: {features.pattern!r} is not a regular expression ({error}); correct it"
        ) from None
    return [column for column in present if pattern.fullmatch(column)]


def _described(features: FeatureColumns) -> str:
    if features.prefixes is not None:
        return f"the prefixes {first_few(map(repr, features.prefixes))}"
    return f"the pattern {features.pattern!r}" if features.pattern is not None else "an empty list of names"
