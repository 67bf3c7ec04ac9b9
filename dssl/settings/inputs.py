"""What the user's tables are and how their columns are called."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from dssl.settings.base import Settings
from dssl.settings.units import molar_unit


class MoleculeTableSettings(Settings):
    """The table of molecules: one row per compound, or the plate tables themselves when they hold the SMILES."""

    table: str | None = Field(
        None, description="CSV, TSV, Parquet or SDF file (.gz allowed); leave out when the screen is simulated"
    )
    compound_id: str = Field(
        "compound_id",
        description="column (SDF: property, or _Name for the title line) of the identifier that the wells refer to",
    )
    smiles: str = Field(
        "smiles", description="column of the SMILES or InChI; an SDF's structures are in the column smiles"
    )
    name: str | None = Field(None, description="column of a readable name; the identifier when left out")
    keep: list[str] = Field([], description="further columns to carry along (mechanism, target, ...)")


class WellColumns(Settings):
    """The user's names of the columns that describe a well."""

    compound_id: str = Field("compound_id", description="column of the compound's identifier, as in the molecule table")
    compound_separator: str | None = Field(
        None,
        min_length=1,
        description="what stands between the identifiers of several compounds in one well, such as |",
    )
    several_compounds: Literal["refuse", "exclude", "first"] = Field(
        "refuse",
        description="a well of several compounds: stop, leave it out (listed), or count it for the first one named",
    )
    plate: str | None = Field("plate", description="column of the plate; null: every table is one plate")
    well: str | None = Field("well", description="column of the well position (A01); null: rows are numbered")
    batch: str | None = Field(None, description="column of the experimental batch; null: one batch")
    dose: str | None = Field(None, description="column of the dose; null: one dose")
    dose_unit: Annotated[str, AfterValidator(molar_unit)] = Field(
        "uM", description="unit of the dose column: M, mM, uM, nM, pM, fM, log10 M, -log10 M, or in cell ('10 uM')"
    )
    dose_unit_column: str | None = Field(
        None, description="column of each row's unit, which goes before dose_unit; masses per volume are refused"
    )
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
        None,
        description="table of features, first column the feature's name, the others copied to var; one called symbol names "
        "genes in the explorer",
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> "FeatureColumns":
        given = [key for key in ("prefixes", "names", "pattern") if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of prefixes, names and pattern; found {given or 'none'}")
        return self


class AggregateSettings(Settings):
    """Rows that are cells, sites or images become wells while they are read."""

    statistic: Literal["median", "mean", "sum"] = Field(
        "median", description="of each feature over the rows of a well (sum: pseudobulk of counts)"
    )
    rows: Literal["cells", "sites"] = Field(
        "cells", description="cells are counted: their number is the cell count where cell_count is null; sites are not"
    )


class MetadataTable(Settings):
    """A table that says more about the wells, such as JUMP's plate.csv.gz, well.csv.gz and compound.csv.gz."""

    table: str = Field(description="CSV, TSV or Parquet file (.gz allowed)")
    by: list[str] | dict[str, str] = Field(
        min_length=1, description="columns that both have, or a mapping from the wells' column to the table's"
    )


class CountSettings(Settings):
    """Counts of transcripts: scaled to one total in each well, then log(1 + x), as scanpy does it."""

    target_sum: float = Field(1e4, gt=0, description="total of every well after scaling")
    min_total: float = Field(1.0, gt=0, description="wells with a smaller total count as empty (flagged qc_missing)")


class PlateTableSettings(Settings):
    """The tables of wells: a file per plate, or files that hold several plates."""

    tables: list[str] = Field([], description="paths or globs of the plate tables; empty when the screen is simulated")
    plate_list: str | None = Field(
        None,
        description="instead of tables: a table with a column `path` and columns that its wells take over",
    )
    format: Literal["table", "matrix", "gct", "gctx", "h5ad", "10x", "npz", "sqlite"] | None = Field(
        None,
        description="null: by the file's ending; matrix: a table with a row per feature and a column per well",
    )
    layer: str | None = Field(None, description="layer of an .h5ad that is read; null: its X")
    aggregate: AggregateSettings | None = Field(
        None, description="the rows are cells or sites, to be aggregated to wells; null: the rows are wells"
    )
    metadata: list[MetadataTable] = Field(
        [],
        description="tables joined to the wells, one after the other; columns that the wells have already are not taken",
    )
    missing_values: list[str] = Field(
        [], description="texts that mean a missing value in what describes the wells, such as -666"
    )
    counts: CountSettings | None = Field(
        None, description="the features are counts, to be scaled and logged; null: they are taken as they are"
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
        if self.aggregate is not None and self.columns.well is None:
            raise ValueError("aggregate needs columns.well: which well a row belongs to")
        return self
