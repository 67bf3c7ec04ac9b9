"""Settings of the paper's synthetic study (`snakemake study`)."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from dssl.errors import ConfigError
from dssl.settings.base import Settings, explain, read_yaml
from dssl.settings.baselines import LearnedBaseline
from dssl.settings.learning import TrainSharedSettings, TrainSpecificSettings

StudyPreset = Literal["default", "paper", "released", "closed_form"]
# many pairs and, without noise, correlations of one: hardly any ridge is needed
CLOSED_FORM: dict[str, Any] = {
    "solver": "gaussian",
    "code": {"distribution": "gaussian", "size": 100},
}
CLOSED_FORM_RIDGE = {"gaussian": {"ridge": [1e-6, 1e-4, 1e-2], "gains": "bottleneck"}}
# what the preset default has in the study, where inputs are dense and plentiful and there are no replicates: chosen on
# validation rows of other data seeds than the reported one (docs/method.md)
OVERRIDES: dict[str, Any] = {
    "encoder": {"hidden_sizes": [512], "layer_norm": False, "dropout": 0.0},
    "code": {"size": 100},
    "contrastive": {"temperature": 0.1},
    "views": {
        "replicates": "single",
        "phenotype_noise": 0.3,
        "molecule_noise": 0.3,
        "phenotype_dropout": 0.0,
        "molecule_dropout": 0.0,
    },
    "optimizer": {"batch_size": 256, "learning_rate": 1e-3, "weight_decay": 0.1},
}


class StudySettings(Settings):
    """One synthetic study: its data, what is trained on them, and over which values."""

    study: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="name; results go to results/study/<study>/"
    )
    n_pairs: int = Field(20_000, ge=100, description="pairs; 70 % train, 10 % validate, 20 % test")
    data_seed: int = Field(
        0, ge=0, description="added to each of `seeds`: seed of the data (mixing, factors, labels, noise)"
    )
    noises: list[float] = Field([0.0], min_length=1, description="standard deviations of the noise on X and Y")
    presets: list[StudyPreset] = Field(
        ["released", "default", "closed_form"],
        min_length=1,
        description="presets of DisentangledSSL; closed_form: default with solver: gaussian, without overrides",
    )
    betas: list[float] = Field(
        [0.0, 1.0, 10.0, 100.0],
        min_length=1,
        description="weights of the KL on the released code's scale, so that presets share an axis; presets in nats get "
        "beta / (kappa A_d(kappa))",
    )
    lams: list[float] = Field([0.0, 0.1, 1.0, 10.0], min_length=1, description="weights of the dependence penalty")
    specific_betas: list[float] = Field(
        [1.0], min_length=1, description="the betas, out of `betas`, on which step 2 is trained"
    )
    seeds: list[int] = Field([0], min_length=1, description="seeds of training, each with data of its own")
    epochs_shared: int = Field(12, ge=1, description="epochs of step 1")
    epochs_specific: int = Field(10, ge=1, description="epochs of step 2")
    baselines: list[LearnedBaseline] = Field(
        ["joint_opt", "joint_opt_as_released", "focal", "focal_as_released", "dmvae", "dmvae_as_released"],
        description="learned baselines; `_as_released` ones with the encoders of the preset released, others of default",
    )
    baseline_trials: int = Field(4, ge=1, description="hyperparameter settings of every baseline")
    context_components: int = Field(50, ge=1, description="components of PCA, PLS and CCA")
    whiten: Literal["none", "half", "full"] = Field(
        "full",
        description="inputs of the preset default and of the baselines with its encoders, as fit_preprocessing.phenotype."
        "whiten; the other presets and `_as_released` baselines get X and Y as they are",
    )
    overrides_shared: dict[str, Any] = Field(
        OVERRIDES, description="keys of train_shared that the preset default, and baselines with its encoders, have"
    )
    overrides_specific: dict[str, Any] = Field(
        OVERRIDES, description="keys of train_specific that the preset default has"
    )
    penalties: list[float] = Field(
        [0.001, 0.01, 0.1, 1.0], min_length=1, description="C of the probes' logistic regression, chosen on validation"
    )
    cpu_threads: int = Field(1, ge=1, description="threads of one training job")
    reference: str | None = Field(
        None, description="JSON of another implementation's probe accuracies, for agreement.tsv; null: none"
    )

    def points(self, betas: list[float]) -> list[tuple[str, float]]:
        """Presets and betas that are combined: all, but the closed form without a price has no solution."""
        return [
            (preset, beta) for preset in self.presets for beta in betas if not (preset == "closed_form" and beta == 0)
        ]

    def shared(self, preset: str) -> TrainSharedSettings:
        """Settings of step 1 of a preset in this study."""
        section = self._section(self.overrides_shared, preset, self.epochs_shared)
        if preset == "closed_form":
            section |= CLOSED_FORM_RIDGE
        return TrainSharedSettings.model_validate(section)

    def specific(self, preset: str) -> TrainSpecificSettings:
        """Settings of step 2 of a preset in this study."""
        section = self._section(self.overrides_specific, preset, self.epochs_specific)
        return TrainSpecificSettings.model_validate(section)

    def baseline(self, method: str) -> TrainSharedSettings:
        """Settings of a baseline: encoders and views of step 1, and the epochs of both steps together."""
        preset = "released" if method.endswith("_as_released") else "default"
        return TrainSharedSettings.model_validate(
            self._section(self.overrides_shared, preset, self.epochs_shared + self.epochs_specific)
        )

    def whitening(self, name: str) -> Literal["none", "half", "full"]:
        """Whitening of the inputs of a preset or a baseline."""
        raw = name in ("released", "paper", "closed_form") or name.endswith("_as_released")
        return "none" if raw else self.whiten

    def _section(self, overrides: dict[str, Any], preset: str, epochs: int) -> dict[str, Any]:
        given: dict[str, Any] = dict(overrides) if preset == "default" else {}
        optimizer = {"patience": None, **given.get("optimizer", {}), "epochs": epochs, "evaluate_every": epochs}
        run = {"device": "cpu", "cpu_threads": self.cpu_threads}
        if preset == "closed_form":
            return {**CLOSED_FORM, "optimizer": optimizer, "run": run}
        return {**given, "preset": preset, "optimizer": optimizer, "run": run}


def load_study(path: Path) -> StudySettings:
    """Read and validate a study's YAML.

    Raises
    ------
    ConfigError
        If the file is missing, is not YAML, or a key is unknown, missing or wrong; it names every such key.
    """
    content = read_yaml(path, "name one: --config study=config/study.yaml")
    try:
        study = StudySettings.model_validate(content)
        for preset in study.presets:
            study.shared(preset)
            study.specific(preset)
    except ValidationError as error:
        raise ConfigError(explain(error, str(path))) from None
    missing = sorted(set(study.specific_betas) - set(study.betas))
    if missing:
        raise ConfigError(f"{path}: specific_betas holds {missing}, which betas lacks; add them to betas")
    return study
