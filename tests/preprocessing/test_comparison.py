import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from dssl.errors import ConfigError
from dssl.phenotypes.normalize import normalize_plates
from dssl.preprocessing.agreement import average_precision, mechanism_agreement, well_agreement
from dssl.preprocessing.choices import BUILT_IN, CONFIGURED, Choice, choices_of
from dssl.preprocessing.comparison import compare_choices, draw_compounds, halves
from dssl.settings.preparation import (
    AssembleProfilesSettings,
    NormalizePlateSettings,
    PairAndSplitSettings,
    PhenotypePreprocessingSettings,
)
from dssl.settings.quality import ComparePreprocessingSettings

CONFIGURATION = Choice(
    NormalizePlateSettings(), AssembleProfilesSettings(), PairAndSplitSettings(), PhenotypePreprocessingSettings()
)


def test_average_precision_is_copairs():
    from copairs.map import average_precision as theirs

    rng = np.random.default_rng(0)
    groups = rng.integers(0, 6, 40)
    values = rng.normal(size=(40, 5)) + rng.normal(size=(6, 5))[groups]
    meta = pd.DataFrame({"group": groups})
    expected = theirs(meta, values.astype(np.float32), ["group"], [], [], ["group"], progress_bar=False)
    same = groups[:, None] == groups
    value, chance = average_precision(values, same & ~np.eye(40, dtype=bool), ~np.eye(40, dtype=bool))
    np.testing.assert_allclose(value, expected["average_precision"], atol=1e-6)
    normalized = (value - chance) / (1 - chance)
    np.testing.assert_allclose(normalized, expected["normalized_average_precision"], atol=1e-6)


def test_rows_with_nothing_to_find_or_to_find_it_among_have_no_score():
    values = np.random.default_rng(1).normal(size=(3, 4))
    none, all_of_them = np.zeros((3, 3), dtype=bool), ~np.eye(3, dtype=bool)
    assert np.isnan(average_precision(values, none, all_of_them)[0]).all()
    assert np.isnan(average_precision(values, all_of_them, all_of_them)[0]).all()


def test_mechanisms_may_be_several_and_unknown_ones_are_left_out():
    values = np.array([[1, 0.1], [1, 0], [0, 1], [0.1, 1], [5, 5.0]])
    found = mechanism_agreement(values, list("abcde"), ["x|y", "y", "z", "z | w", ""])
    assert found["compound_id"].tolist() == list("abcd")
    assert (found["value"] == 1).all()


def test_replicates_are_looked_for_on_other_plates_where_there_are_such():
    obs = pd.DataFrame(
        {
            "compound_id": list("aabb"),
            "treatment": list("aabb"),
            "plate": list("PQPQ"),
            "batch": list("1212"),
            "well": ["A01", "A01", "B01", "B01"],
        }
    )
    values = np.array([[1, 0], [0.9, 0.1], [0, 1], [0.1, 0.9]])
    found = well_agreement(values, obs).set_index(["metric", "compound_id"])
    assert (found.loc["replicate mAP", "value"] == 1).all()
    assert set(found.loc["plate mAP"].index) == {"a", "b"}
    same_plate = well_agreement(values, obs.assign(plate="P", batch="1"))
    assert set(same_plate["metric"]) == {"replicate mAP"}  # nobody else lies elsewhere, or in the row
    rows = well_agreement(values, obs.assign(well=["A01", "B01", "A02", "C01"])).set_index(["metric", "compound_id"])
    assert rows.loc[("row mAP", "a"), "value"] == 0.5  # the well of b in row A is the second of two


def test_wells_without_a_position_are_in_no_row():
    obs = pd.DataFrame({"compound_id": list("abc"), "treatment": list("abc"), "plate": "P", "batch": "1", "well": "7"})
    assert "row mAP" not in set(well_agreement(np.eye(3), obs)["metric"])


def test_built_in_choices_are_those_that_differ_from_the_configuration():
    found = choices_of(CONFIGURATION, None)
    assert next(iter(found)) == CONFIGURED
    assert {"sphering", "ComBat", "Harmony", "no normalisation", "well positions centred"} <= set(found)
    assert not {"no sphering", "no ComBat", "plates by median and MAD", "components half whitened"} & set(found)
    sphered = choices_of(CONFIGURATION.changed("x", {"assemble_profiles": {"sphering": True}}), None)
    assert "no sphering" in sphered
    assert "sphering" not in sphered
    assert set(found) <= {CONFIGURED, *BUILT_IN}


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"train": {}}, r"'mine' changes train, which is no section\nExpected some of normalize_plate"),
        ({"phenotype": {"whitten": "full"}}, r"'mine': phenotype: 1 problem.*\n.*whitten: unknown key"),
        ({"phenotype": "full"}, "'mine': phenotype has to be a mapping"),
    ],
)
def test_wrong_choices_are_refused(keys, said):
    with pytest.raises(ConfigError, match=said):
        choices_of(CONFIGURATION, {"mine": keys})


def test_compounds_are_drawn_within_the_limits():
    wells = pd.DataFrame({"compound_id": np.repeat([f"c{n}" for n in range(50)], 4), "plate": ["P", "Q"] * 100})
    wells.loc[wells["compound_id"] == "c7", "plate"] = "R"
    settings = ComparePreprocessingSettings(max_wells=100, max_plates=2)
    drawn = draw_compounds(wells, settings)
    assert len(drawn) == 25
    assert "c7" not in drawn
    assert drawn == draw_compounds(wells, settings)
    assert drawn != draw_compounds(wells, settings.model_copy(update={"seed": 1}))


def test_halves_keep_groups_whole():
    half = halves([f"g{n}" for n in range(11)] * 2, 0)
    assert sorted(half.values()) == [0] * 6 + [1] * 5 or sorted(half.values()) == [0] * 5 + [1] * 6


def screen(seed=0, n_compounds=24, n_plates=4, n_controls=16, p=20):
    """Plates with offsets of their own, and compounds of four mechanisms, one well each on every plate."""
    rng = np.random.default_rng(seed)
    mechanisms = [f"m{number % 4}" for number in range(n_compounds)]
    effects = 1.5 * rng.normal(size=(4, p))[np.arange(n_compounds) % 4] + 0.7 * rng.normal(size=(n_compounds, p))
    plates = []
    for number in range(n_plates):
        offset, scale = 4 * rng.normal(size=p), rng.uniform(0.5, 2, size=p)
        values = np.vstack([np.zeros((n_controls, p)), effects]) + rng.normal(size=(n_controls + n_compounds, p))
        n = len(values)
        names = [""] * n_controls + [f"c{each}" for each in range(n_compounds)]
        obs = pd.DataFrame(
            {
                "plate": f"P{number}",
                "well": [f"{'ABCDEFGH'[row // 12]}{row % 12 + 1:02d}" for row in range(n)],
                "batch": f"b{number % 2}",
                "compound_id": names,
                "treatment": names,
                "is_control": np.arange(n) < n_controls,
            },
            index=[f"P{number}:{row}" for row in range(n)],
        )
        index = pd.Index([f"f{column}" for column in range(p)])
        plates.append(AnnData((values * scale + offset).astype(np.float32), obs=obs, var=pd.DataFrame(index=index)))
    compounds = pd.DataFrame({"group": [f"c{n}" for n in range(n_compounds)], "mechanism": mechanisms})
    return plates, compounds.set_index(compounds["group"].to_numpy())


def compared(plates, compounds, given, seed=0):
    choices = choices_of(CONFIGURATION, given)
    normalized = {
        name: [normalize_plates(plate, each.normalize_plate) for plate in plates] for name, each in choices.items()
    }
    settings = ComparePreprocessingSettings(n_bootstrap=200, seed=seed)
    return compare_choices(normalized, choices, compounds, settings)


def test_normalisation_is_seen_to_help_and_what_cannot_be_done_is_said():
    plates, compounds = screen()
    given = {
        "raw": {"normalize_plate": {"method": "none"}},
        "same": {"assemble_profiles": {"blocklist": False}},
        "too much": {"phenotype": {"min_replicate_correlation": 1.0}},
    }
    table = compared(plates, compounds, given).set_index(["choice", "metric"])
    for metric in ("replicate mAP", "mechanism mAP"):
        assert table.loc[("same", metric), "difference"] == 0
        assert table.loc[(CONFIGURED, metric), "ci_low"] > table.loc[(CONFIGURED, metric), "chance"]
    assert table.loc[("raw", "replicate mAP"), "difference"] < -0.1
    assert table.loc[("raw", "replicate mAP"), "p_value"] < 0.05
    assert table.loc[("raw", "plate mAP"), "value"] > table.loc[(CONFIGURED, "plate mAP"), "value"] + 0.1
    assert table.loc[(CONFIGURED, "replicate mAP"), "n_compounds"] == 24
    skipped = table.loc[("too much", "replicate mAP")]
    assert np.isnan(skipped["value"])
    assert skipped["reason"].startswith("replicate wells agree in none of the 20 features")


def test_choices_that_could_not_be_normalised_are_listed():
    plates, compounds = screen()
    choices = choices_of(CONFIGURATION, {"raw": {"normalize_plate": {"method": "none"}}})
    normalized = {CONFIGURED: [normalize_plates(plate, CONFIGURATION.normalize_plate) for plate in plates], "raw": []}
    settings = ComparePreprocessingSettings(n_bootstrap=100)
    table = compare_choices(normalized, choices, compounds, settings, {"raw": "too few controls\nmore"})
    assert set(table.loc[table["choice"] == "raw", "reason"]) == {"too few controls"}
    assert table.loc[table["choice"] == CONFIGURED, "value"].notna().all()


def test_the_same_seed_gives_the_same_table_and_other_compounds_do_not_matter():
    plates, compounds = screen()
    few = compounds.iloc[:16]
    first = compared(plates, few, {})
    for plate in plates:
        plate.X[16 + 20] = 1e4  # a well of a compound that is not compared
    pd.testing.assert_frame_equal(first, compared(plates, few, {}))
