"""JointOpt: both codes of DisentangledSSL in one objective."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Generator, Tensor
from torch.nn import functional

from dssl.baselines.pair_model import Codes, ConditionalEncoders, Inputs, PairModel, Terms
from dssl.keys import MODALITIES, MOLECULE, PHENOTYPE
from dssl.model.dependence import frobenius
from dssl.model.distributions import VonMisesFisher
from dssl.model.shared import Contrast, SharedModel
from dssl.model.specific import OTHER, SpecificModel, joint_loss
from dssl.settings.learning import TrainSharedSettings, TrainSpecificSettings


class JointOpt(PairModel):
    """Both steps at once (the ablation of Wang et al. 2025, arXiv 2410.23996): `joint_loss`.

        loss = contrastive(z_c1, z_c2) + beta KL + a sum_m contrastive([z_s^m, z_c^other](view a), same(view b))
               + lam sum_m D(z_s^m, stop(z_c^m))

    The contrastive term of step 2 reaches the shared encoders; the dependence penalty (normalised cross-covariance)
    does not. Differs from the released code (`JointOptAsReleased`): there the penalty reaches the shared encoders,
    which meet it by giving up what they share, and the KL is missing.

    Hyperparameters: `a`, `lam`, and `beta` in nats.
    """

    ranges: ClassVar = {"a": (0.1, 10.0), "lam": (0.1, 10.0), "beta": (3e-4, 0.1)}
    defaults: ClassVar = {"a": 1.0, "lam": 1.0, "beta": 0.003}

    def __init__(
        self, input_sizes: Mapping[str, int], settings: TrainSharedSettings, hyperparameters: Mapping[str, float]
    ) -> None:
        super().__init__(input_sizes, settings, hyperparameters)
        encoder, code, contrastive = settings.encoder, settings.code, settings.contrastive
        self.shared = SharedModel(input_sizes[PHENOTYPE], input_sizes[MOLECULE], encoder, code, contrastive)
        a = self.hyperparameters["a"]
        second = TrainSpecificSettings(encoder=encoder, code=code, contrastive=contrastive, joint_alpha=a)
        self.specific = SpecificModel(input_sizes, code.size, second)

    def loss(self, view_a: Inputs, view_b: Inputs, generator: Generator | None, same: Tensor | None = None) -> Terms:
        """See `joint_loss`."""
        lam, beta = self.hyperparameters["lam"], self.hyperparameters["beta"]
        return joint_loss(self.specific, self.shared, view_a, view_b, lam, beta, generator, same)

    def codes(self, modality: str, inputs: Tensor) -> Codes:
        """Mean directions of both codes."""
        shared = self.shared.code(modality, inputs)
        return shared, self.specific.code(modality, inputs, shared)


class JointOptAsReleased(ConditionalEncoders):
    """JointOpt as the released code has it.

        loss = 2 / (1 + a) contrastive(draws of z_c1, z_c2) + a / (1 + a) sum_m contrastive([z_s^m, z_c^other])
               + lam sum_m |norm(Z_s^m)^T norm(Z_c^m)|_F

    Every gradient reaches every encoder; z_c is drawn (von Mises-Fisher) in the first term only, and its encoder's
    output, which has no fixed length, stands in the others and is what is handed over. No KL.
    """

    ranges: ClassVar = {"a": (0.1, 10.0), "lam": (1e-3, 100.0)}
    defaults: ClassVar = {"a": 1.0, "lam": 1.0}
    unit_codes: ClassVar = False

    def __init__(
        self, input_sizes: Mapping[str, int], settings: TrainSharedSettings, hyperparameters: Mapping[str, float]
    ) -> None:
        super().__init__(input_sizes, settings, hyperparameters)
        self.contrast = Contrast(settings.contrastive)

    def loss(self, view_a: Inputs, view_b: Inputs, generator: Generator | None, same: Tensor | None = None) -> Terms:
        """Shared, specific and dependence terms, and their weighted sum."""
        views = [
            {modality: self.codes(modality, view[modality]) for modality in MODALITIES} for view in (view_a, view_b)
        ]
        shared, dependence = [], []
        for view in views:
            first, second = (self._drawn(view[modality][0], generator) for modality in MODALITIES)
            shared.append(self.contrast(first, second, same=same) / 2)
            dependence += [frobenius(view[modality][1], view[modality][0]) / 2 for modality in MODALITIES]
        specific = []
        for modality in MODALITIES:
            parts = [torch.cat([view[modality][1], view[OTHER[modality]][0]], dim=1) for view in views]
            specific.append(self.contrast(*(functional.normalize(part, dim=1) for part in parts), same=same))
        terms = {"shared": torch.stack(shared).sum(), "specific": torch.stack(specific).sum()}
        terms["dependence"] = torch.stack(dependence).sum()
        a, lam = self.hyperparameters["a"], self.hyperparameters["lam"]
        weighted = (2 * terms["shared"] + a * terms["specific"]) / (1 + a) + lam * terms["dependence"]
        return {**terms, "loss": weighted}

    def _drawn(self, features: Tensor, generator: Generator | None) -> Tensor:
        directions = functional.normalize(features, dim=1)
        if generator is None:
            return directions
        return VonMisesFisher(directions, self.settings.code.kappa).rsample(generator)
