"""Columns are called on the pages as people call them."""

import pytest

from dssl import keys
from dssl.report.names import in_sentence, readable


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Metadata_injury_type", "Injury type"),
        ("Metadata_Plate_Map_Name", "Plate map name"),
        ("Metadata_time_h", "Time (h)"),
        (keys.DOSES_UM, "Doses (µM)"),
        (keys.ACTIVITY_MAP, "Activity (mAP)"),
        ("plate_map", "Plate map"),
        ("moa", "MOA"),
        ("MoA", "MoA"),
        ("pIC50", "pIC50"),
        ("<script>", "<script>"),
        ("=cmd()", "=cmd()"),
        ("h", "H"),
        ("Metadata_", "Metadata_"),
        ("_", "_"),
        ("", ""),
        ("β_value", "Β value"),
    ],
)
def test_a_name_in_words(name: str, words: str) -> None:
    assert readable(name) == words


@pytest.mark.parametrize(
    ("name", "words"),
    [("Metadata_injury_type", "injury type"), ("moa", "MOA"), (keys.DOSES_UM, "doses (µM)"), ("", "")],
)
def test_a_name_inside_a_sentence(name: str, words: str) -> None:
    assert in_sentence(name) == words
