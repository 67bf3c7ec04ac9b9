"""DMVAE: a variational autoencoder of both modalities with private and shared latents."""

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

import torch
from torch import Generator, Tensor, nn

from dssl.baselines.pair_model import Inputs, PairModel, Terms
from dssl.keys import MODALITIES
from dssl.model.encoders import make_encoder
from dssl.model.specific import OTHER
from dssl.settings.learning import TrainSharedSettings

# of every logarithm of a variance: e^10 either way
LIMIT = 10.0


class Normal(NamedTuple):
    """Gaussian distributions with diagonal covariance: mean and log-variance, (n, d) each."""

    mean: Tensor
    log_variance: Tensor

    def draw(self, generator: Generator | None) -> Tensor:
        """One reparameterised draw per row; the mean without a generator."""
        if generator is None:
            return self.mean
        noise = torch.randn(self.mean.shape, generator=generator, dtype=self.mean.dtype, device=self.mean.device)
        return self.mean + noise * (self.log_variance / 2).exp()

    def kl(self) -> Tensor:
        """KL to the standard normal of each row in nats, (n,)."""
        return (self.mean.square() + self.log_variance.exp() - 1 - self.log_variance).sum(1) / 2


def product_of_experts(experts: Sequence[Normal], prior: bool) -> Normal:
    """Normalised product of Gaussian experts, and of the standard normal prior.

    precision = [1 +] sum_k precision_k,   mean = (sum_k precision_k mean_k) / precision
    """
    precisions = [(-expert.log_variance).exp() for expert in experts]
    precision = torch.stack(precisions).sum(0) + (1.0 if prior else 0.0)
    weighted = torch.stack([p * expert.mean for p, expert in zip(precisions, experts, strict=True)]).sum(0)
    return Normal(weighted / precision, -precision.log())


def gaussian_loss(inputs: Tensor, reconstruction: Tensor, log_variance: Tensor) -> Tensor:
    """-log N(inputs; reconstruction, variance I) of each row in nats, (n,); one variance for all inputs."""
    squared = (inputs - reconstruction).square().sum(1) / log_variance.exp()
    return (squared + inputs.shape[1] * (log_variance + math.log(2 * math.pi))) / 2


class Dmvae(PairModel):
    """DMVAE (Lee and Pavlovic 2021, Private-shared disentangled multimodal VAE).

        loss = mean over rows of sum_m [ -log p(x^m | z_p^m, z_s) - log p(x^m | z_p^m, z_s^other) + a KL^m ]
        KL^m = 2 KL(z_p^m) + KL(z_s) + KL(z_s^m)

    with z_s from the product of both modalities' experts and the prior, z_s^m from that of one modality's expert and the
    prior, and a Gaussian likelihood whose variance is trained, one for each modality: reconstruction and KL are both in
    nats per row. a = 1 is the sum of four evidence bounds.

    Differs from the released code (`DmvaeAsReleased`): there the KL is summed over the minibatch against a mean squared
    error, the product leaves out the prior, and the KL of the private code beside the cross-reconstruction mixes the
    mean of one modality with the variance of the other.

    The encoder gives both latents' means and log-variances; the decoder is as deep. Hyperparameter: `a`.
    """

    ranges: ClassVar = {"a": (1e-3, 10.0)}
    defaults: ClassVar = {"a": 1.0}
    n_views: ClassVar = 1
    validates_with_draws: ClassVar = True

    def __init__(
        self, input_sizes: Mapping[str, int], settings: TrainSharedSettings, hyperparameters: Mapping[str, float]
    ) -> None:
        super().__init__(input_sizes, settings, hyperparameters)
        size, encoder = settings.code.size, settings.encoder
        decoder = encoder.model_copy(update={"input_transform": "none", "custom": None})
        self.encoders = nn.ModuleDict({m: make_encoder(input_sizes[m], 4 * size, encoder) for m in MODALITIES})
        self.decoders = nn.ModuleDict({m: make_encoder(2 * size, input_sizes[m], decoder) for m in MODALITIES})
        self.log_variances = nn.ParameterDict({m: nn.Parameter(torch.zeros(())) for m in MODALITIES})

    def experts(self, modality: str, inputs: Tensor) -> tuple[Normal, Normal]:
        """What the encoder says of the shared and of the private latent."""
        mean, log_variance, private_mean, private_log_variance = self.encoders[modality](inputs).float().chunk(4, dim=1)
        return Normal(mean, self.limited(log_variance)), Normal(private_mean, self.limited(private_log_variance))

    @staticmethod
    def limited(log_variance: Tensor) -> Tensor:
        """Logarithms of variances that cannot overflow."""
        return log_variance.clamp(-LIMIT, LIMIT)

    def loss(self, view_a: Inputs, view_b: Inputs, generator: Generator | None, same: Tensor | None = None) -> Terms:
        """Reconstruction, cross-reconstruction and KL, means over the rows, and their weighted sum."""
        experts = {m: self.experts(m, view_a[m]) for m in MODALITIES}
        joint = product_of_experts([experts[m][0] for m in MODALITIES], prior=True)
        single = {m: product_of_experts([experts[m][0]], prior=True) for m in MODALITIES}
        shared, private = joint.draw(generator), {m: experts[m][1].draw(generator) for m in MODALITIES}
        crossed = {m: single[m].draw(generator) for m in MODALITIES}
        own, cross, kl = [], [], [2 * joint.kl()]
        for m in MODALITIES:
            own.append(self._reconstruction_loss(m, view_a[m], private[m], shared))
            cross.append(self._reconstruction_loss(m, view_a[m], private[m], crossed[OTHER[m]]))
            kl.append(2 * experts[m][1].kl() + single[m].kl())
        sums = {"reconstruction": own, "cross_reconstruction": cross, "kl": kl}
        terms = {name: torch.stack(parts).sum(0).mean() for name, parts in sums.items()}
        weighted = self.hyperparameters["a"] * terms["kl"]
        return {**terms, "loss": terms["reconstruction"] + terms["cross_reconstruction"] + weighted}

    def _reconstruction_loss(self, modality: str, inputs: Tensor, private: Tensor, shared: Tensor) -> Tensor:
        decoded = self.decoders[modality](torch.cat([private, shared], dim=1)).float()
        return gaussian_loss(inputs, decoded, self.limited(self.log_variances[modality]))

    def codes(self, modality: str, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior means of the shared latent, given this modality alone, and of the private one."""
        shared, private = self.experts(modality, inputs)
        return product_of_experts([shared], prior=True).mean, private.mean
