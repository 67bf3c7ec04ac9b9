import numpy as np
import pandas as pd
import pytest

from dssl.baselines.tuning import Trial, choose
from dssl.errors import PairingError
from dssl.evaluation.retrieval import retrieval_metrics


def trial(molecules, **hyperparameters):
    return Trial(molecules.astype(np.float32), {}, hyperparameters)


def blurred(data, noise, seed=0):
    """Vectors of all molecules: validation profiles with noise, the others nothing."""
    vectors = np.zeros((len(data.inputs), data.profiles_train.shape[1]))
    random = np.random.default_rng(seed).normal(size=data.profiles_validation.shape)
    vectors[data.validation] = data.profiles_validation + noise * random
    return vectors


def test_the_trial_that_retrieves_best_in_both_directions_is_chosen(make_data):
    data = make_data()
    noises = [3.0, 0.1, 1.0]
    best, tried = choose("pls", [trial(blurred(data, noise), ridge=noise) for noise in noises], data)
    scores = []
    for noise in noises:
        rows = blurred(data, noise)[data.validation]
        unit = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (data.profiles_validation, rows)]
        similarity = unit[0] @ unit[1].T
        scores.append((retrieval_metrics(similarity)["mrr"] + retrieval_metrics(similarity.T)["mrr"]) / 2)
    assert tried["score"].tolist() == pytest.approx(scores)
    assert tried["chosen"].tolist() == [False, True, False]
    assert best.hyperparameters == {"ridge": 0.1}
    assert tried["ridge"].tolist() == noises
    assert set(tried["method"]) == {"pls"}
    assert tried["score"].to_numpy() == pytest.approx(
        (tried["mrr_phenotype_to_molecule"] + tried["mrr_molecule_to_phenotype"]) / 2
    )


def test_of_equally_good_trials_the_first_is_taken(make_data):
    data = make_data()
    vectors = blurred(data, 0.5)
    best, tried = choose("cca", [trial(vectors * size, components=size) for size in (3, 1, 2)], data)
    assert best.hyperparameters == {"components": 3}
    assert tried["chosen"].tolist() == [True, False, False]
    assert tried["components"].astype(str).tolist() == ["3", "1", "2"]  # whole numbers stay whole in the file
    assert tried["whitening"].isna().all()


def test_the_phenotype_side_of_a_trial_is_used(make_data):
    """Vectors that match the profiles only after the trial's own map."""
    data = make_data()
    matrix = np.random.default_rng(1).normal(size=(5, 2))
    center = data.profiles_validation.mean(axis=0)
    vectors = np.zeros((len(data.inputs), 2))
    vectors[data.validation] = (data.profiles_validation - center) @ matrix
    uns = {"phenotype_maps": {"pls": matrix}, "phenotype_offsets": {"pls": center}}
    _, tried = choose("pls", [Trial(vectors.astype(np.float32), uns)], data)
    assert tried["score"].tolist() == [1.0]


def test_without_validation_compounds_nothing_can_be_chosen(make_data):
    data = make_data(
        validation=np.array([], dtype=int), profiles_validation=np.zeros((0, 5)), obs_validation=pd.DataFrame()
    )
    with pytest.raises(PairingError, match=r"control pls: .* on validation compounds, and there are none"):
        choose("pls", [trial(np.zeros((70, 5)))], data)
