"""Choices of preprocessing that are compared: each differs from the configuration in a few keys."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from dssl.errors import ConfigError
from dssl.settings.base import Settings, explain
from dssl.settings.preparation import (
    AssembleProfilesSettings,
    NormalizePlateSettings,
    PairAndSplitSettings,
    PhenotypePreprocessingSettings,
)

CONFIGURED = "as configured"
_NO_CORRECTION = {"position": "none", "standardize": "none", "combat": False, "sphering": False}
# one option at a time; what agrees with the configuration is no choice and is left out
BUILT_IN: dict[str, dict[str, Any]] = {
    "no normalisation": {
        "normalize_plate": {"method": "none", "position": "none"},
        "assemble_profiles": _NO_CORRECTION,
    },
    "plates by mean and standard deviation": {"normalize_plate": {"method": "mean_std"}},
    "plates by median and MAD": {"normalize_plate": {"method": "median_mad"}},
    "plate rows and columns centred": {"normalize_plate": {"position": "median_polish"}},
    "plate rows and columns left": {"normalize_plate": {"position": "none"}},
    "rows and columns of all plates centred": {"assemble_profiles": {"position": "median_polish"}},
    "well positions centred": {"assemble_profiles": {"position": "well"}},
    "no centring over plates": {"assemble_profiles": {"position": "none"}},
    "batches standardised": {"assemble_profiles": {"standardize": "batch"}},
    "batches not standardised": {"assemble_profiles": {"standardize": "none"}},
    "ComBat": {"assemble_profiles": {"combat": True}},
    "no ComBat": {"assemble_profiles": {"combat": False}},
    "sphering": {"assemble_profiles": {"sphering": True, "sphering_scope": "all"}},
    "sphering by batch": {"assemble_profiles": {"sphering": True, "sphering_scope": "batch"}},
    "no sphering": {"assemble_profiles": {"sphering": False}},
    "Harmony": {"phenotype": {"harmony": {}}},
    "no Harmony": {"phenotype": {"harmony": None}},
    "reproducible features": {"phenotype": {"min_replicate_correlation": 0.2}},
    "features whatever their replicates": {"phenotype": {"min_replicate_correlation": None, "max_replicate_std": None}},
    "correlated features kept": {"phenotype": {"max_correlation": None}},
    "components not whitened": {"phenotype": {"whiten": "none"}},
    "components half whitened": {"phenotype": {"whiten": "half"}},
    "components whitened": {"phenotype": {"whiten": "full"}},
    "replicates pooled by MODZ": {"pair_and_split": {"pool": "modz"}},
    "replicates pooled by their mean": {"pair_and_split": {"pool": "mean"}},
    "replicates not pooled": {"pair_and_split": {"pool": "none"}},
}


@dataclass(frozen=True)
class Choice:
    """Settings of the sections that prepare profiles."""

    normalize_plate: NormalizePlateSettings
    assemble_profiles: AssembleProfilesSettings
    pair_and_split: PairAndSplitSettings
    phenotype: PhenotypePreprocessingSettings

    def changed(self, name: str, keys: Mapping[str, Any]) -> "Choice":
        """The same but for these keys, by section.

        Raises
        ------
        ConfigError
            If a section or a key does not exist, or a value is wrong.
        """
        known = list(self.__dataclass_fields__)
        unknown = [section for section in keys if section not in known]
        if unknown:
            raise ConfigError(
                f"compare_preprocessing.choices: {name!r} changes {', '.join(unknown)}, which is no section\n"
                f"Expected some of {', '.join(known)}, each with the keys that differ."
            )
        return Choice(**{section: self._section(name, section, keys.get(section, {})) for section in known})

    def _section(self, name: str, section: str, values: Any) -> Any:
        settings: Settings = getattr(self, section)
        if not isinstance(values, dict):
            raise ConfigError(f"compare_preprocessing.choices: {name!r}: {section} has to be a mapping of its keys")
        try:
            return type(settings).model_validate(settings.model_dump() | values)
        except ValidationError as error:
            raise ConfigError(explain(error, f"compare_preprocessing.choices: {name!r}: {section}")) from None


def choices_of(configured: Choice, given: Mapping[str, Mapping[str, Any]] | None) -> dict[str, Choice]:
    """The configuration, and every choice that differs from it."""
    found = {CONFIGURED: configured}
    for name, keys in (BUILT_IN if given is None else given).items():
        choice = configured.changed(name, keys)
        if choice not in found.values():
            found[name] = choice
    return found
