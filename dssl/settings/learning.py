"""Settings of training: encoders, codes, losses, optimiser, sweep."""

from typing import Literal

from pydantic import Field

from dssl.settings.base import Settings


class EncoderSettings(Settings):
    """A linear map plus a network with hidden layers; the same for both modalities."""

    hidden_sizes: list[int] = Field([256], description="widths of the hidden layers; empty: linear only")
    linear_path: bool = Field(True, description="add a linear map from input to code beside the network")
    layer_norm: bool = Field(True, description="layer norm before each activation")
    dropout: float = Field(0.5, ge=0, lt=1, description="dropout after each activation")
    weight_std: float | None = Field(
        None, gt=0, description="initial weights N(0, weight_std^2) (released code: 0.01); null: PyTorch's default"
    )


class CodeSettings(Settings):
    """The distribution of a code given its input."""

    size: int = Field(64, ge=2, description="dimensions of the code")
    distribution: Literal["vmf", "power_spherical", "gaussian", "deterministic"] = Field(
        "vmf", description="von Mises-Fisher, power spherical, unit-covariance Gaussian, or a point"
    )
    kappa: float = Field(1000.0, gt=0, description="concentration of vmf and power_spherical")


class ContrastiveSettings(Settings):
    """The contrastive loss between matching rows."""

    loss: Literal["infonce", "dcl", "siglip", "cwcl"] = Field("infonce", description="which contrastive loss")
    temperature: float = Field(0.2, gt=0, description="similarities are divided by this")
    learn_temperature: bool = Field(False, description="train the logarithm of the temperature too")


class OptimizerSettings(Settings):
    """AdamW and its schedule."""

    epochs: int = Field(120, ge=1, description="passes over the training compounds")
    batch_size: int = Field(128, ge=2, description="compounds per minibatch (each once, so that no negative is false)")
    learning_rate: float = Field(3e-3, gt=0, description="highest learning rate")
    weight_decay: float = Field(0.1, ge=0, description="decoupled weight decay")
    schedule: Literal["one_cycle", "cosine", "constant"] = Field(
        "one_cycle", description="warm-up and decay, decay to zero, or none"
    )
    patience: int | None = Field(
        40, ge=1, description="stop after so many epochs without a better validation score; null: never"
    )
    evaluate_every: int = Field(2, ge=1, description="epochs between two validations")
    checkpoint_every: int = Field(20, ge=1, description="epochs between two checkpoints")


class RunSettings(Settings):
    """Where the arithmetic runs."""

    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: the first GPU when there is one")
    mixed_precision: bool = Field(True, description="bfloat16 autocast on CUDA (no effect on a CPU)")
    cpu_threads: int = Field(1, ge=1, description="threads of one training job")

    def gpus(self) -> int:
        """GPUs that a training job asks its cluster for."""
        return 0 if self.device == "cpu" else 1


class ViewSettings(Settings):
    """How the two modalities are varied during training. Views are drawn independently of each other."""

    replicates: Literal["dirichlet", "single", "mean"] = Field(
        "dirichlet", description="a compound's profile: a random mixture of its wells, one random well, or their mean"
    )
    dirichlet_alpha: float = Field(1.0, gt=0, description="concentration of the mixture weights")
    phenotype_noise: float = Field(0.5, ge=0, description="Gaussian noise, in units of each input's training std")
    molecule_noise: float = Field(0.5, ge=0, description="Gaussian noise, in units of each input's training std")
    phenotype_dropout: float = Field(0.0, ge=0, lt=1, description="share of inputs set to zero")
    molecule_dropout: float = Field(0.1, ge=0, lt=1, description="share of inputs set to zero")
    mixup_alpha: float | None = Field(
        None, gt=0, description="mix pairs of compounds in both modalities with Beta(a, a) weights; null: do not"
    )


class TrainSharedSettings(Settings):
    """Step 1: InfoNCE + beta KL."""

    encoder: EncoderSettings = EncoderSettings()
    code: CodeSettings = CodeSettings()
    contrastive: ContrastiveSettings = ContrastiveSettings()
    views: ViewSettings = ViewSettings()
    optimizer: OptimizerSettings = OptimizerSettings()
    run: RunSettings = RunSettings()


class TrainSpecificSettings(Settings):
    """Step 2, on the frozen shared code: InfoNCE of the joint codes + lambda D(specific, shared)."""

    encoder: EncoderSettings = EncoderSettings()
    code: CodeSettings = CodeSettings()
    contrastive: ContrastiveSettings = ContrastiveSettings()
    dependence: Literal["cross_covariance", "hsic", "frobenius", "nce_club"] = Field(
        "cross_covariance",
        description="penalty D: normalised cross-covariance, HSIC, the released code's form, or a contrastive bound",
    )
    views: ViewSettings = ViewSettings(molecule_dropout=0.3, phenotype_noise=0.5)
    optimizer: OptimizerSettings = OptimizerSettings(epochs=100, learning_rate=1e-3)
    run: RunSettings = RunSettings()


class SweepSettings(Settings):
    """The values that become wildcards: every combination is a job."""

    beta: list[float] = Field(
        [0.001, 0.003, 0.01], min_length=1, description="weights of KL[p(z|x1) || p(z|x2)] in nats"
    )
    lam: list[float] = Field([0.3, 1.0, 3.0], min_length=1, description="weights of the dependence penalty")
    seed: list[int] = Field(
        [0, 1, 2], min_length=1, description="seeds; the models of all seeds together are one ensemble"
    )


class SelectModelSettings(Settings):
    """Choice of beta and lambda, on validation compounds only."""

    metric: Literal["mrr", "mean_normalized_rank"] = Field(
        "mrr", description="validation retrieval, mean of both directions, that chooses beta"
    )
    beta_tolerance: float = Field(
        0.15, ge=0, description="the largest beta whose validation retrieval is within this share of the best"
    )
    lam_tolerance: float = Field(
        0.05, ge=0, description="the largest lambda whose step-2 validation loss is within this share of the best"
    )


class EmbedSettings(Settings):
    """Embeddings for hand-over."""

    umap_neighbors: int = Field(15, ge=2, description="neighbours in UMAP")
    umap_min_dist: float = Field(0.2, ge=0, description="least distance in UMAP")
    seed: int = Field(0, ge=0, description="seed of UMAP")


class TrainBaselineSettings(Settings):
    """Controls that any learned model has to beat, on the same split."""

    methods: list[Literal["random", "nearest_neighbor", "kernel_ridge"]] = Field(
        ["random", "nearest_neighbor", "kernel_ridge"], min_length=1, description="which controls"
    )
    ridge: list[float] = Field(
        [0.1, 0.3, 1.0, 3.0, 10.0], min_length=1, description="ridge values tried; chosen on validation compounds"
    )
    seed: int = Field(0, ge=0, description="seed of the random control")
