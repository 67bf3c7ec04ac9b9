"""Step 2: the specific code of each modality, on the frozen shared code or trained together with it."""

from collections.abc import Mapping

import torch
from torch import Generator, Tensor, nn

from dssl.keys import MODALITIES, MOLECULE, PHENOTYPE
from dssl.model.dependence import NceClub, cross_covariance, frobenius, hsic
from dssl.model.distributions import CodeDistribution, code_distribution, unit_codes
from dssl.model.encoders import make_encoder
from dssl.model.ranks import by_rows
from dssl.model.shared import Contrast, SharedModel, pair_terms, weighed
from dssl.model.unit import unit_rows
from dssl.settings.learning import CodeSettings, TrainSpecificSettings

Inputs = Mapping[str, Tensor]
PENALTIES = {"cross_covariance": cross_covariance, "hsic": hsic, "frobenius": frobenius}
OTHER = {PHENOTYPE: MOLECULE, MOLECULE: PHENOTYPE}


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
                modality: make_encoder(
                    input_sizes[modality] + shared_size, settings.code.size, settings.encoder, shared_size
                )
                for modality in MODALITIES
            }
        )
        self.contrast = Contrast(settings.contrastive)
        pairs = [pair for modality in MODALITIES for pair in self.penalized_pairs(modality)]
        is_bound = settings.dependence == "nce_club"
        critics = {f"{own}_{of}": NceClub(settings.code.size, shared_size) for own, of in pairs if is_bound}
        self.critics = nn.ModuleDict(critics)

    def penalized_pairs(self, modality: str) -> list[tuple[str, str]]:
        """Pairs (modality, whose shared code) that its specific code is kept independent of."""
        others = [modality] if self.settings.penalized == "own" else [modality, OTHER[modality]]
        return [(modality, other) for other in others]

    def shared_part(self, shared_model: SharedModel, modality: str, inputs: Tensor) -> Tensor:
        """What the specific code is told of the shared one (n, d): its unit code, or its features (`joint_of`)."""
        return self.part_of(shared_model.features(modality, inputs), shared_model.code_settings)

    def part_of(self, features: Tensor, code: CodeSettings) -> Tensor:
        """`shared_part` from the features of the shared code and its settings."""
        return features if self.settings.joint_of == "features" else unit_codes(code_distribution(features, code), None)

    def features(self, modality: str, inputs: Tensor, shared: Tensor) -> Tensor:
        """Features (n, d) from which the specific code's distribution is made; no gradient reaches `shared`."""
        return by_rows(self.encoders[modality], torch.cat([inputs, shared.detach()], dim=1))

    def distribution(self, modality: str, inputs: Tensor, shared: Tensor) -> CodeDistribution:
        """p(z_s^m | x^m, z_c^m) for inputs (n, k) and the `shared_part` (n, d)."""
        return code_distribution(self.features(modality, inputs, shared), self.settings.code)

    def code(self, modality: str, inputs: Tensor, shared: Tensor) -> Tensor:
        """Mean directions of the specific code, unit vectors (n, d)."""
        return unit_codes(self.distribution(modality, inputs, shared), None)

    def dependence(self, modality: str, code: Tensor, shared: Mapping[str, Tensor]) -> Tensor:
        """Penalty D named in the settings: D(z_s^m, z_c^m), or its mean with D(z_s^m, z_c^other).

        No gradient reaches the shared codes. Differs from JointOpt, whose penalty can be met by a shared code that
        gives up what is shared.
        """
        penalties = []
        for own, other in self.penalized_pairs(modality):
            if self.settings.dependence == "nce_club":
                penalties.append(self.critics[f"{own}_{other}"](code, shared[other].detach()))
            else:
                penalties.append(PENALTIES[self.settings.dependence](code, shared[other].detach()))
        return torch.stack(penalties).mean()

    def critic_losses(self, modality: str, code: Tensor, shared: Mapping[str, Tensor]) -> list[Tensor]:
        """Losses of the penalty's own critics, where it has any."""
        critics = [(self.critics[f"{own}_{other}"], other) for own, other in self._critic_pairs(modality)]
        return [critic.critic_loss(code, shared[other]) for critic, other in critics if isinstance(critic, NceClub)]

    def _critic_pairs(self, modality: str) -> list[tuple[str, str]]:
        return self.penalized_pairs(modality) if self.settings.dependence == "nce_club" else []


def freeze(model: nn.Module) -> None:
    """Switch a model to evaluation and take all its parameters out of training."""
    model.eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False)


def unfreeze(model: SharedModel) -> None:
    """Put a frozen shared model's parameters back into training; the temperature only where it is learned."""
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    model.contrast.log_temperature.requires_grad_(model.contrastive_settings.learn_temperature)


def specific_loss(
    model: SpecificModel,
    shared_model: SharedModel,
    view_a: Inputs,
    view_b: Inputs,
    lam: float,
    generator: Generator | None,
    same: Tensor | None = None,
) -> dict[str, Tensor]:
    """Loss of step 2 and its terms (Wang et al. 2025, arXiv 2410.23996, L_specific).

        loss = sum_m contrastive([z_s^m, z_c^other](view a), [z_s^m, z_c^other](view b)) + lam * sum_m D(z_s^m, z_c^m)

    The contrasted vectors are the concatenations, normalised; D is the mean over the two views.

    Parameters
    ----------
    shared_model : SharedModel
        Frozen (see `freeze`).
    view_a, view_b : mapping of modality to Tensor (n, k)
        Two views of the same n rows.
    lam : float
        Weight of the dependence penalty.
    generator : Generator or None
        For the draws of the codes; None takes their means instead (validation).
    same : Tensor of bool, (n, n), optional
        Rows that show one molecule; None where every row shows another.
    """
    stacked = {modality: torch.cat([view_a[modality], view_b[modality]]) for modality in MODALITIES}
    with torch.no_grad():
        shared = {modality: model.shared_part(shared_model, modality, stacked[modality]) for modality in MODALITIES}
    terms = _terms(model, shared, stacked, generator, same)
    return {"loss": _objective(terms, 1.0, lam), **terms}


def joint_loss(
    model: SpecificModel,
    shared_model: SharedModel,
    view_a: Inputs,
    view_b: Inputs,
    lam: float,
    beta_nats: float,
    generator: Generator | None,
    same: Tensor | None = None,
) -> dict[str, Tensor]:
    """Loss of both steps in one objective, and its terms.

        loss = L_shared(view a) + alpha * sum_m contrastive_m + lam * sum_m D_m,   alpha = settings.joint_alpha > lam

    Step 2's contrastive terms train the shared encoders too, through z_c^other; the dependence penalty does not (see
    `SpecificModel.dependence`). Parameters as in `specific_loss`, with a shared model in training and `beta_nats`, the
    weight of step 1's KL in nats.
    """
    alpha = model.settings.joint_alpha
    if alpha is None:
        raise ValueError("joint_loss needs settings.joint_alpha")
    code = shared_model.code_settings
    stacked = {modality: torch.cat([view_a[modality], view_b[modality]]) for modality in MODALITIES}
    features = {modality: shared_model.features(modality, stacked[modality]) for modality in MODALITIES}
    shared = {modality: model.part_of(features[modality], code) for modality in MODALITIES}
    first, second = (code_distribution(features[modality].chunk(2)[0], code) for modality in MODALITIES)
    step_1 = pair_terms(first, second, shared_model.contrast, generator, beta_nats > 0, view_a[PHENOTYPE], same)
    terms = _terms(model, shared, stacked, generator, same)
    loss = weighed(step_1, beta_nats, code, "nats") + _objective(terms, alpha, lam)
    return {"loss": loss, **terms, **{f"shared_{name}": value for name, value in step_1.items()}}


def _terms(
    model: SpecificModel,
    shared: Mapping[str, Tensor],
    stacked: Inputs,
    generator: Generator | None,
    same: Tensor | None,
) -> dict[str, Tensor]:
    """Contrastive loss and dependence of each modality; inputs and shared codes (2n, ...) of view a, then view b."""
    terms: dict[str, Tensor] = {}
    critic_losses: list[Tensor] = []
    shared_views = [
        dict(zip(shared, views, strict=True)) for views in zip(*(z.chunk(2) for z in shared.values()), strict=True)
    ]
    for modality in MODALITIES:
        if model.settings.joint_of == "features":
            code = model.features(modality, stacked[modality], shared[modality])
        else:
            code = unit_codes(model.distribution(modality, stacked[modality], shared[modality]), generator)
        joint_a, joint_b = unit_rows(torch.cat([code, shared[OTHER[modality]]], dim=1)).chunk(2)
        terms[f"contrastive_{modality}"] = model.contrast(joint_a, joint_b, stacked[modality].chunk(2)[0], same)
        views = list(zip(code.chunk(2), shared_views, strict=True))
        terms[f"dependence_{modality}"] = torch.stack([model.dependence(modality, *view) for view in views]).mean()
        critic_losses += [loss for view in views for loss in model.critic_losses(modality, *view)]
    if critic_losses:
        terms["critic"] = torch.stack(critic_losses).sum()
    return terms


def _objective(terms: Mapping[str, Tensor], alpha: float, lam: float) -> Tensor:
    """Alpha x the contrastive losses + lam x the dependences + the critics' own loss, over both modalities."""
    contrastive, dependence = (sum_of(terms, what) for what in ("contrastive", "dependence"))
    loss = alpha * contrastive + lam * dependence
    return loss + terms["critic"] if "critic" in terms else loss


def sum_of(terms: Mapping[str, Tensor], what: str) -> Tensor:
    """Sum of one kind of term over the modalities."""
    return terms[f"{what}_{PHENOTYPE}"] + terms[f"{what}_{MOLECULE}"]
