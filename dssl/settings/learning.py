"""Settings of training: encoders, codes, losses, optimiser, sweep."""

from typing import Any, Literal

from pydantic import Field, PositiveFloat, model_validator

from dssl.keys import CLOSED_FORM
from dssl.settings.base import Settings
from dssl.settings.presets import SHARED_PRESETS, SPECIFIC_PRESETS, with_preset

Preset = Literal["default", "paper", "released"]
Solver = Literal["neural", "gaussian"]
Sharing = Literal["common", "pairs"]


class EncoderSettings(Settings):
    """A linear map plus a network with hidden layers; the same for both modalities."""

    input_transform: Literal["none", "log1p", "unit_length"] = Field(
        "none", description="of the inputs: none (dense profiles), log1p (counts) or scaling to length one (embeddings)"
    )
    hidden_sizes: list[int] = Field([256], description="widths of the hidden layers; empty: linear only")
    activation: Literal["gelu", "relu", "silu", "tanh"] = Field("gelu", description="after each hidden layer")
    linear_path: bool = Field(True, description="add a linear map from input to code beside the network")
    layer_norm: bool = Field(True, description="layer norm before each activation")
    dropout: float = Field(0.5, ge=0, lt=1, description="dropout after each activation")
    weight_std: float | None = Field(
        None, gt=0, description="initial weights N(0, weight_std^2) (released code: 0.01); null: PyTorch's default"
    )
    custom: str | None = Field(
        None,
        pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$",
        description="own encoder as package.module:Name, called as Name(input_size, output_size, settings); "
        "the other keys are then its to use",
    )


class CodeSettings(Settings):
    """The distribution of a code given its input."""

    size: int = Field(64, ge=2, description="dimensions of the code")
    distribution: Literal["vmf", "power_spherical", "gaussian", "deterministic"] = Field(
        "vmf", description="von Mises-Fisher, power spherical, unit-covariance Gaussian, or a point"
    )
    kappa: float = Field(1000.0, gt=0, description="concentration of vmf and power_spherical")
    center: bool = Field(
        True,
        description="compare shared codes about their mean over training compounds, where the mean rank of validation "
        "compounds is better so; of no effect on specific codes",
    )


class ContrastiveSettings(Settings):
    """The contrastive loss between matching rows."""

    loss: Literal["infonce", "dcl", "siglip", "cwcl"] = Field("infonce", description="which contrastive loss")
    temperature: float = Field(0.2, gt=0, description="similarities are divided by this")
    learn_temperature: bool = Field(False, description="train the logarithm of the temperature too")
    same_molecule: Literal["exclude", "positive", "negative"] = Field(
        "exclude",
        description="two rows of a minibatch that show one molecule (views.rows: wells): leave the false negative out, "
        "count it as a match too, or treat it as a negative",
    )


class OptimizerSettings(Settings):
    """Adam or AdamW and its schedule."""

    name: Literal["adamw", "adam"] = Field("adamw", description="adamw decouples the weight decay")

    epochs: int = Field(120, ge=1, description="passes over the training compounds")
    batch_size: int = Field(128, ge=2, description="rows per minibatch: compounds, or wells (views.rows)")
    learning_rate: float = Field(3e-3, gt=0, description="highest learning rate")
    weight_decay: float = Field(0.1, ge=0, description="weight decay")
    schedule: Literal["one_cycle", "cosine", "cosine_by_epoch", "constant"] = Field(
        "one_cycle", description="warm-up and decay, decay to zero, the same in steps of an epoch, or none"
    )
    keep: Literal["best", "last"] = Field("best", description="weights kept: of the best validation loss, or the last")
    patience: int | None = Field(
        40, ge=1, description="stop after so many epochs without a better validation score; null: never"
    )
    evaluate_every: int = Field(2, ge=1, description="epochs between two validations")
    checkpoint_every: int = Field(20, ge=1, description="epochs between two checkpoints")


class RunSettings(Settings):
    """Where the arithmetic runs."""

    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto",
        description="auto: a GPU when the job sees one; cuda: also asks a cluster for it, and without one is an error",
    )
    mixed_precision: bool = Field(True, description="bfloat16 autocast on CUDA (no effect on a CPU)")
    cpu_threads: int = Field(1, ge=1, description="threads of each training process")
    processes: int = Field(
        1, ge=1, description="processes that train one model on one machine (torchrun), on GPUs with one GPU each"
    )
    nodes: int = Field(1, ge=1, description="machines of a Slurm cluster that train one model, each with `processes`")

    def threads(self) -> int:
        """CPU cores that a training job asks for on each machine."""
        return self.processes * self.cpu_threads

    def gpus(self) -> int:
        """GPUs that a training job asks its cluster for: a site's profile decides for device: auto."""
        return self.processes * self.nodes if self.device == "cuda" else 0

    def of_member(self, seed: str, solver: Solver) -> "RunSettings":
        """Where one member of the ensemble is made: what is solved takes one process and no GPU."""
        if solver == "neural" and seed != CLOSED_FORM:
            return self
        return self.model_copy(update={"device": "cpu", "processes": 1, "nodes": 1})


class ViewSettings(Settings):
    """How the two modalities are varied during training. Views are drawn independently of each other."""

    rows: Literal["compounds", "wells"] = Field(
        "compounds", description="rows of a minibatch: compounds, each once, or wells (see contrastive.same_molecule)"
    )
    replicates: Literal["dirichlet", "single", "distinct", "mean"] = Field(
        "dirichlet",
        description="a compound's profile: a random mixture of its wells, one random well, random wells that differ "
        "between the two views of step 2, or the mean; with rows: wells, each view is the well itself unless distinct",
    )
    augmentation: Literal["independent", "released"] = Field(
        "independent",
        description="independent: the noise and dropout below. released: the released code's (each row noise 0.01, or "
        "10 % zeros, or nothing; the second view made from the first), which ignores them",
    )
    dirichlet_alpha: float = Field(1.0, gt=0, description="concentration of the mixture weights")
    phenotype_noise: float = Field(0.5, ge=0, description="Gaussian noise, in units of each input's training std")
    molecule_noise: float = Field(0.5, ge=0, description="Gaussian noise, in units of each input's training std")
    phenotype_dropout: float = Field(0.0, ge=0, lt=1, description="share of inputs set to zero")
    molecule_dropout: float = Field(0.1, ge=0, lt=1, description="share of inputs set to zero")
    mixup_alpha: float | None = Field(
        None, gt=0, description="mix pairs of compounds in both modalities with Beta(a, a) weights; null: do not"
    )


class GaussianSettings(Settings):
    """The closed form for `solver: gaussian`: regularised canonical correlations of the preprocessed inputs."""

    ridge: list[PositiveFloat] = Field(
        [0.1, 0.3, 1.0, 3.0, 10.0],
        min_length=1,
        description="ridge on each covariance, in units of its mean eigenvalue; chosen on validation compounds",
    )
    gains: Literal["bottleneck", "likelihood"] = Field(
        "likelihood",
        description="signal-to-noise ratio of each kept direction: the exact optimum for beta, or in proportion to its "
        "weight in the likelihood ratio of a pair, which retrieves better where correlations are small",
    )


class TrainSharedSettings(Settings):
    """Step 1: InfoNCE + beta KL."""

    preset: Preset = Field(
        "default", description="defaults of this section: ours, the paper's as written, or the released code's"
    )
    solver: Solver = Field(
        "neural", description="trained encoders, or the Gaussian information bottleneck in closed form"
    )
    gaussian: GaussianSettings = GaussianSettings()
    kl_scale: Literal["nats", "released"] = Field(
        "nats",
        description="unit of the KL that beta weighs: nats, or the released code's (von Mises-Fisher codes without the "
        "factor kappa A_d(kappa), 951.7 at d = 100, kappa = 1000)",
    )
    encoder: EncoderSettings = EncoderSettings()
    code: CodeSettings = CodeSettings()
    contrastive: ContrastiveSettings = ContrastiveSettings()
    views: ViewSettings = ViewSettings()
    optimizer: OptimizerSettings = OptimizerSettings()
    run: RunSettings = RunSettings()

    @model_validator(mode="before")
    @classmethod
    def _expand_preset(cls, values: Any) -> Any:
        return with_preset(values, SHARED_PRESETS, cls.subsections())


class TrainAssaysSettings(Settings):
    """Molecule, phenotype and second assay at once, by pairs; with the encoders, codes, views and optimiser of step 1."""

    sharing: Sharing = Field(
        "common",
        description="each modality has one code, compared with those of all others (common), or one for each of the others",
    )
    beta: float = Field(0.003, ge=0, description="weight of the KL, as in sweep.beta")


class TrainSpecificSettings(Settings):
    """Step 2, on the frozen shared code: InfoNCE of the joint codes + lambda D(specific, shared)."""

    preset: Preset = Field(
        "default", description="defaults of this section: ours, the paper's as written, or the released code's"
    )
    solver: Solver = Field("neural", description="trained encoders, or what the shared code leaves, in closed form")
    encoder: EncoderSettings = EncoderSettings()
    code: CodeSettings = CodeSettings()
    contrastive: ContrastiveSettings = ContrastiveSettings()
    dependence: Literal["cross_covariance", "hsic", "frobenius", "nce_club"] = Field(
        "cross_covariance",
        description="penalty D: normalised cross-covariance, HSIC, the released code's form, or a contrastive bound",
    )
    joint_of: Literal["codes", "features"] = Field(
        "codes",
        description="what step 2 works on: codes of length one, or the encoders' raw features (the released code)",
    )
    penalized: Literal["own", "both"] = Field(
        "own", description="the specific code is kept independent of its own modality's shared code, or of both"
    )
    joint_alpha: float | None = Field(
        None,
        gt=0,
        description="joint training: go on training the shared code in one objective, step 1's loss + joint_alpha x "
        "step 2's contrastive loss + lambda D; must exceed every lambda; null: two steps, the shared code frozen",
    )
    views: ViewSettings = ViewSettings(molecule_dropout=0.3, phenotype_noise=0.5)
    optimizer: OptimizerSettings = OptimizerSettings(epochs=100, learning_rate=1e-3)
    run: RunSettings = RunSettings()

    @model_validator(mode="before")
    @classmethod
    def _expand_preset(cls, values: Any) -> Any:
        return with_preset(values, SPECIFIC_PRESETS, cls.subsections())

    @model_validator(mode="after")
    def _closed_form_trains_nothing(self) -> "TrainSpecificSettings":
        if self.solver == "gaussian" and (self.joint_alpha is not None or self.dependence == "nce_club"):
            raise ValueError(
                "solver: gaussian trains nothing: joint_alpha (joint training) and dependence: nce_club (a trained "
                "critic) need solver: neural"
            )
        return self


class SweepSettings(Settings):
    """The values that become wildcards: every combination is a job."""

    beta: list[float] = Field(
        [0.001, 0.003, 0.01], min_length=1, description="weights of KL[p(z|x1) || p(z|x2)] in nats"
    )
    lam: list[float] = Field([0.3, 1.0, 3.0], min_length=1, description="weights of the dependence penalty")
    seed: list[int] = Field(
        [0, 1, 2], min_length=1, description="seeds; the models of all seeds together are one ensemble"
    )
    closed_form: bool = Field(
        True,
        description="add the closed form of both steps (train_shared.gaussian) to the ensemble, in which it weighs as "
        "much as the models of all seeds together, in units of the spread of their cosines; of no effect with solver: gaussian",
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


class EmbedScreenSettings(Settings):
    """Embeddings for hand-over."""

    umap_neighbors: int = Field(15, ge=2, description="neighbours in UMAP")
    umap_min_dist: float = Field(0.2, ge=0, description="least distance in UMAP")
    seed: int = Field(0, ge=0, description="seed of UMAP")
