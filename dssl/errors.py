"""Exceptions. Messages say what was expected, what was found, and what to change."""

from collections.abc import Iterable


class DsslError(Exception):
    """Base of every error that a user can mend; the command line prints it without a traceback and exits 2."""


class ConfigError(DsslError):
    """A settings file is wrong."""


class TableError(DsslError):
    """An input table does not hold what the settings say."""


class PairingError(DsslError):
    """Profiles and molecules cannot be paired or split as asked."""


class LeakageError(DsslError):
    """Something of the validation or test rows reached the training rows."""


class NonFiniteLossError(DsslError):
    """A training loss became NaN or infinite."""


class IntegrityError(DsslError):
    """A file does not have the checksum that was promised."""


def first_few(items: Iterable[object], n: int = 5) -> str:
    """List the first `n` offenders for a message, and how many there are beyond them."""
    found = [str(item) for item in items]
    shown = ", ".join(found[:n])
    return shown if len(found) <= n else f"{shown} and {len(found) - n} more"
