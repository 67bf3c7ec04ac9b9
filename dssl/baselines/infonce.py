"""InfoNCE alone: step 1 of DisentangledSSL without its KL."""

from collections.abc import Mapping
from typing import ClassVar

from torch import Generator, Tensor

from dssl.baselines.pair_model import Codes, Inputs, PairModel, Terms
from dssl.keys import MOLECULE, PHENOTYPE
from dssl.model.shared import SharedModel, shared_loss
from dssl.settings.learning import TrainSharedSettings


class InfoNce(PairModel):
    """Contrast between the modalities (van den Oord et al. 2018; Radford et al. 2021): `shared_loss` at beta = 0.

    Hyperparameters: `temperature`, and `noise`, a factor on the noise of the views. Left out, they are as the settings
    say; there is no specific code.
    """

    ranges: ClassVar = {"temperature": (0.02, 1.0), "noise": (0.3, 3.0)}
    defaults: ClassVar = {}
    n_views: ClassVar = 1

    def __init__(
        self, input_sizes: Mapping[str, int], settings: TrainSharedSettings, hyperparameters: Mapping[str, float]
    ) -> None:
        super().__init__(input_sizes, settings, hyperparameters)
        temperature = hyperparameters.get("temperature", settings.contrastive.temperature)
        contrastive = settings.contrastive.model_copy(update={"temperature": temperature})
        sizes = input_sizes[PHENOTYPE], input_sizes[MOLECULE]
        self.shared = SharedModel(*sizes, settings.encoder, settings.code, contrastive)

    def loss(self, view_a: Inputs, view_b: Inputs, generator: Generator | None, same: Tensor | None = None) -> Terms:
        """See `shared_loss`."""
        return shared_loss(self.shared, view_a[PHENOTYPE], view_a[MOLECULE], 0.0, generator, same)

    def codes(self, modality: str, inputs: Tensor) -> Codes:
        """Mean directions of the shared code."""
        return self.shared.code(modality, inputs), None
