"""Settings of evaluation and of what is handed over."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from dssl.settings.base import Settings


class EvaluateRetrievalSettings(Settings):
    """Held-out retrieval in both directions."""

    library_of: Literal["batch", "plate"] = Field(
        "batch", description="the small library: held-out compounds of the query's own batch or plate"
    )
    neighbor_columns: list[str] | None = Field(
        None,
        description="kept molecule columns (mechanism, target; several values separated by |) that neighbours may "
        "share; null: every kept text column",
    )
    n_neighbors: int = Field(5, ge=1, description="neighbours of each held-out compound, for what they share")
    similarity_bins: list[Annotated[float, Field(gt=0, lt=1)]] = Field(
        [0.3, 0.4, 0.5, 0.7], description="bounds between bins of Tanimoto similarity to the nearest training molecule"
    )
    n_bootstrap: int = Field(2000, ge=100, description="bootstrap samples over compounds, for the 95 % intervals")
    n_permutations: int = Field(2000, ge=100, description="permutations of the pairing, for the p-values")
    seed: int = Field(0, ge=0, description="seed of bootstrap and permutations")


class ProbeTables(Settings):
    """Tables of further columns to probe."""

    wells: str | None = Field(None, description="table with the columns plate, well and whatever is to be probed")
    compounds: str | None = Field(None, description="table with the column compound_id and whatever is to be probed")


class EvaluateDisentanglementSettings(Settings):
    """What each code knows, and what it should not."""

    probe_columns: list[str] | None = Field(
        None, description="obs columns to probe; null: every kept column, cell count, dose, plate, batch, well position"
    )
    probe_tables: ProbeTables = ProbeTables()
    max_classes: int = Field(60, ge=2, description="text columns with more classes than this are not probed (listed)")
    n_permutations: int = Field(500, ge=100, description="permutations for chance levels and p-values")
    seed: int = Field(0, ge=0, description="seed of folds and permutations")


class DescribeCompoundsSettings(Settings):
    """The table of compounds, and which of them to look at first."""

    novel_below: float = Field(
        0.4,
        gt=0,
        le=1,
        description="a structure is novel if its Tanimoto similarity to the nearest training molecule is below this",
    )
    confident_above: float = Field(
        0.9,
        ge=0,
        le=1,
        description="a compound is confidently matched if, held out, it beats at least this share of the library in both directions",
    )


class ReportSettings(Settings):
    """The report."""

    title: str | None = Field(None, description="title; the screen's name when left out")
    n_examples: int = Field(6, ge=0, description="held-out compounds whose nearest neighbours are drawn")
    n_first: int = Field(10, ge=0, description="compounds that are drawn as those to look at first")
    color_by: list[str] = Field(
        [], description="columns that colour the UMAPs, beside the batch; empty: the first that compounds were given"
    )


class HandoverSettings(Settings):
    """The folder that is handed over."""

    n_hits: int = Field(10, ge=1, description="items listed for each held-out query, beside its own")
    n_neighbors: int = Field(10, ge=1, description="neighbours listed for each compound in each code")
    max_structures: int = Field(
        2000, ge=0, description="structures drawn in the workbook, of the compounds that stand first in priority"
    )


class ManifestSettings(Settings):
    """The list of all artifacts."""

    licence: str = Field("not stated", description="licence of the results, written into the manifest")


class CrateSettings(Settings):
    """Who made the results, for their RO-Crate; its licence is that of the manifest."""

    author: str | None = Field(None, description="name of the person who ran the workflow")
    orcid: str | None = Field(
        None,
        pattern=r"^\d{4}-\d{4}-\d{4}-\d{3}[\dX]$",
        description="ORCID of the author, for example 0000-0002-1825-0097",
    )
    organisation: str | None = Field(None, description="organisation of the author, or that ran the workflow")

    @model_validator(mode="after")
    def _orcid_is_somebodys(self) -> "CrateSettings":
        if self.orcid and not self.author:
            raise ValueError("crate.orcid is there without crate.author; name whose it is")
        return self


class LogMlflowSettings(Settings):
    """Log settings, metrics and artifacts of the finished screen to MLflow (pip install 'dssl[mlflow]')."""

    enabled: bool = Field(False, description="log to MLflow when the screen is finished")
    experiment: str | None = Field(None, description="MLflow experiment; the screen's name when left out")
    tracking_uri: str = Field(
        "sqlite:///mlflow.db",
        description="where to, unless the environment variable MLFLOW_TRACKING_URI says otherwise: a local SQLite file, "
        "or the address of a server",
    )
