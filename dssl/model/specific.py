"""Step 2: the specific code of each modality, on the frozen shared code."""

from collections.abc import Mapping

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from dssl.keys import MODALITIES, MOLECULE, PHENOTYPE
from dssl.model.dependence import NceClub, cross_covariance, frobenius, hsic
from dssl.model.distributions import CodeDistribution, code_distribution
from dssl.model.encoders import Encoder
from dssl.model.shared import Contrast, SharedModel
from dssl.settings.learning import TrainSpecificSettings

Inputs = Mapping[str, Tensor]
PENALTIES = {"cross_covariance": cross_covariance, "hsic": hsic, "frobenius": frobenius}


class SpecificModel(nn.Module):
    """Encoders of [x^m, z_c^m], one per modality.

    Parameters
    ----------
    input_sizes : mapping of str to int
        Numbers of inputs of each modality, without the shared code.
    shared_size : int
        Dimensions of the shared code.
    settings : TrainSpecificSettings
        Encoder, code, contrastive loss and dependence penalty.
    """

    def __init__(self, input_sizes: Mapping[str, int], shared_size: int, settings: TrainSpecificSettings) -> None:
        super().__init__()
        self.input_sizes, self.shared_size, self.settings = dict(input_sizes), shared_size, settings
        self.encoders = nn.ModuleDict(
            {
                modality: Encoder(input_sizes[modality] + shared_size, settings.code.size, settings.encoder)
                for modality in MODALITIES
            }
        )
        self.contrast = Contrast(settings.contrastive)
        is_bound = settings.dependence == "nce_club"
        critics = {modality: NceClub(settings.code.size, shared_size) for modality in MODALITIES if is_bound}
        self.critics = nn.ModuleDict(critics)

    def distribution(self, modality: str, inputs: Tensor, shared_code: Tensor) -> CodeDistribution:
        """p(z_s^m | x^m, z_c^m) for inputs (n, k) and shared codes (n, d); no gradient reaches the shared code."""
        features = self.encoders[modality](torch.cat([inputs, shared_code.detach()], dim=1))
        return code_distribution(features, self.settings.code)

    def code(self, modality: str, inputs: Tensor, shared_code: Tensor) -> Tensor:
        """Mean directions of the specific code, unit vectors (n, d)."""
        return functional.normalize(self.distribution(modality, inputs, shared_code).mean, dim=1)

    def dependence(self, modality: str, code: Tensor, shared_code: Tensor) -> Tensor:
        """Penalty D(z_s^m, z_c^m) named in the settings."""
        if self.settings.dependence == "nce_club":
            penalty: Tensor = self.critics[modality](code, shared_code)
            return penalty
        return PENALTIES[self.settings.dependence](code, shared_code)

    def critic_loss(self, modality: str, code: Tensor, shared_code: Tensor) -> Tensor | None:
        """Loss of the penalty's own critic, where it has one."""
        if modality not in self.critics:
            return None
        critic = self.critics[modality]
        return critic.critic_loss(code, shared_code) if isinstance(critic, NceClub) else None


def freeze(model: nn.Module) -> None:
    """Switch a model to evaluation and take all its parameters out of training."""
    model.eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False)


def specific_loss(
    model: SpecificModel,
    shared_model: SharedModel,
    view_a: Inputs,
    view_b: Inputs,
    lam: float,
    generator: Generator | None,
) -> dict[str, Tensor]:
    """Loss of step 2 and its terms (Wang et al. 2025, arXiv 2410.23996, L_specific).

        loss = sum_m contrastive([z_s^m, z_c^other](view a), [z_s^m, z_c^other](view b)) + lam * sum_m D(z_s^m, z_c^m)

    The contrasted vectors are the concatenations, normalised; D is the mean over the two views.

    Parameters
    ----------
    shared_model : SharedModel
        Frozen (see `freeze`).
    view_a, view_b : mapping of modality to Tensor (n, k)
        Two views of the same n compounds, drawn independently.
    lam : float
        Weight of the dependence penalty.
    generator : Generator or None
        For the draws of the codes; None takes their means instead (validation).
    """
    stacked = {modality: torch.cat([view_a[modality], view_b[modality]]) for modality in MODALITIES}
    with torch.no_grad():
        shared = {modality: shared_model.code(modality, stacked[modality]) for modality in MODALITIES}
    terms: dict[str, Tensor] = {}
    critic_losses: list[Tensor] = []
    for modality, other in ((PHENOTYPE, MOLECULE), (MOLECULE, PHENOTYPE)):
        distribution = model.distribution(modality, stacked[modality], shared[modality])
        code = functional.normalize(distribution.mean if generator is None else distribution.rsample(generator), dim=1)
        joint_a, joint_b = functional.normalize(torch.cat([code, shared[other]], dim=1), dim=1).chunk(2)
        terms[f"contrastive_{modality}"] = model.contrast(joint_a, joint_b, view_a[modality])
        views = list(zip(code.chunk(2), shared[modality].chunk(2), strict=True))
        terms[f"dependence_{modality}"] = torch.stack([model.dependence(modality, *view) for view in views]).mean()
        losses = [model.critic_loss(modality, *view) for view in views]
        critic_losses += [loss for loss in losses if loss is not None]
    contrastive = terms[f"contrastive_{PHENOTYPE}"] + terms[f"contrastive_{MOLECULE}"]
    dependence = terms[f"dependence_{PHENOTYPE}"] + terms[f"dependence_{MOLECULE}"]
    loss = contrastive + lam * dependence
    if critic_losses:
        terms["critic"] = torch.stack(critic_losses).sum()
        loss = loss + terms["critic"]
    return {"loss": loss, **terms}
