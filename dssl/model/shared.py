"""Step 1: the shared code of both modalities."""

import math

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from dssl.keys import MODALITIES, MOLECULE, PHENOTYPE
from dssl.model.contrastive import clamped_cosines, cwcl, dcl, infonce, siglip
from dssl.model.distributions import CodeDistribution, code_distribution
from dssl.model.encoders import Encoder
from dssl.settings.learning import CodeSettings, ContrastiveSettings, EncoderSettings


class Contrast(nn.Module):
    """A contrastive loss with its temperature and, for siglip, its bias."""

    def __init__(self, settings: ContrastiveSettings) -> None:
        super().__init__()
        self.loss = settings.loss
        start = torch.tensor(math.log(settings.temperature))
        self.log_temperature = nn.Parameter(start, requires_grad=settings.learn_temperature)
        self.bias = nn.Parameter(torch.tensor(-1 / settings.temperature)) if settings.loss == "siglip" else None

    def forward(self, first: Tensor, second: Tensor, inputs: Tensor | None = None) -> Tensor:
        """Loss in nats of unit vectors (n, d) with matching rows; `inputs` (n, k) give the weights of cwcl."""
        temperature = self.log_temperature.exp()
        if self.bias is not None:
            return siglip(first, second, temperature, self.bias)
        if self.loss == "dcl":
            return dcl(first, second, temperature)
        if self.loss == "cwcl" and inputs is not None:
            return cwcl(first, second, temperature, clamped_cosines(inputs))
        return infonce(first, second, temperature)


class SharedModel(nn.Module):
    """Encoders of both modalities into one space.

    Parameters
    ----------
    phenotype_size, molecule_size : int
        Numbers of inputs of each modality.
    encoder, code, contrastive : EncoderSettings, CodeSettings, ContrastiveSettings
        Of both modalities alike.
    """

    def __init__(
        self,
        phenotype_size: int,
        molecule_size: int,
        encoder: EncoderSettings,
        code: CodeSettings,
        contrastive: ContrastiveSettings,
    ) -> None:
        super().__init__()
        self.input_sizes = {PHENOTYPE: phenotype_size, MOLECULE: molecule_size}
        self.encoder_settings, self.code_settings, self.contrastive_settings = encoder, code, contrastive
        self.encoders = nn.ModuleDict(
            {modality: Encoder(self.input_sizes[modality], code.size, encoder) for modality in MODALITIES}
        )
        self.contrast = Contrast(contrastive)

    def distribution(self, modality: str, inputs: Tensor) -> CodeDistribution:
        """p(z_c | x) for inputs (n, k) of one modality."""
        return code_distribution(self.encoders[modality](inputs), self.code_settings)

    def code(self, modality: str, inputs: Tensor) -> Tensor:
        """Mean directions of the shared code, unit vectors (n, d)."""
        return functional.normalize(self.distribution(modality, inputs).mean, dim=1)


def shared_loss(
    model: SharedModel, phenotype: Tensor, molecule: Tensor, beta: float, generator: Generator | None
) -> dict[str, Tensor]:
    """Loss of step 1 and its terms, in nats (Wang et al. 2025, arXiv 2410.23996, L_shared).

        loss = contrastive(z1, z2) + beta * kl,   kl = mean of (KL[p(z|x1) || p(z|x2)] + KL[p(z|x2) || p(z|x1)]) / 2

    Differs from the released code, whose KL of von Mises-Fisher codes lacks the factor kappa A_d(kappa): its beta is
    ours times kappa A_d(kappa) (951.7 at d = 100, kappa = 1000).

    Parameters
    ----------
    phenotype, molecule : Tensor, (n, k1) and (n, k2)
        Inputs with matching rows.
    beta : float
        Weight of the KL; must be 0 for deterministic codes.
    generator : Generator or None
        For the draws of the codes; None takes their means instead (validation).
    """
    first, second = model.distribution(PHENOTYPE, phenotype), model.distribution(MOLECULE, molecule)
    first_code = functional.normalize(first.mean if generator is None else first.rsample(generator), dim=1)
    second_code = functional.normalize(second.mean if generator is None else second.rsample(generator), dim=1)
    contrastive = model.contrast(first_code, second_code, phenotype)
    if beta == 0 and model.code_settings.distribution == "deterministic":
        return {"loss": contrastive, "contrastive": contrastive}
    kl = (first.kl(second) + second.kl(first)).mean() / 2
    return {"loss": contrastive + beta * kl, "contrastive": contrastive, "kl": kl}
