import numpy as np
import pytest

from dssl.errors import ConfigError, PairingError
from dssl.pairs.folds import add_folds
from dssl.pairs.pairing import pair
from dssl.pairs.rows import rows_of, training_rows
from dssl.settings.preparation import PairAndSplitSettings

SETTINGS = PairAndSplitSettings(n_folds=3)


def test_wells_have_the_role_of_their_compound(profiles, features, aliases):
    pairs = add_folds(pair(profiles, features, aliases, SETTINGS), SETTINGS)
    molecules, wells = pairs.mdata["molecule"].obs, pairs.mdata["phenotype"].obs
    for fold in ("0", "1", "2", "full"):
        covered = np.zeros(len(wells), dtype=int)
        for role in ("train", "validation", "test"):
            rows = rows_of(pairs.mdata, fold, role)
            slow = [molecules.loc[compound, f"fold_{fold}"] == role for compound in wells["compound_id"]]
            np.testing.assert_array_equal(rows.phenotype, slow)
            np.testing.assert_array_equal(rows.molecule, molecules[f"fold_{fold}"] == role)
            covered += rows.phenotype
        assert (covered == 1).all()
        np.testing.assert_array_equal(
            training_rows(pairs.mdata, fold).phenotype, rows_of(pairs.mdata, fold, "train").phenotype
        )


def test_folds_may_be_assigned_again(profiles, features, aliases):
    pairs = pair(profiles, features, aliases, SETTINGS)
    once = add_folds(pairs, SETTINGS)
    twice = add_folds(add_folds(pairs, SETTINGS.model_copy(update={"seed": 9})), SETTINGS)
    assert once.mdata["molecule"].obs.equals(twice.mdata["molecule"].obs)
    assert "fold_0" not in pairs.mdata["molecule"].obs


def test_folds_of_the_user(profiles, make_features, molecules, aliases):
    features = make_features(molecules.assign(part=[number // 8 for number in range(24)]))
    settings = PairAndSplitSettings(split="column", fold_column="part", n_folds=3)
    obs = add_folds(pair(profiles, features, aliases, settings), settings).mdata["molecule"].obs
    for fold in range(3):
        np.testing.assert_array_equal(obs[f"fold_{fold}"] == "test", obs["part"] == fold)
    wrong = settings.model_copy(update={"fold_column": "parts"})
    with pytest.raises(ConfigError, match=r"fold_column: the molecules have no column 'parts'"):
        add_folds(pair(profiles, features, aliases, settings), wrong)


def test_unknown_fold(profiles, features, aliases):
    pairs = add_folds(pair(profiles, features, aliases, SETTINGS), SETTINGS)
    with pytest.raises(PairingError, match=r"no fold '7'; found the columns fold_0, fold_1, fold_2, fold_full"):
        training_rows(pairs.mdata, "7")
