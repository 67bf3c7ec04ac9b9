import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from dssl import keys
from dssl.cli import app, main
from dssl.compare.comparison import Comparison, as_json, compare
from dssl.compare.neighbors import Side, overlap
from dssl.compare.page import sections_of, shown_by
from dssl.errors import ConfigError, IntegrityError
from dssl.io import read_json

Make = Callable[..., Path]


def compared(a: Path, b: Path) -> Comparison:
    return compare(a, b, n_neighbors=4, n_moved=3, n_bootstrap=200)


def model_row(table: pd.DataFrame, metric: str = "mrr", method: str = "dssl") -> pd.Series:
    return table[(table["method"] == method) & (table["metric"] == metric)].iloc[0]


def test_nothing_differs_between_a_run_and_its_copy(make: Make) -> None:
    found = compared(make("a"), make("b"))
    assert found.n_common == 24
    for name in ("settings", "data", "compounds", "versions", "moved"):
        assert found.tables[name].empty, name
    assert (found.tables["counts"]["difference"] == 0).all()
    assert (found.tables["retrieval"][["difference", "ci_low", "ci_high"]] == 0).all(axis=None)
    between = found.tables["neighbors"].query("compared == 'a with b'")
    assert np.allclose(between["overlap"], 1)
    assert np.allclose(between["jaccard"], 1)
    assert np.allclose(between["chance"], 4 / 23)


def test_settings_tables_and_versions_are_named_one_by_one(make: Make) -> None:
    changed = {"pair_and_split": {"n_folds": 7}, "report": {"title": "<b>"}}
    found = compared(make("a"), make("b", settings=changed, table="other table", torch="2.7")).tables
    settings = found["settings"].set_index("setting")
    assert settings.loc["report.title"].tolist() == ["null", "<b>"]
    assert settings.loc["pair_and_split.n_folds", "b"] == "7"
    assert len(settings) == 2
    assert found["data"].to_dict("records") == [{"table": "P1.csv", "a": "same table", "b": "other table"}]
    assert found["versions"].to_dict("records") == [{"package": "torch", "a": "2.6", "b": "2.7"}]


def test_compounds_are_the_same_by_structure_whatever_they_are_called(make: Make) -> None:
    found = compared(make("a", compounds=tuple(range(20))), make("b", compounds=tuple(range(2, 22)), prefix="X"))
    assert found.n_common == 18
    changes = found.tables["compounds"]
    assert changes[changes["change"] == "lost"]["compound"].tolist() == ["C0 (drug 0)", "C1 (drug 1)"]
    assert changes[changes["change"] == "gained"]["compound"].tolist() == ["X20 (drug 20)", "X21 (drug 21)"]
    row = model_row(found.tables["retrieval"])
    assert (row["design"], row["n_a"], row["n_b"]) == ("paired", 18, 18)
    assert np.allclose(found.tables["neighbors"].query("compared == 'a with b'")["overlap"], 1)


def test_a_planted_difference_is_found_compound_by_compound_though_folds_differ(make: Make) -> None:
    # without the first compound every other one is held out in the other fold
    found = compared(make("a"), make("b", compounds=tuple(range(1, 24)), mrr=0.35)).tables["retrieval"]
    row = model_row(found)
    assert row["design"] == "paired"
    assert row[["difference", "ci_low", "ci_high"]].tolist() == pytest.approx([-0.05] * 3)
    assert row["p_value"] == pytest.approx(1 / 201)
    assert row["p_holm"] == pytest.approx(4 / 201)  # of four metrics
    control = model_row(found, method="random")
    assert (control["difference"], control["p_holm"]) == (0, 1)


def test_too_few_common_compounds_are_compared_unpaired_beside_each_ones_chance(make: Make) -> None:
    few = make("a", compounds=tuple(range(12)))
    row = model_row(
        compared(few, make("b", compounds=tuple(range(11, 24)), mrr=0.6, library_size=6)).tables["retrieval"]
    )
    assert row["design"] == "unpaired"
    assert (row["n_a"], row["n_b"]) == (12, 13)
    assert (row["chance_a"], row["chance_b"]) == pytest.approx((1 / 12, 1 / 6))
    assert (row["library_size_a"], row["library_size_b"]) == (12, 6)
    assert row["difference"] == pytest.approx(0.2, abs=0.01)
    assert row["ci_low"] < row["difference"] < row["ci_high"]
    assert np.isnan(row["p_value"])
    assert np.isnan(row["p_holm"])


def test_codes_of_another_seed_keep_as_many_neighbours_as_chance(make: Make) -> None:
    found = compared(make("a", n_seeds=2), make("b", code_seed=5, n_seeds=2))
    table = found.tables["neighbors"]
    between = table.query("compared == 'a with b'")
    assert (abs(between["overlap"] - between["chance"]) < 0.1).all()
    assert (between["ci_low"] < between["chance"]).all()
    # the two seeds, and the two folds, of a made-up run have the same codes
    assert set(table["compared"]) == {
        "a with b",
        *(f"two {what} of {run}" for what in ("seeds", "folds") for run in "ab"),
    }
    assert np.allclose(table[table["compared"] != "a with b"]["overlap"], 1)
    moved = found.tables["moved"]
    assert (moved.groupby("code").size() == 3).all()
    assert (moved["overlap"] <= 0.5).all()


def test_overlap_is_the_share_of_neighbours_kept() -> None:
    def circle(degrees: list[float]) -> np.ndarray:
        angle = np.deg2rad(degrees)
        return np.column_stack([np.cos(angle), np.sin(angle)])

    names = ["p", "q", "r", "s"]
    a = Side([*names, "only a"], circle([0, 10, 100, 110, 5]))
    b = Side(["s", "r", "q", "p"], circle([12, 100, 110, 0]))  # q and s changed places
    found = overlap(a, b, 1)
    assert found is not None
    assert found.names == names
    assert found.kept.tolist() == [0, 0, 0, 0]
    two = overlap(a, b, 2)
    assert two is not None
    # p: q r -> s r; q: p r -> r s; r: s q -> q s; s: r q -> p r
    assert two.kept.tolist() == [0.5, 0.5, 1.0, 0.5]
    assert overlap(a, Side(["p", "q"], circle([0, 1])), 1) is None


def test_what_codes_know_stands_beside_chance_and_the_spread_of_folds(make: Make) -> None:
    probes = compared(make("a"), make("b", probe=0.7)).tables["probes"].iloc[0]
    assert probes[["value_a", "value_b", "difference"]].tolist() == pytest.approx([0.61, 0.71, 0.1])
    assert probes[["lowest_a", "highest_a", "chance_a"]].tolist() == pytest.approx([0.6, 0.62, 0.1])


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(-0.1, 0.2, "no difference shown"), (0.1, 0.2, "b is higher"), (-0.2, -0.1, "b is lower"), (0, 0, "the same")],
)
def test_words_follow_the_interval(low: float, high: float, expected: str) -> None:
    row = {"ci_low": low, "ci_high": high, "difference": (low + high) / 2, "chance_a": 0.1, "chance_b": 0.105}
    assert shown_by(row) == expected
    assert shown_by(row | {"chance_b": 0.2}) == "chance differs: not comparable"


def test_the_command_prints_and_writes_json_and_a_page(make: Make, tmp_path: Path) -> None:
    a, b = make("a"), make("b", settings={"report": {"title": "<script>x</script> [red]"}}, mrr=0.3)
    page, plain = tmp_path / "c.html", tmp_path / "c.json"
    given = ["compare", str(a), str(b), "--bootstrap", "100", "--html", str(page), "--json", str(plain)]
    run = CliRunner().invoke(app, given)
    assert run.exit_code == 0, run.output
    assert "<script>x</script> [red]" in run.output
    assert "b is lower" in run.output
    assert "better" not in run.output
    assert "\x1b[" not in run.output
    text = page.read_text()
    assert "&lt;script&gt;x&lt;/script&gt; [red]" in text
    assert "<script" not in text
    content = read_json(plain)
    assert content["settings"][0]["setting"] == "report.title"
    assert content["n_common"] == 24


def test_the_same_folders_give_the_same_json(make: Make) -> None:
    a, b = make("a"), make("b", code_seed=3, mrr=0.3)
    first, second = (json.dumps(as_json(compared(a, b)), allow_nan=False) for _ in range(2))
    assert first == second


def test_nothing_in_common_is_said(make: Make) -> None:
    found = compared(make("a", compounds=(0, 1, 2, 3)), make("b", compounds=(20, 21, 22, 23)))
    assert found.tables["neighbors"].query("compared == 'a with b'").empty
    assert [section.identifier for section in sections_of(found)] == [
        "settings",
        "data",
        "retrieval",
        "neighbors",
        "codes",
    ]


def test_folders_that_are_no_results_are_refused(
    make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = make("a")
    (tmp_path / "empty").mkdir()
    with pytest.raises(IntegrityError, match=r"empty/manifest\.json: there is no manifest; run snakemake"):
        compare(a, tmp_path / "empty")
    with pytest.raises(ConfigError, match="are the same folder"):
        compare(a, tmp_path / "b" / ".." / "a")
    unfinished = make("b")
    (unfinished / "summarize_folds/leakage.tsv").unlink()
    expected = r"expected summarize_folds/leakage\.tsv, which a finished run has, and found none\nGive the results"
    with pytest.raises(IntegrityError, match=expected):
        compared(a, unfinished)
    with pytest.raises(SystemExit) as ended:
        main(["compare", str(a), str(tmp_path / "empty")])
    assert ended.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_a_damaged_embedding_is_named(make: Make) -> None:
    a, b = make("a"), make("b")
    (b / f"embed_screen/fold~{keys.FULL_FOLD}/compounds.h5ad").write_bytes(b"no")
    with pytest.raises(IntegrityError, match=r"fold~full/compounds\.h5ad: cannot be read"):
        compared(a, b)
