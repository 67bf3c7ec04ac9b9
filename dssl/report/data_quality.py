"""Is the data good: replicates, plates, batches, and what the choices of preprocessing changed."""

from typing import TYPE_CHECKING

import pandas as pd

from dssl.report.activity import activity_parts, activity_sentence
from dssl.report.content import Heading, Part, Section
from dssl.report.plates import flagged_sentence, plates_parts
from dssl.report.preprocessing import effect_sentence, preprocessing_parts

if TYPE_CHECKING:
    from anndata import AnnData


def quality_sentences(quality: pd.DataFrame, activity: pd.DataFrame, comparison: pd.DataFrame) -> list[str]:
    """What replicates, flags, and batches say of the data."""
    return [activity_sentence(activity), flagged_sentence(quality), effect_sentence(comparison)]


def quality_section(
    quality: pd.DataFrame, profiles: "AnnData", activity: pd.DataFrame, comparison: pd.DataFrame
) -> Section:
    """Replicates, plates and preprocessing.

    Parameters
    ----------
    quality : one row per plate.
    profiles : wells after normalisation.
    activity : what `dssl.phenotypes.activity.call_activity` gives.
    comparison : what `dssl.preprocessing.comparison.compare_choices` gives.
    """
    parts: list[Part] = [
        Heading("Do replicates agree?"),
        *activity_parts(activity),
        Heading("Do the plates look even?"),
        *plates_parts(quality, profiles),
        Heading("What the choices of preprocessing change"),
        *preprocessing_parts(comparison),
    ]
    return Section("data", "Is the data good?", quality_sentences(quality, activity, comparison), parts)
