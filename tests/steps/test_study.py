import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dssl.errors import ConfigError
from dssl.evaluation.label_probes import Rows
from dssl.model.bessel import bessel_ratio
from dssl.settings.study import StudySettings, load_study
from dssl.simulate.paired_gaussians import paired_gaussians
from dssl.steps.study import (
    nats_beta,
    own_beta,
    study_baseline,
    study_context,
    study_report,
    study_shared,
    study_specific,
)
from dssl.steps.study_codes import study_data, whitened

SMALL = StudySettings(
    study="small",
    n_pairs=400,
    betas=[0.0, 10.0],
    specific_betas=[10.0],
    lams=[1.0],
    epochs_shared=1,
    epochs_specific=1,
    penalties=[0.01],
    context_components=10,
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole study of a minute size, its steps called as the rules call them."""
    folder = tmp_path_factory.mktemp("study")
    probes, information = [], []
    for preset in ("released", "default", "closed_form"):
        for beta in SMALL.betas[-1:]:
            point = {"settings": SMALL, "preset": preset, "noise": 0.5, "beta": beta, "seed": 0}
            model, own = folder / f"{preset}.safetensors", folder / f"{preset}.tsv"
            curve, second = folder / f"{preset}_information.tsv", folder / f"{preset}_specific.tsv"
            study_shared(**point, model=model, probes=own, information=curve)
            study_specific(**point, lam=1.0, shared=model, probes=second)
            probes += [own, second]
            information.append(curve)
    study_baseline(settings=SMALL, method="focal", noise=0.5, trial=0, seed=0, probes=folder / "focal.tsv")
    study_context(settings=SMALL, noise=0.5, seed=0, probes=folder / "context.tsv", information=folder / "optimum.tsv")
    study_report(
        settings=SMALL,
        probes=[*probes, folder / "focal.tsv", folder / "context.tsv"],
        information=[*information, folder / "optimum.tsv"],
        reference=None,
        study=folder / "study.tsv",
        all_information=folder / "information.tsv",
        agreement=folder / "agreement.tsv",
        comparison=folder / "comparison.tsv",
        figure_shared=folder / "figure_4a.png",
        figure_shared_svg=folder / "figure_4a.svg",
        figure_specific=folder / "figure_4b.png",
        figure_specific_svg=folder / "figure_4b.svg",
        figure_information=folder / "information_plane.png",
        figure_information_svg=folder / "information_plane.svg",
    )
    return folder


def test_every_code_of_every_method_is_probed(finished: Path) -> None:
    table = pd.read_csv(finished / "study.tsv", sep="\t")
    codes = table.groupby("method")["code"].agg(set)
    both = {"shared", "specific_x", "specific_y"}
    for method in ("dssl", "focal", "raw input", "PCA", "PLS", "CCA"):
        assert codes[method] == both, method
    assert codes["true factors"] == {"factor_z1", "factor_zs", "factor_z2"}
    assert codes["untrained encoder"] == {"shared"}
    assert set(table["label"]) == {"z1", "zs", "z2"}
    assert table["accuracy"].between(table["ci_low"], table["ci_high"]).all()
    assert (table["n_test"] == 80).all()
    assert len(pd.read_csv(finished / "agreement.tsv", sep="\t")) == 0


def test_figures_are_images(finished: Path) -> None:
    for name in ("figure_4a", "figure_4b", "information_plane"):
        assert (finished / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert "<svg" in (finished / f"{name}.svg").read_text(encoding="utf-8")


def test_the_optimum_knows_more_than_any_bound_of_a_learned_code(finished: Path) -> None:
    curves = pd.read_csv(finished / "information.tsv", sep="\t")
    exact = curves[curves["quantity"] == "I(Z;X2)"]["nats"]
    assert (exact > 0).all()
    learned = curves[curves["quantity"] == "lower_bound_I(Z;X2)"]["nats"]
    assert len(learned) == 3
    assert learned.max() <= exact.max()
    assert learned.max() <= np.log(80) + 1e-9


def test_the_defaults_inputs_are_white_on_training_rows_and_fitted_on_no_others() -> None:
    data = paired_gaussians(400, 0.5, np.random.default_rng(0))
    rows = Rows.of(400)
    white = whitened(data, SMALL.whitening("default"))
    for observed in (white.first, white.second):
        assert np.cov(observed[rows.train].T, bias=True) == pytest.approx(np.eye(100), abs=1e-4)
    spoiled = data.first.copy()
    spoiled[rows.test] += 100
    again = whitened(replace(data, first=spoiled), "full")
    assert np.array_equal(again.first[rows.train], white.first[rows.train])
    assert [SMALL.whitening(name) for name in ("released", "closed_form", "focal_as_released")] == ["none"] * 3
    assert SMALL.whitening("focal") == "full"
    assert whitened(data, "none") is data


def test_every_seed_has_data_of_its_own() -> None:
    moved = SMALL.model_copy(update={"data_seed": 1})
    assert np.array_equal(study_data(SMALL, 0.5, 1).first, study_data(moved, 0.5, 0).first)
    assert not np.array_equal(study_data(SMALL, 0.5, 1).first, study_data(SMALL, 0.5, 0).first)


def test_betas_are_given_on_the_released_codes_scale() -> None:
    released, own = SMALL.shared("released"), SMALL.shared("default")
    assert own_beta(10.0, released) == 10.0
    kappa, size = own.code.kappa, own.code.size
    assert own_beta(10.0, own) == pytest.approx(10.0 / (kappa * bessel_ratio(size, kappa)))
    assert nats_beta(1.0, released) == pytest.approx(1 / 951.7, rel=1e-4)


def test_the_closed_form_is_left_out_where_it_has_no_solution() -> None:
    assert [point for point in SMALL.points([0.0, 1.0]) if point[0] != "default"] == [
        ("released", 0.0),
        ("released", 1.0),
        ("closed_form", 1.0),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("study: x\nbetass: [1]\n", "betass: unknown key"),
        ("study: x\nbetas: [1]\nspecific_betas: [2]\n", r"specific_betas holds \[2.0\], which betas lacks"),
        ("study: [x\n", "not valid YAML"),
    ],
)
def test_mistakes_in_a_studys_file_are_named(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "study.yaml").write_text(content)
    with pytest.raises(ConfigError, match=message):
        load_study(tmp_path / "study.yaml")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        load_study(tmp_path / "no.yaml")


def test_all_studies_of_the_repository_are_valid(repository: Path) -> None:
    names = {load_study(path).study for path in (repository / "config").glob("study*.yaml")}
    assert names == {"quick", "full", "coarse", "ci"}
    full = load_study(repository / "config/study-full.yaml")
    assert (len(full.betas), len(full.lams), len(full.seeds), full.n_pairs) == (13, 7, 3, 90_000)
    json.loads(full.to_json())
