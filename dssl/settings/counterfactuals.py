"""Settings of the decoders and of the counterfactual profiles made with them."""

from pydantic import Field, field_validator

from dssl.settings.base import Settings


class TrainDecoderSettings(Settings):
    """Decoders from codes to profiles, fitted on training compounds, chosen on validation compounds."""

    contexts: list[str] = Field(
        ["plate"],
        min_length=1,
        description="columns of the wells whose values are contexts, one evaluation for each: plate, batch, dose_um, or a "
        "kept column (cell line, time)",
    )
    fewest_references: int = Field(
        3, ge=1, description="training treatments that must be measured in both contexts to compare them"
    )
    targets_per_treatment: int = Field(
        6, ge=1, description="contexts drawn for each treatment; limits the weight of much repeated ones"
    )
    kernel_rows: int = Field(
        500, ge=0, description="training profiles at which a Gaussian kernel decoder is tried; 0: linear decoders only"
    )
    seed: int = Field(0, ge=0, description="seed of what is drawn")

    @field_validator("contexts")
    @classmethod
    def _named_once(cls, value: list[str]) -> list[str]:
        if len(set(value)) < len(value):
            raise ValueError("a column is named twice")
        return value


class AskedProfile(Settings):
    """A profile to predict: a compound in a context."""

    compound: str = Field(description="compound_id")
    context: str = Field(description="value of the context's column, such as a plate")
    column: str | None = Field(None, description="column of the context; null: the first of train_decoder.contexts")


class EvaluateCounterfactualsSettings(Settings):
    """Profiles of held-out compounds in contexts in which they were not looked at, against the measured ones."""

    asked: list[AskedProfile] = Field(
        [],
        description="compounds and contexts whose predicted profiles are wanted, as {compound: ..., context: ...}; each is "
        "predicted by the models that have not seen the compound",
    )
    n_contexts: int = Field(
        3, ge=1, description="contexts of each held-out treatment in the table of predicted feature groups"
    )
    n_bootstrap: int = Field(2000, ge=100, description="bootstrap samples over compounds, for the 95 % intervals")
    n_permutations: int = Field(2000, ge=100, description="sign flips for the p-values of the comparisons")
    seed: int = Field(0, ge=0, description="seed of what is drawn")
