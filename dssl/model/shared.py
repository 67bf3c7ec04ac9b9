"""Step 1: the shared code of both modalities."""

import math
from typing import Literal

import torch
from torch import Generator, Tensor, nn

from dssl.errors import ConfigError
from dssl.keys import MODALITIES, MOLECULE, PHENOTYPE
from dssl.model.bessel import bessel_ratio
from dssl.model.centers import CodeCenters
from dssl.model.contrastive import clamped_cosines, cwcl, dcl, infonce, siglip
from dssl.model.distributions import CodeDistribution, Point, code_distribution, unit_codes
from dssl.model.encoders import make_encoder
from dssl.model.ranks import by_rows
from dssl.settings.learning import CodeSettings, ContrastiveSettings, EncoderSettings

KlScale = Literal["nats", "released"]


class Contrast(nn.Module):
    """A contrastive loss with its temperature and, for siglip, its bias."""

    def __init__(self, settings: ContrastiveSettings) -> None:
        super().__init__()
        self.settings = settings
        start = torch.tensor(math.log(settings.temperature))
        self.log_temperature = nn.Parameter(start, requires_grad=settings.learn_temperature)
        self.bias = nn.Parameter(torch.tensor(-1 / settings.temperature)) if settings.loss == "siglip" else None

    def forward(
        self, first: Tensor, second: Tensor, inputs: Tensor | None = None, same: Tensor | None = None
    ) -> Tensor:
        """Loss in nats of two batches with matching rows.

        Parameters
        ----------
        first, second : Tensor, (n, d)
            Unit vectors.
        inputs : Tensor, (n, k), optional
            What the weights of cwcl are made from; without, cwcl is InfoNCE.
        same : Tensor of bool, (n, n), optional
            Rows that show one molecule, treated as `same_molecule` in the settings says. The weights of cwcl stand in
            its place: rows that look alike are matches by degrees, of whatever molecule.
        """
        temperature = self.log_temperature.exp() if self.settings.learn_temperature else self.settings.temperature
        if self.settings.loss == "cwcl" and inputs is not None:
            return cwcl(first, second, temperature, clamped_cosines(inputs))
        if self.bias is not None:
            return siglip(first, second, temperature, self.bias, same, self.settings.same_molecule)
        loss = dcl if self.settings.loss == "dcl" else infonce
        return loss(first, second, temperature, same, self.settings.same_molecule)


class SharedModel(nn.Module):
    """Encoders of both modalities into one space.

    Parameters
    ----------
    phenotype_size, molecule_size : int
        Numbers of inputs of each modality.
    encoder, code, contrastive : EncoderSettings, CodeSettings, ContrastiveSettings
        Of both modalities alike.

    Attributes
    ----------
    spread : Tensor, ()
        Standard deviation of the cosines of pairs that do not match, measured after training; the unit in which models
        are averaged.
    centers : CodeCenters
        Set after training; what codes are compared about.
    """

    spread: Tensor

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
            {modality: make_encoder(self.input_sizes[modality], code.size, encoder) for modality in MODALITIES}
        )
        self.contrast = Contrast(contrastive)
        self.centers = CodeCenters(code.size)
        self.register_buffer("spread", torch.ones(()))

    def features(self, modality: str, inputs: Tensor) -> Tensor:
        """Features (n, d) of inputs (n, k), from which the code's distribution is made."""
        return by_rows(self.encoders[modality], inputs)

    def distribution(self, modality: str, inputs: Tensor) -> CodeDistribution:
        """p(z_c | x) for inputs (n, k) of one modality."""
        return code_distribution(self.features(modality, inputs), self.code_settings)

    def code(self, modality: str, inputs: Tensor) -> Tensor:
        """Mean directions of the shared code, unit vectors (n, d), not centred."""
        return unit_codes(self.distribution(modality, inputs), None)


def shared_loss(
    model: SharedModel,
    phenotype: Tensor,
    molecule: Tensor,
    beta: float,
    generator: Generator | None,
    same: Tensor | None = None,
    kl_scale: KlScale = "nats",
) -> dict[str, Tensor]:
    """Loss of step 1 and its terms, in nats (Wang et al. 2025, arXiv 2410.23996, L_shared).

        loss = contrastive(z1, z2) + beta * kl,   kl = mean of (KL[p(z|x1) || p(z|x2)] + KL[p(z|x2) || p(z|x1)]) / 2

    On the scale "released" beta weighs the released code's term, the mean of -mu1.mu2. That is the KL of von Mises-Fisher
    codes without its factor kappa A_d(kappa) (951.7 at d = 100, kappa = 1000) and less one; "kl" stays in nats.

    Parameters
    ----------
    phenotype, molecule : Tensor, (n, k1) and (n, k2)
        Inputs with matching rows.
    beta : float
        Weight of the KL, on the scale `kl_scale`; must be 0 for deterministic codes.
    generator : Generator or None
        For the draws of the codes; None takes their means instead (validation).
    same : Tensor of bool, (n, n), optional
        Rows that show one molecule; None where every row shows another.
    kl_scale : {"nats", "released"}

    Raises
    ------
    ConfigError
        If beta > 0 with deterministic codes, or the scale is the released code's and the codes are not vmf.
    """
    first, second = model.distribution(PHENOTYPE, phenotype), model.distribution(MOLECULE, molecule)
    terms = pair_terms(first, second, model.contrast, generator, beta > 0, phenotype, same)
    return {"loss": weighed(terms, beta, model.code_settings, kl_scale), **terms}


def pair_terms(
    first: CodeDistribution,
    second: CodeDistribution,
    contrast: Contrast,
    generator: Generator | None,
    needs_kl: bool = False,
    inputs: Tensor | None = None,
    same: Tensor | None = None,
) -> dict[str, Tensor]:
    """Contrastive loss and symmetrised KL, in nats, of the codes of two modalities with matching rows.

    Parameters as in `shared_loss` and `Contrast`. The KL of deterministic codes is left out; it is infinite, an error,
    where `needs_kl`.
    """
    terms = {"contrastive": contrast(unit_codes(first, generator), unit_codes(second, generator), inputs, same)}
    if needs_kl or not isinstance(first, Point):
        terms["kl"] = (first.kl(second) + second.kl(first)).mean() / 2
    return terms


def weighed(terms: dict[str, Tensor], beta: float, code: CodeSettings, kl_scale: KlScale) -> Tensor:
    """Contrastive loss + beta KL, with beta on the scale `kl_scale` (see `shared_loss`)."""
    beta_nats = beta_scales(beta, code, kl_scale)["beta_nats"]
    if "kl" not in terms:
        return terms["contrastive"]
    loss = terms["contrastive"] + beta_nats * terms["kl"]
    return loss if kl_scale == "nats" else loss - beta


def beta_scales(beta: float, code: CodeSettings, kl_scale: KlScale) -> dict[str, float]:
    """Weight of the KL on both scales: "beta_nats" and, for vmf codes, "beta_released_scale".

    Differs from the released code, whose KL lacks the factor kappa A_d(kappa): its beta is beta_nats times that factor.

    Raises
    ------
    ConfigError
        If `kl_scale` is "released" and the codes are not von Mises-Fisher: there is no such scale for others.
    """
    if code.distribution != "vmf":
        if kl_scale == "released":
            raise ConfigError(
                f"train_shared.kl_scale: released is a scale of vmf codes, found distribution: {code.distribution}\n"
                "Set train_shared.kl_scale: nats, or train_shared.code.distribution: vmf."
            )
        return {"beta_nats": beta}
    factor = code.kappa * bessel_ratio(code.size, code.kappa)
    if kl_scale == "released":
        return {"beta_nats": beta / factor, "beta_released_scale": beta}
    return {"beta_nats": beta, "beta_released_scale": beta * factor}
