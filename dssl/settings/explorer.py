"""Settings of the explorer."""

from pydantic import Field

from dssl.settings.base import Settings


class ExplorerSettings(Settings):
    """The explorer."""

    color_by: list[str] = Field(
        [],
        description="columns of the compound table, and plate and batch, that may colour the maps, in the page's menu; "
        "empty: all that are no identifiers",
    )
    n_neighbors: int = Field(8, ge=1, le=50, description="nearest compounds listed in each code")
    n_hits: int = Field(8, ge=1, le=50, description="best held-out hits listed for each compound and direction")
    n_predicted: int = Field(
        4,
        ge=1,
        le=50,
        description="predicted (counterfactual) profiles shown of each compound, those that "
        "evaluate_counterfactuals.asked names first",
    )
