import logging

import numpy as np
import pandas as pd
import pytest

from dssl.errors import ConfigError, PairingError, TableError
from dssl.pairs.pairing import pair
from dssl.settings.preparation import PairAndSplitSettings

SETTINGS = PairAndSplitSettings(n_folds=2)


def reasons_of(pairs) -> dict[str, str]:
    return dict(zip(pairs.excluded_wells["well"], pairs.excluded_wells["reason"], strict=True))


def compounds_left_out(pairs) -> dict[str, str]:
    return dict(zip(pairs.excluded_compounds["compound_id"], pairs.excluded_compounds["reason"], strict=True))


def test_wells_and_molecules_are_those_of_the_tables(profiles, features, aliases):
    pairs = pair(profiles, features, aliases, SETTINGS)
    phenotype, molecule = pairs.mdata["phenotype"], pairs.mdata["molecule"]
    assert list(phenotype.obs_names) == list(profiles.obs_names[:48])
    np.testing.assert_array_equal(phenotype.X, profiles.X[:48])
    assert list(molecule.obs_names) == list(features.obs_names)
    np.testing.assert_array_equal(molecule.X.toarray(), features.X.toarray())
    assert (phenotype.obs["treatment"].astype(str) == phenotype.obs["compound_id"].astype(str) + "@10uM").all()
    assert (molecule.obs["group"].astype(str) == [f"c{2 * (number // 2):02d}" for number in range(24)]).all()
    assert set(reasons_of(pairs).values()) == {"control"}
    assert len(pairs.excluded_wells) == 4
    assert pairs.excluded_compounds.empty
    assert list(pairs.excluded_wells.columns) == ["well", "plate", "compound_id", "reason"]
    assert list(pairs.excluded_compounds.columns) == ["compound_id", "reason"]


def test_every_well_is_paired_or_listed_with_its_reason(profiles, features, aliases, caplog):
    profiles.obs.iloc[0, profiles.obs.columns.get_loc("compound_id")] = "what's this"
    profiles.obs.iloc[1, profiles.obs.columns.get_loc("compound_id")] = ""
    profiles.obs.iloc[2, profiles.obs.columns.get_loc("compound_id")] = None
    profiles.obs.iloc[[3, 4], profiles.obs.columns.get_loc("qc_missing")] = True
    profiles.obs.iloc[[4, 28], profiles.obs.columns.get_loc("qc_dead")] = True
    profiles.obs.iloc[5, profiles.obs.columns.get_loc("qc_outlier")] = True
    with caplog.at_level(logging.INFO, logger="dssl"):
        pairs = pair(profiles, features, aliases, SETTINGS)
    assert reasons_of(pairs) == {
        "A00": 'compound "what\'s this" is not among the molecules',
        "A01": "no compound id",
        "A02": "no compound id",
        "A03": "qc_missing",
        "A04": "qc_missing, qc_dead",
        "A28": "qc_dead",
        **{f"A{number}": "control" for number in range(48, 52)},
    }
    assert compounds_left_out(pairs) == {"c04": "every well is excluded: qc_dead; qc_missing, qc_dead"}
    paired = set(pairs.mdata["phenotype"].obs["well"])
    assert paired | set(pairs.excluded_wells["well"]) == set(profiles.obs["well"])
    assert paired.isdisjoint(pairs.excluded_wells["well"])
    assert "c04" not in pairs.mdata["molecule"].obs_names
    assert pairs.excluded_wells["compound_id"].tolist()[0] == "what's this"
    assert "left out 4 wells: control" in caplog.text
    assert "left out 1 wells: compound is not among the molecules" in caplog.text


def test_compound_without_wells_is_listed(make_profiles, features, aliases, molecules):
    pairs = pair(make_profiles([*molecules.index[:-1]]), features, aliases, SETTINGS)
    assert compounds_left_out(pairs) == {"c23": "no well"}
    assert list(pairs.mdata["molecule"].obs_names) == list(molecules.index[:-1])


def test_ids_go_through_the_aliases(make_profiles, features, aliases, molecules):
    profiles = make_profiles(["salt of c00", *molecules.index])
    extra = pd.DataFrame({"input_id": ["salt of c00"], "compound_id": ["c00"]})
    pairs = pair(profiles, features, pd.concat([aliases, extra]), SETTINGS)
    assert pairs.mdata["phenotype"].obs["compound_id"].tolist()[:2] == ["c00", "c00"]
    assert pairs.excluded_wells.empty
    contradicting = pd.concat([aliases, extra.assign(input_id="c01")])
    with pytest.raises(TableError, match=r"every id must stand for one compound; 1 stand for several: c01"):
        pair(profiles, features, contradicting, SETTINGS)


def test_treatment_names_the_dose_where_there_is_one(profiles, features, aliases):
    profiles.obs["dose_um"] = [np.nan, 0.5, 2.0, 1e-05] + [3.3] * 48
    treatments = pair(profiles, features, aliases, SETTINGS).mdata["phenotype"].obs["treatment"]
    assert treatments.tolist()[:5] == ["c00", "c01@0.5uM", "c02@2uM", "c03@1e-05uM", "c04@3.3uM"]


def test_one_per_keeps_the_first_compound_that_has_wells(make_profiles, make_features, molecules, aliases):
    signature = pd.Series(None, index=molecules.index, dtype=object)
    signature[["c02", "c05", "c09"]] = "s1"  # c02 has no well: c05 is the first
    signature[["c20", "c21"]] = ""
    features = make_features(molecules.assign(signature=signature))
    profiles = make_profiles([one for one in molecules.index if one != "c02"] + ["c09"])
    pairs = pair(profiles, features, aliases, SETTINGS.model_copy(update={"one_per": "signature"}))
    assert compounds_left_out(pairs) == {"c02": "no well", "c09": "same signature as c05"}
    excluded = pairs.excluded_wells
    assert excluded["compound_id"].tolist() == ["c09", "c09"]
    assert set(excluded["reason"]) == {"compound left out: same signature as c05"}
    assert set(molecules.index) - set(pairs.mdata["molecule"].obs_names) == {"c02", "c09"}
    assert set(pairs.mdata["phenotype"].obs["compound_id"]) == set(pairs.mdata["molecule"].obs_names)


def test_one_per_without_repeats_changes_nothing(profiles, features, aliases):
    pairs = pair(profiles, features, aliases, SETTINGS.model_copy(update={"one_per": "name"}))
    assert pairs.mdata["molecule"].n_obs == 24
    assert pairs.excluded_compounds.empty


def test_one_per_column_that_does_not_exist(profiles, features, aliases):
    with pytest.raises(ConfigError, match=r"pair_and_split.one_per: the molecules have no column 'sig_id'"):
        pair(profiles, features, aliases, SETTINGS.model_copy(update={"one_per": "sig_id"}))


def test_nothing_matches_shows_both_sides(make_profiles, features, aliases):
    profiles = make_profiles([f"BRD-{number}" for number in range(9)] + [None])
    with pytest.raises(PairingError) as raised:
        pair(profiles, features, aliases, SETTINGS)
    message = str(raised.value)
    assert "BRD-0, BRD-1, BRD-2, BRD-3, BRD-4 and 4 more" in message
    assert "c00, c01, c02, c03, c04 and 19 more" in message
    assert "molecules.compound_id and plates.columns.compound_id" in message
    assert "9 compound is not among the molecules, 1 control" in message


def test_too_few_groups(profiles, features, aliases):
    with pytest.raises(PairingError, match=r"7 folds need at least 14 groups.*24 paired compounds form 12"):
        pair(profiles, features, aliases, PairAndSplitSettings(n_folds=7))


def test_quality_flag_that_the_wells_lack(profiles, features, aliases):
    del profiles.obs["qc_dead"]
    with pytest.raises(TableError, match="no quality flag qc_dead"):
        pair(profiles, features, aliases, SETTINGS)


def test_inputs_are_left_as_they_were(profiles, features, aliases):
    before = profiles.obs.copy(), features.obs.copy(), aliases.copy()
    pair(profiles, features, aliases, SETTINGS)
    for old, new in zip(before, (profiles.obs, features.obs, aliases), strict=True):
        pd.testing.assert_frame_equal(old, new)
