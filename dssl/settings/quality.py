"""Settings of what is measured on the profiles themselves, and of the lists of files."""

from typing import Any, Literal

from pydantic import Field

from dssl.settings.base import Settings


class ListFilesSettings(Settings):
    """Lists of files, for commands that would not fit into one shell argument (128 KiB) with thousands of plates."""

    per_list: int = Field(100, ge=1, description="files that one command line names; longer lists are split")


class CallActivitySettings(Settings):
    """Which compounds differ from the controls: mean average precision of their replicates (copairs)."""

    replicates: Literal["compound", "treatment"] = Field(
        "compound", description="wells that should find one another: of one compound, or of one compound and dose"
    )
    across: Literal["any", "plate", "batch"] = Field(
        "any", description="count replicates anywhere, or only those on another plate or in another batch"
    )
    controls: Literal["plate", "screen"] = Field(
        "plate", description="controls that replicates compete with: those of the well's plate, or all"
    )
    clip: float | None = Field(10.0, gt=0, description="clip normalised values to [-clip, clip] first; null: do not")
    null_size: int = Field(10000, ge=100, description="random rankings behind each p-value")
    max_q: float = Field(0.05, gt=0, lt=1, description="a compound is active if its q-value is not above this")
    seed: int = Field(0, ge=0, description="seed of the random rankings")


class ComparePreprocessingSettings(Settings):
    """How choices of preprocessing do on this screen, on compounds outside the test fold 0."""

    choices: dict[str, dict[str, Any]] | None = Field(
        None,
        description="name of a choice: the keys that differ from the configuration, by section (normalize_plate, "
        "assemble_profiles, phenotype, pair_and_split); null: the built-in list, one option at a time",
    )
    mechanism: str | None = Field(
        None, description="kept column of the mechanism (several values: separated by |); null: no mechanism mAP"
    )
    max_wells: int = Field(
        2500, ge=100, description="treated wells looked at: compounds are drawn until there are more"
    )
    max_plates: int = Field(100, ge=2, description="plates looked at: compounds that would need more are not drawn")
    n_bootstrap: int = Field(2000, ge=100, description="bootstrap samples over compounds, for the 95 % intervals")
    seed: int = Field(0, ge=0, description="seed of the drawn compounds, the halves and the bootstrap")
