"""What the user's tables are and how their columns are called."""

from typing import Literal

from pydantic import Field, model_validator

from dssl.settings.base import Settings


class MoleculeTableSettings(Settings):
    """The table of molecules: one row per compound, or the plate tables themselves when they hold the SMILES."""

    table: str | None = Field(
        None, description="CSV, TSV or Parquet file (.gz allowed); leave out when the screen is simulated"
    )
    compound_id: str = Field("compound_id", description="column of the identifier that the wells refer to")
    smiles: str = Field("smiles", description="column of the SMILES")
    name: str | None = Field(None, description="column of a readable name; the identifier when left out")
    keep: list[str] = Field([], description="further columns to carry along (mechanism, target, ...)")


class WellColumns(Settings):
    """The user's names of the columns that describe a well."""

    compound_id: str = Field("compound_id", description="column of the compound's identifier, as in the molecule table")
    plate: str | None = Field("plate", description="column of the plate; null: every table is one plate")
    well: str | None = Field("well", description="column of the well position (A01); null: rows are numbered")
    batch: str | None = Field(None, description="column of the experimental batch; null: one batch")
    dose: str | None = Field(None, description="column of the dose; null: one dose")
    dose_unit: Literal["M", "mM", "uM", "nM", "pM"] = Field("uM", description="unit of the dose column")
    cell_count: str | None = Field(None, description="column of the cell count (absolute or relative to the controls)")
    keep: list[str] = Field([], description="further columns to carry along")


class ControlWells(Settings):
    """Which wells are negative controls."""

    column: str = Field(description="column that tells controls from treatments")
    values: list[str | int | float | bool] = Field(min_length=1, description="the values of that column in a control")


class FeatureColumns(Settings):
    """Which columns are features; exactly one of prefixes, names and pattern."""

    prefixes: list[str] | None = Field(None, description="the features' names begin with one of these")
    names: list[str] | None = Field(None, description="the features' names, one by one")
    pattern: str | None = Field(None, description="regular expression that a feature's whole name matches")
    annotation: str | None = Field(
        None, description="table of features, first column the feature's name, the others copied to var"
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> "FeatureColumns":
        given = [key for key in ("prefixes", "names", "pattern") if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of prefixes, names and pattern; found {given or 'none'}")
        return self


class PlateTableSettings(Settings):
    """The tables of wells: a file per plate, or files that hold several plates."""

    tables: list[str] = Field([], description="paths or globs of the plate tables; empty when the screen is simulated")
    plate_list: str | None = Field(
        None,
        description="instead of tables: a table with a column `path` and columns that its wells take over",
    )
    columns: WellColumns = Field(WellColumns(), description="the user's column names")
    control: ControlWells | None = Field(None, description="which wells are controls; null: the screen has none")
    features: FeatureColumns = Field(
        FeatureColumns(prefixes=["Cells_", "Cytoplasm_", "Nuclei_"]), description="which columns are features"
    )

    @model_validator(mode="after")
    def _one_source(self) -> "PlateTableSettings":
        if self.tables and self.plate_list:
            raise ValueError("give tables or plate_list, not both")
        return self
