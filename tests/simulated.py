"""What the columns of simulated plates are called, as the YAML of a screen says it."""

from typing import Any

SIMULATED_PLATES: dict[str, Any] = {
    "columns": {
        "plate": "Plate",
        "well": "Well",
        "batch": "Batch",
        "compound_id": "Compound",
        "dose": "Dose_uM",
        "cell_count": "Cell_Count",
    },
    "control": {"column": "Role", "values": ["control"]},
}
