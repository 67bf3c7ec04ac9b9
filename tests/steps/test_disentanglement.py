"""What the step checks and prepares before it measures."""

import numpy as np
import pandas as pd
import pytest
import torch
from anndata import AnnData

from dssl import keys
from dssl.errors import ConfigError
from dssl.model.shared import SharedModel
from dssl.model.specific import SpecificModel
from dssl.settings.evaluation import EvaluateDisentanglementSettings
from dssl.settings.learning import CodeSettings, TrainSharedSettings, TrainSpecificSettings
from dssl.steps.disentanglement import probe_codes, tamed
from dssl.steps.embeddings import Level, draw_levels


def embedding() -> AnnData:
    names = [f"C{number}" for number in range(6)]
    obs = pd.DataFrame(
        {
            keys.COMPOUND_ID: names,
            keys.PLATE: "P1",
            keys.WELL: [f"A0{number}" for number in range(1, 7)],
            keys.SPLIT: keys.TEST,
            "mechanism": list("aaabbb"),
        },
        index=names,
    )
    adata = AnnData(np.zeros((6, 1), dtype=np.float32), obs=obs)
    for key in (keys.X_SHARED, keys.X_SPECIFIC):
        adata.obsm[key] = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    return adata


def test_a_column_that_is_in_no_table_is_refused() -> None:
    levels = {level: embedding() for level in ("well", "compound", "molecule")}
    extra = {"well": None, "compound": pd.DataFrame({keys.COMPOUND_ID: ["C0"], "potency": [1.0]})}
    settings = EvaluateDisentanglementSettings(probe_columns=["mechanism", "mecanism", "potency"])
    with pytest.raises(ConfigError, match=r"probe_columns: no column 'mecanism'; there are .*mechanism, .*potency"):
        probe_codes(levels, extra, settings, np.random.default_rng(0))


def test_profiles_are_filled_and_clipped_by_training_wells() -> None:
    training = np.array([True] * 5 + [False] * 2)
    known = [1.0, 2.0, 3.0, 4.0, 5.0, 1e6, np.nan]
    values = np.column_stack([known, [0.0] * 6 + [7.0], [np.nan] * 7]).astype(np.float32)
    found = tamed(values, training)
    # median 3, MAD 1; a feature without spread is not clipped, one without values is 0
    np.testing.assert_allclose(found[:, 0], [1, 2, 3, 4, 5, 3 + 10 * 1.4826, 3], rtol=1e-6)
    np.testing.assert_allclose(found[:, 1], values[:, 1])
    assert (found[:, 2] == 0).all()


def test_draws_of_two_levels_have_no_noise_in_common() -> None:
    # without inputs a code is noise about one point: a row must be no nearer to its partner than to the others
    settings = CodeSettings(size=16, distribution="gaussian", center=False)
    sizes = {keys.PHENOTYPE: 4, keys.MOLECULE: 4}
    torch.manual_seed(0)
    defaults = TrainSharedSettings()
    shared = SharedModel(4, 4, defaults.encoder, settings, defaults.contrastive)
    specific = SpecificModel(sizes, settings.size, TrainSpecificSettings(code=settings))
    obs = pd.DataFrame(index=[f"C{number}" for number in range(400)])
    empty = np.zeros((len(obs), 4), dtype=np.float32)
    levels = {name: Level(empty, obs, "input", name) for name in sizes}
    drawn = draw_levels(levels, [(shared, specific)], seed=0)
    for key in (keys.X_SHARED, keys.X_SPECIFIC):
        cosines = drawn[keys.PHENOTYPE].obsm[key] @ drawn[keys.MOLECULE].obsm[key].T
        own, others = np.diagonal(cosines), cosines[~np.eye(len(obs), dtype=bool)]
        assert abs(own.mean() - others.mean()) < 4 * others.std() / np.sqrt(len(obs))
