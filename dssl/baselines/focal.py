"""FOCAL: contrastive learning in a factorised orthogonal latent space."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Generator, Tensor
from torch.nn import functional

from dssl.baselines.pair_model import ConditionalEncoders, Inputs, Terms
from dssl.keys import MODALITIES, MOLECULE, PHENOTYPE
from dssl.model.shared import Contrast
from dssl.settings.learning import TrainSharedSettings


class Focal(ConditionalEncoders):
    """FOCAL (Liu et al., NeurIPS 2023, arXiv 2310.20071), without its ranking loss in time.

        loss = sum_views contrastive(z_c1, z_c2) + a sum_m contrastive(z_s^m(view a), z_s^m(view b))
               + lam sum_views [O(z_s1, z_c1) + O(z_s2, z_c2) + O(z_s1, z_s2)],   O(x, y) = mean of max(0, cos(x_i, y_i))

    Codes are points. Its encoders are those of DisentangledSSL (the specific one takes [x, z_c]) in place of one
    encoder whose output is cut in two.

    Hyperparameters: `a` and `lam`.
    """

    ranges: ClassVar = {"a": (0.1, 10.0), "lam": (0.1, 10.0)}
    defaults: ClassVar = {"a": 1.0, "lam": 1.0}

    def __init__(
        self, input_sizes: Mapping[str, int], settings: TrainSharedSettings, hyperparameters: Mapping[str, float]
    ) -> None:
        super().__init__(input_sizes, settings, hyperparameters)
        self.contrast, self.specific_contrast = Contrast(settings.contrastive), Contrast(settings.contrastive)

    def loss(self, view_a: Inputs, view_b: Inputs, generator: Generator | None, same: Tensor | None = None) -> Terms:
        """Shared, specific and orthogonality terms, and their weighted sum; nothing is drawn."""
        views = [
            {modality: self._unit(modality, view[modality]) for modality in MODALITIES} for view in (view_a, view_b)
        ]
        shared, orthogonality = [], []
        for inputs, view in zip((view_a, view_b), views, strict=True):
            (shared_1, specific_1), (shared_2, specific_2) = view[PHENOTYPE], view[MOLECULE]
            shared.append(self.contrast(shared_1, shared_2, inputs[PHENOTYPE], same))
            pairs = ((specific_1, shared_1), (specific_2, shared_2), (specific_1, specific_2))
            orthogonality += [self.orthogonality(*pair) for pair in pairs]
        specific = [self.specific_contrast(views[0][m][1], views[1][m][1], view_a[m], same) for m in MODALITIES]
        terms = {"shared": torch.stack(shared).sum(), "specific": torch.stack(specific).sum()}
        terms["orthogonality"] = torch.stack(orthogonality).sum()
        a, lam = self.hyperparameters["a"], self.hyperparameters["lam"]
        return {**terms, "loss": terms["shared"] + a * terms["specific"] + lam * terms["orthogonality"]}

    @staticmethod
    def orthogonality(first: Tensor, second: Tensor) -> Tensor:
        """Mean over the rows of their cosine, at least 0; unit vectors (n, d)."""
        return (first * second).sum(1).clamp_min(0).mean()

    def _unit(self, modality: str, inputs: Tensor) -> tuple[Tensor, Tensor]:
        shared, specific = self.codes(modality, inputs)
        return functional.normalize(shared, dim=1), functional.normalize(specific, dim=1)


class FocalAsReleased(Focal):
    """FOCAL as the released code has it: the cosine is not clamped, so that opposite codes are its optimum.

    The specific encoder takes the shared one's output as it is, of no fixed length, and so are the codes handed over.
    """

    ranges: ClassVar = {"a": (0.1, 10.0), "lam": (1e-3, 100.0)}
    unit_codes: ClassVar = False

    @staticmethod
    def orthogonality(first: Tensor, second: Tensor) -> Tensor:
        """Mean over the rows of their cosine; unit vectors (n, d)."""
        return (first * second).sum(1).mean()
