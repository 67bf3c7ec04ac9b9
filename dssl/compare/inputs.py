"""What differs in settings, data and versions."""

import json
from typing import Any

import pandas as pd

from dssl.compare.results import Results
from dssl.manifest import settings_of
from dssl.settings.base import flatten

ABSENT = "absent"
CHECKSUM_DIGITS = 12
COUNTED = {
    "compounds with both": "pair_and_split/folds.tsv",
    "molecules": "standardize_molecules/molecules.tsv",
    "molecules rejected": "standardize_molecules/rejected.tsv",
    "compounds excluded": "pair_and_split/excluded_compounds.tsv",
    "wells excluded or controls": "pair_and_split/excluded_wells.tsv",
    "wells embedded": "embed_screen/fold~{fold}/wells.csv.gz",
    "features dropped": "assemble_profiles/dropped_features.tsv",
}


def changed_settings(a: Results, b: Results) -> pd.DataFrame:
    """Settings whose values differ: key, a, b."""
    return _differing(flatten(settings_of(a.manifest)), flatten(settings_of(b.manifest)), "setting")


def changed_versions(a: Results, b: Results) -> pd.DataFrame:
    """Packages whose versions differ: package, a, b."""
    return _differing(a.versions(), b.versions(), "package")


def changed_tables(a: Results, b: Results) -> pd.DataFrame:
    """Input tables whose checksums differ, or that only one run has: table, a, b (first digits of the SHA-256)."""
    return _differing(_short(a.inputs()), _short(b.inputs()), "table")


def counts(a: Results, b: Results) -> pd.DataFrame:
    """How much there is of what: what, a, b, difference."""
    rows = []
    for what, name in COUNTED.items():
        first, second = (len(each.table(name.format(fold=each.folds("embed_screen")[0]))) for each in (a, b))
        rows.append({"what": what, "a": first, "b": second, "difference": second - first})
    return pd.DataFrame(rows)


def compounds_gained_and_lost(a: Results, b: Results) -> pd.DataFrame:
    """Compounds, by InChIKey, that only one run has: change ("gained" by b, or "lost"), inchikey, compound."""
    lost = [{"change": "lost", "inchikey": key, "compound": a.screened[key]} for key in a.screened.keys() - b.screened]
    gained = [
        {"change": "gained", "inchikey": key, "compound": b.screened[key]} for key in b.screened.keys() - a.screened
    ]
    rows = sorted(lost + gained, key=lambda row: (row["change"], row["compound"]))
    return pd.DataFrame(rows, columns=["change", "inchikey", "compound"])


def _differing(a: dict[str, Any], b: dict[str, Any], name: str) -> pd.DataFrame:
    rows = [
        {name: key, "a": _text(a, key), "b": _text(b, key)}
        for key in sorted(a.keys() | b.keys())
        if (key in a) != (key in b) or a[key] != b[key]
    ]
    return pd.DataFrame(rows, columns=[name, "a", "b"])


def _text(values: dict[str, Any], key: str) -> str:
    if key not in values:
        return ABSENT
    value = values[key]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _short(checksums: dict[str, str]) -> dict[str, str]:
    return {name: checksum[:CHECKSUM_DIGITS] for name, checksum in checksums.items()}
