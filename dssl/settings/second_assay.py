"""A second assay of the same compounds."""

from pydantic import Field, model_validator

from dssl.settings.base import Settings
from dssl.settings.inputs import MoleculeTableSettings, PlateTableSettings
from dssl.settings.preparation import AssembleProfilesSettings, NormalizePlateSettings, StandardizeMoleculesSettings


class SecondAssaySettings(Settings):
    """A second assay, whose profiles take the place of the molecules: phenotype and phenotype instead of structure.

    Its sections are those of a screen, for its own tables. A compound's second profile is the mean over its wells;
    compounds of the two assays are the same where their InChIKey skeletons agree.
    """

    name: str = Field("second phenotype", description="what the report calls a compound's profile in this assay")
    molecules: MoleculeTableSettings = Field(MoleculeTableSettings(), description="as molecules, of this assay")
    plates: PlateTableSettings = Field(PlateTableSettings(), description="as plates, of this assay")
    standardize_molecules: StandardizeMoleculesSettings = Field(
        StandardizeMoleculesSettings(), description="as standardize_molecules, of this assay"
    )
    normalize_plate: NormalizePlateSettings = Field(
        NormalizePlateSettings(), description="as normalize_plate, of this assay"
    )
    assemble_profiles: AssembleProfilesSettings = Field(
        AssembleProfilesSettings(), description="as assemble_profiles, of this assay"
    )

    @model_validator(mode="after")
    def _has_a_source(self) -> "SecondAssaySettings":
        if not (self.molecules.table and (self.plates.tables or self.plates.plate_list)):
            raise ValueError("name the input: molecules.table, and plates.tables or plates.plate_list")
        if self.plates.control is None and self.normalize_plate.method != "none":
            raise ValueError(
                "plates.control is missing; say which wells are controls, or set normalize_plate.method: none"
            )
        return self
