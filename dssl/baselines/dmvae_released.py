"""DMVAE as the released code of DisentangledSSL has it."""

from typing import ClassVar

import torch
from torch import Generator, Tensor
from torch.nn import functional

from dssl.baselines.dmvae import Dmvae, Normal, product_of_experts
from dssl.baselines.pair_model import Inputs, Terms
from dssl.keys import MODALITIES
from dssl.model.specific import OTHER


class DmvaeAsReleased(Dmvae):
    """DMVAE with a mean squared error (mean over rows and inputs) against KLs summed over the minibatch.

        loss = sum_m [ MSE(x^m; z_p^m, z_s) + MSE(x^m; z_p^m, z_s^other) ] + a (KL + KL_cross)
        KL = sum_m KL(z_p^m) + 2 KL(z_s),   KL_cross = sum_m [ KL(N(mean_p^m, variance_p^other)) + KL(z_s^m) ]

    The product of experts has no prior, so that the KL of the shared latent is not that of a posterior; the released
    KL_cross takes the private variances from the wrong modality. `a` means another weight for every minibatch size.
    """

    ranges: ClassVar = {"a": (1e-7, 1e-2)}
    defaults: ClassVar = {"a": 1e-5}

    @staticmethod
    def limited(log_variance: Tensor) -> Tensor:
        """As they are."""
        return log_variance

    def loss(self, view_a: Inputs, view_b: Inputs, generator: Generator | None, same: Tensor | None = None) -> Terms:
        """Reconstruction, cross-reconstruction, both KLs, and their weighted sum."""
        experts = {m: self.experts(m, view_a[m]) for m in MODALITIES}
        joint = product_of_experts([experts[m][0] for m in MODALITIES], prior=False)
        shared, private = joint.draw(generator), {m: experts[m][1].draw(generator) for m in MODALITIES}
        crossed = {m: experts[m][0].draw(generator) for m in MODALITIES}
        own, cross, kl, kl_cross = [], [], [2 * joint.kl()], []
        for m in MODALITIES:
            own.append(self._squared_error(m, view_a[m], private[m], shared))
            cross.append(self._squared_error(m, view_a[m], private[m], crossed[OTHER[m]]))
            kl.append(experts[m][1].kl())
            kl_cross += [
                Normal(experts[m][1].mean, experts[OTHER[m]][1].log_variance).kl(),
                experts[m][0].kl(),
            ]
        sums = {"reconstruction": own, "cross_reconstruction": cross, "kl": kl, "kl_cross": kl_cross}
        terms = {name: torch.stack(parts).sum() for name, parts in sums.items()}
        weighted = self.hyperparameters["a"] * (terms["kl"] + terms["kl_cross"])
        return {**terms, "loss": terms["reconstruction"] + terms["cross_reconstruction"] + weighted}

    def _squared_error(self, modality: str, inputs: Tensor, private: Tensor, shared: Tensor) -> Tensor:
        decoded = self.decoders[modality](torch.cat([private, shared], dim=1)).float()
        return functional.mse_loss(decoded, inputs)

    def codes(self, modality: str, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Means that the encoder gives."""
        shared, private = self.experts(modality, inputs)
        return shared.mean, private.mean
