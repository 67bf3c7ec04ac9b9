from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from dssl.errors import ConfigError
from dssl.settings.learning import RunSettings, TrainSharedSettings
from dssl.settings.screen import ScreenSettings, load_screen, parse_screen

CONFIGS = ["config.yaml", "cell-injury.yaml", "cell-injury-wells.yaml", "l1000.yaml", "cell-painting-l1000.yaml"]


def content(**sections: Any) -> dict[str, Any]:
    return {
        "screen": "mine",
        "molecules": {"table": "m.csv"},
        "plates": {"tables": ["P1.csv"], "control": {"column": "role", "values": ["dmso"]}},
        **sections,
    }


@pytest.mark.parametrize("name", CONFIGS)
def test_the_screens_of_the_repository_load(repository: Path, name: str) -> None:
    screen = load_screen(repository / "config" / name)
    assert screen.screen == (name.removesuffix(".yaml") if name != "config.yaml" else "demo")
    assert (screen.simulate_screen is not None) == (name == "config.yaml")
    assert (screen.fetch_screen is not None) == (name != "config.yaml")


def test_a_short_file_is_enough_and_defaults_are_filled_in() -> None:
    screen = parse_screen(content(), "x")
    assert screen.train_shared == TrainSharedSettings()
    assert screen.pair_and_split.n_folds == 5


def test_settings_cannot_be_changed_after_they_were_read() -> None:
    screen = parse_screen(content(), "x")
    with pytest.raises(ValidationError, match="frozen"):
        screen.screen = "other"


def test_json_of_a_section_is_canonical_and_reads_back() -> None:
    section = TrainSharedSettings.model_validate({"code": {"size": 8}, "optimizer": {"epochs": 3}})
    assert TrainSharedSettings.from_json(section.to_json()) == section
    reordered = TrainSharedSettings.model_validate({"optimizer": {"epochs": 3}, "code": {"size": 8}})
    assert reordered.to_json() == section.to_json()
    assert '"dropout": ' in section.to_json()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {
                "second_assay": {
                    "molecules": {"table": "n.csv"},
                    "plates": {"tables": ["s.csv"]},
                    "normalize_plate": {"method": "none"},
                },
                "pair_and_split": {"split": "plate"},
            },
            r"pair_and_split\.split: plate holds out wells of one assay; with second_assay whole compounds are held out",
        ),
        ({"plate": {}}, r"plate: unknown key; remove it or correct its spelling \(keys: config/README\.md\)"),
        ({"train_shared": {"code": {"sise": 3}}}, r"train_shared\.code\.sise: unknown key"),
        (
            {"train_shared": {"code": {"size": "large"}}},
            r"train_shared\.code\.size: .*valid integer.* \(found 'large'\)",
        ),
        (
            {"train_shared": {"code": {"size": 1}}},
            r"train_shared\.code\.size: .*greater than or equal to 2 \(found 1\)",
        ),
        (
            {"train_shared": {"encoder": {"dropout": 1.0}}},
            r"encoder\.dropout: Input should be less than 1 \(found 1\.0\)",
        ),
        ({"train_shared": {"contrastive": {"temperature": float("nan")}}}, r"temperature: .*finite number"),
        ({"sweep": {"beta": []}}, r"sweep\.beta: List should have at least 1 item"),
        ({"screen": "my screen"}, r"screen: String should match pattern"),
        ({"screen": "../up"}, r"screen: String should match pattern"),
        ({"pair_and_split": {"split": "scafold"}}, r"pair_and_split\.split: Input should be 'random', 'skeleton'"),
        (
            {"pair_and_split": {"split": "column"}},
            r"pair_and_split: fold_column belongs to split: column, and only to it",
        ),
        ({"pair_and_split": {"fold_column": "f"}}, r"pair_and_split: fold_column belongs to split: column"),
        ({"featurize_molecules": {"featurizers": ["maccs", "maccs"]}}, r"every featurizer may be named once"),
        (
            {"fetch_screen": {"files": {"a": {"sha256": "0" * 63, "licence": "x"}}}},
            r"files\.a\.sha256: String should match",
        ),
        (
            {"fetch_screen": {"files": {"a": {"sha256": "0" * 64}}}},
            r"fetch_screen\.files\.a\.licence: this key is required",
        ),
        ({"fetch_screen": {"files": {}}}, r"fetch_screen\.files: Dictionary should have at least 1 item"),
        (
            {"plates": {"tables": ["a.csv"], "control": {"values": ["x"]}}},
            r"plates\.control\.column: this key is required",
        ),
        (
            {"plates": {"tables": ["a.csv"], "control": {"column": "x", "values": []}}},
            r"plates\.control\.values: List sh",
        ),
        ({"plates": {"tables": ["a.csv"], "plate_list": "l.csv"}}, r"plates: give tables or plate_list, not both"),
        ({"plates": {"tables": ["a.csv"]}}, r"plates\.control is missing; .*or set normalize_plate\.method: none"),
        (
            {"plates": {"tables": ["a.csv"], "features": {"prefixes": ["a"], "pattern": "b"}}},
            r"plates\.features: give exactly one of prefixes, names and pattern; found \['prefixes', 'pattern'\]",
        ),
        ({"plates": {"tables": ["a.csv"], "features": {}}}, r"plates\.features: give exactly one of .*; found none"),
        ({"molecules": {}}, r"\(the whole section\): name the input: molecules\.table, and plates\.tables"),
        ({"simulate_screen": {}}, r"a simulated screen \(simulate_screen\) has no tables and fetches nothing"),
    ],
)
def test_wrong_settings_name_the_key_and_what_is_expected(change: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError, match=rf"^mine\.yaml: 1 problem\(s\) in the settings\n  .*{expected}"):
        parse_screen(content(**change), "mine.yaml")


def test_all_problems_are_named_at_once() -> None:
    wrong = content(sweep={"beta": "x"}, embed_screen={"sead": 1}, report={"n_examples": -1})
    with pytest.raises(ConfigError, match=r"3 problem\(s\)") as raised:
        parse_screen(wrong, "x")
    assert len(str(raised.value).splitlines()) == 4


def test_a_missing_name_of_the_screen() -> None:
    wrong = content()
    del wrong["screen"]
    with pytest.raises(ConfigError, match="  screen: this key is required and is not there"):
        parse_screen(wrong, "x")


def test_a_screen_without_plates_needs_no_controls_when_nothing_is_normalised() -> None:
    screen = parse_screen(content(plates={"tables": ["a.csv"]}, normalize_plate={"method": "none"}), "x")
    assert screen.plates.control is None


def test_harmony_and_pooling_go_together_where_the_batch_is_kept() -> None:
    sections: dict[str, Any] = {"fit_preprocessing": {"phenotype": {"harmony": {}}}}
    with pytest.raises(
        ConfigError, match=r"harmony needs the batch of every profile: add batch to pair_and_split\.pool_by"
    ):
        parse_screen(content(**sections, pair_and_split={"pool": "modz"}), "x")
    parse_screen(content(**sections, pair_and_split={"pool": "modz", "pool_by": ["batch"]}), "x")
    parse_screen(content(**sections), "x")


def test_from_json_names_the_class() -> None:
    with pytest.raises(
        ConfigError, match=r"RunSettings: 1 problem\(s\) in the settings\n  device: Input should be 'auto'"
    ):
        RunSettings.from_json('{"device": "tpu"}')
    with pytest.raises(ConfigError, match=r"RunSettings: 1 problem\(s\) .*\n  \(the whole section\): Invalid JSON"):
        RunSettings.from_json("{")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, r"mine\.yaml: there is no such file; `dssl new-screen TABLE\.\.\.` writes a first one"),
        ("screen: [", r"mine\.yaml: not valid YAML"),
        ("- a\n- b\n", r"mine\.yaml: expected keys with values \(see config/README\.md\), found list"),
        ("", r"mine\.yaml: expected keys with values .*, found NoneType"),
    ],
)
def test_files_that_are_no_screens(tmp_path: Path, text: str | None, expected: str) -> None:
    if text is not None:
        (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(ConfigError, match=expected):
        load_screen(tmp_path / "mine.yaml")


@pytest.mark.parametrize(("device", "gpus"), [("cpu", 0), ("cuda", 6), ("auto", 0)])
def test_gpus_that_a_job_asks_for(device: str, gpus: int) -> None:
    assert RunSettings.model_validate({"device": device, "processes": 3, "nodes": 2}).gpus() == gpus


def test_every_default_satisfies_its_own_constraint() -> None:
    dumped = parse_screen(content(), "x").model_dump(mode="json")
    assert ScreenSettings.model_validate(dumped) == parse_screen(content(), "x")


def test_the_ensemble_has_every_seed_and_the_closed_form() -> None:
    assert parse_screen(content(sweep={"seed": [3, 1]}), "x").members() == ["3", "1", "closed_form"]
    assert parse_screen(content(sweep={"seed": [3], "closed_form": False}), "x").members() == ["3"]
    assert parse_screen(content(train_shared={"solver": "gaussian"}), "x").members() == ["0", "1", "2"]


@pytest.mark.parametrize(
    "sections", [{"sweep": {"beta": [0.0, 0.1]}}, {"train_shared": {"kl_scale": "released"}}], ids=["beta", "kl_scale"]
)
def test_a_closed_form_without_a_solution_is_refused(sections: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"sweep.closed_form needs sweep.beta above 0(.|\n)*sweep.closed_form: false"):
        parse_screen(content(**sections), "x")
    sweep = {**sections.get("sweep", {}), "closed_form": False}
    assert parse_screen(content(**{**sections, "sweep": sweep}), "x").members() == ["0", "1", "2"]
