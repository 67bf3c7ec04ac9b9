import numpy as np
import pandas as pd
import pytest

from dssl.phenotypes.activity import COLUMNS, call_activity
from dssl.settings.quality import CallActivitySettings

SETTINGS = CallActivitySettings(null_size=1000)


def screen(flagged, seed=0):
    """Three plates: controls, an active compound "on", an inactive one "off", and one with a single well."""
    rng = np.random.default_rng(seed)
    plates = []
    direction = rng.normal(size=30)
    for number in range(3):
        values = rng.normal(size=(30, 30))
        values[20:23] += direction
        plate = flagged(values, plate=f"P{number}", n_controls=20)
        plate.obs["compound_id"] = (
            [""] * 20 + ["on"] * 3 + ["off"] * 3 + ["other"] * 3 + ["single" if number == 0 else "off"]
        )
        plates.append(plate)
    import anndata

    return anndata.concat(plates)


def test_the_active_compound_is_called_and_the_others_are_not(flagged):
    wells = screen(flagged)
    table = call_activity(wells, wells.obs["compound_id"], SETTINGS).set_index("compound_id")
    assert list(table.reset_index().columns) == COLUMNS
    assert table.index.tolist() == ["on", "off", "other", "single"]
    assert table["n_wells"].tolist() == [9, 11, 9, 1]
    assert bool(table.loc["on", "active"]) is True
    assert table.loc[["off", "other"], "active"].astype(bool).sum() == 0
    assert table.loc["on", "q_value"] <= 0.05 < table.loc["off", "q_value"]
    assert table.loc["on", "mean_average_precision"] > 0.9
    assert abs(table.loc["off", "mean_average_precision"] - table.loc["off", "chance"]) < 0.15
    assert table.loc["single", "reason"] == "one well only"
    assert pd.isna(table.loc["single", "active"])
    assert (table["n_controls"].dropna() == 20).all()


def test_average_precision_of_a_compound_is_that_of_plain_loops(flagged):
    wells = screen(flagged)
    table = call_activity(wells, wells.obs["compound_id"], SETTINGS).set_index("compound_id")
    unit = wells.X / np.linalg.norm(wells.X, axis=1, keepdims=True)
    obs, scores = wells.obs.reset_index(drop=True), []
    for query in np.flatnonzero(obs["compound_id"] == "other"):
        same = (obs["compound_id"] == "other") & (obs.index != query)
        control = obs["is_control"] & (obs["plate"] == obs["plate"][query])
        ranked = sorted(np.flatnonzero(same | control), key=lambda row: -unit[query] @ unit[row])
        hits = np.flatnonzero([bool(same[row]) for row in ranked])
        scores.append(np.mean([(rank + 1) / (hit + 1) for rank, hit in enumerate(hits)]))
    assert table.loc["other", "mean_average_precision"] == pytest.approx(np.mean(scores), abs=1e-6)


def test_controls_of_the_screen_and_replicates_of_the_dose(flagged):
    wells = screen(flagged)
    everywhere = call_activity(wells, wells.obs["compound_id"], SETTINGS.model_copy(update={"controls": "screen"}))
    assert (everywhere["n_controls"].dropna() == 60).all()
    wells.obs["dose_um"] = np.where(wells.obs["is_control"], np.nan, np.arange(wells.n_obs))
    by_dose = call_activity(wells, wells.obs["compound_id"], SETTINGS.model_copy(update={"replicates": "treatment"}))
    said = "no well has a replicate (the same compound and dose) and a control to compete with"
    assert by_dose["reason"].tolist() == [said] * 3 + ["one well only"]


def test_flagged_wells_do_not_count(flagged):
    wells = screen(flagged)
    wells.obs["qc_dead"] = (wells.obs["compound_id"] == "off").to_numpy()
    table = call_activity(wells, wells.obs["compound_id"], SETTINGS).set_index("compound_id")
    assert table.loc["off", ["n_wells", "reason"]].tolist() == [0, "every well carries a quality flag"]


def test_a_screen_without_controls_or_replicates_says_so(flagged):
    wells = screen(flagged)
    none = wells.copy()
    none.obs["is_control"] = False
    none.obs["compound_id"] = none.obs["compound_id"].where(none.obs["compound_id"] != "", "dmso")
    reasons = call_activity(none, none.obs["compound_id"], SETTINGS)["reason"]
    assert set(reasons) == {"the screen has no unflagged control wells"}
    once = wells[wells.obs["is_control"] | ~wells.obs["compound_id"].duplicated()].copy()
    assert set(call_activity(once, once.obs["compound_id"], SETTINGS)["reason"]) == {"one well only"}


def test_the_same_seed_gives_the_same_table_and_missing_values_count_as_controls(flagged):
    wells = screen(flagged)
    wells.X[25, 3] = np.nan
    first = call_activity(wells, wells.obs["compound_id"], SETTINGS)
    pd.testing.assert_frame_equal(first, call_activity(wells, wells.obs["compound_id"], SETTINGS))
