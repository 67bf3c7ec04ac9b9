"""Every fault of tests/broken_tables.py is answered as docs/broken-tables.md says."""

import re
from pathlib import Path

import pytest

from tests.broken_tables import CHECKED, DOCUMENT, OPENING, VALUES, checked, entry, rejected, run
from tests.lab import Lab

FAULTS = {name: change for faults in CHECKED.values() for name, change in faults.items()}
PAGE = DOCUMENT.read_text(encoding="utf-8")


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DSSL_MIRROR", raising=False)
    return Lab(tmp_path)


def complaint(answer: str) -> str | None:
    """What an answer lacks: where to look (a file or a key), what to do about it, brevity."""
    if not re.search(
        r"\w\.(csv|tsv|gz|parquet|gctx?|h5(ad)?|npz|sqlite|sdf|xlsx|yaml)\b|^P2: |plates|molecules\.", answer
    ):
        return "no file and no key is named"
    verbs = r"(correct|rename|remove|give|set|write|name|save|fetch|fill|clean|part|add|convert|say|leave|empty|unknown unit)"
    if not re.search(verbs, answer.lower()):
        return "no remedy is named"
    return "it is longer than three lines" if len(answer.splitlines()) > 3 else None


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_answered_by_the_check_as_the_page_says(lab: Lab, name: str) -> None:
    answer = checked(FAULTS[name], lab)
    assert complaint(answer) is None, answer
    assert entry(name, answer) in PAGE, answer


@pytest.mark.parametrize("name", VALUES)
def test_a_fault_of_values_is_answered_by_the_step(lab: Lab, name: str) -> None:
    answer = run(VALUES[name], lab)
    assert complaint(answer) is None, answer
    assert entry(name, answer) in PAGE, answer


def test_the_step_passes_where_nothing_is_wrong(lab: Lab) -> None:
    with pytest.raises(AssertionError, match="no error was found"):
        run(lambda _: None, lab)


def test_rejected_molecules_are_listed_as_the_page_says(lab: Lab) -> None:
    rows = rejected(lab)
    assert len(rows) == 9
    for reason in rows["reason"]:
        assert f"| {reason} |" in PAGE


def test_the_page_holds_these_faults_and_no_others() -> None:
    assert PAGE.startswith(OPENING)
    assert re.findall(r"^\*\*(.+)\*\*$", PAGE, flags=re.MULTILINE) == [*FAULTS, *VALUES]
    assert len(FAULTS) + len(VALUES) >= 25


def test_an_answer_without_place_or_remedy_would_be_found() -> None:
    assert complaint("something is wrong; correct it") == "no file and no key is named"
    assert complaint("P2.csv is bad") == "no remedy is named"
    assert complaint("P2.csv\nis\nbad\nCorrect it") == "it is longer than three lines"
