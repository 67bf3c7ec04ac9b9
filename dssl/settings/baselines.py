"""Settings of the controls: classical and learned."""

from typing import Annotated, Literal, get_args

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from dssl.settings.base import Settings

ClassicalBaseline = Literal[
    "random",
    "cell_count",
    "nearest_neighbor",
    "pls",
    "cca",
    "kernel_ridge",
    "kernel_ridge_descriptors",
    "kernel_ridge_both",
]
LearnedBaseline = Literal[
    "infonce", "joint_opt", "joint_opt_as_released", "focal", "focal_as_released", "dmvae", "dmvae_as_released"
]
CLASSICAL_HYPERPARAMETERS = ("ridge", "whitening", "components", "neighbors", "tanimoto_weight")


class TrainBaselineSettings(Settings):
    """Classical controls that any learned model has to beat, on the same split."""

    methods: list[ClassicalBaseline] = Field(
        list(get_args(ClassicalBaseline)), min_length=1, description="which controls"
    )
    ridge: list[PositiveFloat] = Field(
        [0.3, 1.0, 3.0],
        min_length=1,
        description="ridges tried: on the kernel matrix (kernel ridges, cell_count), or in units of the covariance's mean "
        "eigenvalue (cca)",
    )
    whitening: list[NonNegativeFloat] = Field(
        [0.0, 0.5, 1.0],
        min_length=1,
        description="scalings tried of the profiles' principal components: score / std^value, 0 raw, 1 white "
        "(nearest_neighbor, pls, kernel ridges)",
    )
    components: list[PositiveInt] = Field(
        [10, 30, 100],
        min_length=1,
        description="numbers of components tried (pls, cca); one that exceeds what there are means all of them",
    )
    neighbors: list[PositiveInt] = Field(
        [1, 3, 10], min_length=1, description="numbers of similar training molecules tried (nearest_neighbor)"
    )
    tanimoto_weight: list[Annotated[float, Field(ge=0, le=1)]] = Field(
        [0.0, 0.5, 1.0],
        min_length=1,
        description="weights tried of the fingerprints' kernel, the rest being the descriptors' (cell_count)",
    )
    max_landmarks: int = Field(
        5000,
        ge=2,
        description="training compounds that kernel regressions are made of (kernel ridges, cell_count): all, or of more "
        "so many, evenly spaced (subset of regressors); memory grows with it times all molecules",
    )
    seed: int = Field(0, ge=0, description="seed of the random control")

    @model_validator(mode="after")
    def _equal_trials(self) -> "TrainBaselineSettings":
        lengths = {name: len(set(getattr(self, name))) for name in CLASSICAL_HYPERPARAMETERS}
        if len({len(getattr(self, name)) for name in CLASSICAL_HYPERPARAMETERS} | set(lengths.values())) > 1:
            raise ValueError(
                f"every control gets the same number of trials, so that {', '.join(lengths)} need the same number of "
                f"different values; found {', '.join(map(str, lengths.values()))}"
            )
        return self


class TrainLearnedBaselineSettings(Settings):
    """Learned baselines with the encoders, views and epochs of DisentangledSSL, on the same split."""

    methods: list[LearnedBaseline] = Field(["infonce", "joint_opt", "focal", "dmvae"], description="which; empty: none")
    trials: int | None = Field(
        None,
        ge=1,
        description="hyperparameter settings tried per method, chosen on validation; null: as many as beta x lambda",
    )
