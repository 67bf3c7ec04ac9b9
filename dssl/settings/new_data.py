"""Settings of what a trained model does with new compounds and new plates."""

from typing import Literal

from pydantic import Field, model_validator

from dssl.settings.base import Settings
from dssl.settings.inputs import ControlWells, MoleculeTableSettings, PlateTableSettings, WellColumns
from dssl.settings.preparation import (
    FeaturizeMoleculesSettings,
    NormalizePlateSettings,
    StandardizeMoleculesSettings,
)


class CalibrateScoresSettings(Settings):
    """What scores are worth, and where the model was measured: from the compounds held out in the test folds."""

    outside_below: float = Field(
        0.05, ge=0, lt=1, description="outside the domain: less than this share of held-out compounds is as far away"
    )
    borderline_below: float = Field(
        0.25, ge=0, lt=1, description="borderline: less than this share of held-out compounds is as far away"
    )
    n_bootstrap: int = Field(500, ge=100, description="bootstrap samples over compounds, for the 95 % intervals")
    seed: int = Field(0, ge=0, description="seed of the bootstrap")

    @model_validator(mode="after")
    def _ordered(self) -> "CalibrateScoresSettings":
        if self.outside_below > self.borderline_below:
            raise ValueError("outside_below must not exceed borderline_below")
        return self


class AppliedSecondAssay(Settings):
    """What new plates of the second assay have to be treated with."""

    name: str = Field(description="what a compound's profile in this assay is called")
    plates: PlateTableSettings
    normalize_plate: NormalizePlateSettings


class AppliedSettings(Settings):
    """What new data have to be treated with, as the screen was: goes into the model's folder."""

    screen: str = Field(description="name of the screen the model was trained on")
    molecules: MoleculeTableSettings
    plates: PlateTableSettings
    standardize_molecules: StandardizeMoleculesSettings
    featurize_molecules: FeaturizeMoleculesSettings
    normalize_plate: NormalizePlateSettings
    exclude_flags: list[Literal["qc_missing", "qc_dead", "qc_outlier"]]
    calibrate_scores: CalibrateScoresSettings
    second_assay: AppliedSecondAssay | None = Field(
        None, description="of a model that compares two assays: the one that stands in the place of the molecules"
    )


class EmbedSettings(Settings):
    """Codes of new molecules and new plates."""

    molecules: MoleculeTableSettings | None = Field(
        None, description="columns of the new table of molecules; null: called as in the screen"
    )
    columns: WellColumns | None = Field(
        None, description="columns of the new plate tables; null: called as in the screen"
    )
    control: ControlWells | None = Field(None, description="controls of the new plates; null: as in the screen")
    n_neighbors: int = Field(3, ge=1, description="nearest training compounds that are listed")


class QuerySettings(EmbedSettings):
    """Ranked hits of new molecules and new plates."""

    n_hits: int = Field(10, ge=1, description="hits listed for every query")


class NewDataSettings(Settings):
    """New molecules or new plates for the trained model, and what they are ranked against."""

    molecules: MoleculeTableSettings | None = Field(None, description="table of new molecules and its columns")
    plates: list[str] = Field([], description="paths or globs of new plate tables")
    second_plates: list[str] = Field([], description="paths or globs of new plate tables of the second assay")
    columns: WellColumns | None = Field(
        None, description="columns of the new plate tables; null: called as in the screen"
    )
    control: ControlWells | None = Field(None, description="controls of the new plates; null: as in the screen")
    compounds: list[str] = Field([], description="compounds of the screen whose phenotypes are the queries")
    library: str | None = Field(
        None, description="another entry of new_data, to rank against it instead of against the screen"
    )

    @model_validator(mode="after")
    def _one_kind(self) -> "NewDataSettings":
        given = [
            name
            for name, value in (
                ("molecules", self.molecules and self.molecules.table),
                ("plates", self.plates),
                ("second_plates", self.second_plates),
                ("compounds", self.compounds),
            )
            if value
        ]
        if len(given) != 1:
            raise ValueError(
                "give exactly one of molecules (with its table), plates, second_plates and compounds; found "
                f"{' and '.join(given) or 'none'}"
            )
        return self
