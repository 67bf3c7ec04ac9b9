"""Columns and methods are called on the pages as people call them."""

from typing import get_args

import pytest

from dssl import keys
from dssl.report.names import in_sentence, method_name, readable
from dssl.settings.baselines import ClassicalBaseline, LearnedBaseline


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


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("dssl", "dssl"),
        ("dssl_closed_form", "dssl closed form"),
        ("kernel_ridge_both", "kernel ridge on both"),
        ("cell_count", "cell count"),
        ("infonce", "InfoNCE"),
    ],
)
def test_a_method_in_words(method: str, words: str) -> None:
    assert method_name(method) == words


def test_every_method_with_an_underscore_or_an_abbreviation_has_a_name() -> None:
    for method in (*get_args(ClassicalBaseline), *get_args(LearnedBaseline)):
        assert "_" not in method_name(method)
        assert method_name(method) != method or method == "random", method
