"""What every learned baseline is: a loss of two views of a minibatch, and codes of new inputs."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from dssl.errors import ConfigError
from dssl.keys import MODALITIES
from dssl.model.centers import CodeCenters
from dssl.model.encoders import make_encoder
from dssl.settings.learning import TrainSharedSettings

Inputs = Mapping[str, Tensor]
Terms = dict[str, Tensor]
Codes = tuple[Tensor, Tensor | None]


class PairModel(nn.Module, ABC):
    """A learned baseline.

    Parameters
    ----------
    input_sizes : mapping of str to int
        Numbers of inputs of each modality.
    settings : TrainSharedSettings
        Encoder, code and contrastive loss: those of step 1 of DisentangledSSL.
    hyperparameters : mapping of str to float
        Values for the names in `ranges`; those left out are the method's `defaults`.

    Attributes
    ----------
    ranges : dict of str to (low, high)
        Hyperparameters and the values between which they are searched, evenly in their logarithms.
    defaults : dict of str to float
        Their values where nothing is searched.
    n_views : int
        How many views of a minibatch the loss looks at.
    validates_with_draws : bool
        Whether the validation loss needs draws of the codes (the same at every validation) instead of their means.
    centers, spread : CodeCenters, Tensor ()
        As those of `dssl.model.shared.SharedModel`.

    Raises
    ------
    ConfigError
        If a hyperparameter is unknown.
    """

    ranges: ClassVar[dict[str, tuple[float, float]]]
    defaults: ClassVar[dict[str, float]]
    n_views: ClassVar[int] = 2
    validates_with_draws: ClassVar[bool] = False
    spread: Tensor

    def __init__(
        self, input_sizes: Mapping[str, int], settings: TrainSharedSettings, hyperparameters: Mapping[str, float]
    ) -> None:
        super().__init__()
        unknown = sorted(set(hyperparameters) - set(self.ranges))
        if unknown:
            raise ConfigError(
                f"{type(self).__name__}: unknown hyperparameter {', '.join(unknown)}; it has {', '.join(self.ranges)}"
            )
        self.input_sizes, self.settings = dict(input_sizes), settings
        self.centers = CodeCenters(settings.code.size)
        self.register_buffer("spread", torch.ones(()))
        self.hyperparameters = {**self.defaults, **hyperparameters}

    @abstractmethod
    def loss(self, view_a: Inputs, view_b: Inputs, generator: Generator | None, same: Tensor | None = None) -> Terms:
        """Terms of the loss, of which "loss" is minimised.

        Parameters
        ----------
        view_a, view_b : mapping of modality to Tensor (n, k)
            Two views of the same n compounds; the same one twice where `n_views` is 1.
        generator : Generator or None
            For the draws of the codes; None takes their means instead.
        same : Tensor of bool, (n, n), optional
            Rows that show one molecule; None where every row shows another.
        """

    def comparable_codes(self, modality: str, inputs: Tensor) -> Tensor:
        """Shared codes (n, d) of inputs (n, k) as they are compared: unit vectors, centred as DisentangledSSL's are."""
        code = functional.normalize(self.codes(modality, inputs)[0], dim=1)
        centered: Tensor = self.centers(modality, code)
        return centered

    @abstractmethod
    def codes(self, modality: str, inputs: Tensor) -> Codes:
        """Shared code (n, d) and specific code (n, d), or None where there is none, of inputs (n, k)."""


class ConditionalEncoders(PairModel):
    """A baseline with an encoder of the shared code and one of the specific code, [x, z_c], for each modality.

    The gradient of the specific code reaches the shared encoder through its input.

    Attributes
    ----------
    unit_codes : bool
        Whether codes have length one, also where the specific encoder takes them; the released code's have not.
    """

    unit_codes: ClassVar[bool] = True

    def __init__(
        self, input_sizes: Mapping[str, int], settings: TrainSharedSettings, hyperparameters: Mapping[str, float]
    ) -> None:
        super().__init__(input_sizes, settings, hyperparameters)
        size, encoder = settings.code.size, settings.encoder
        self.shared_encoders = nn.ModuleDict({m: make_encoder(input_sizes[m], size, encoder) for m in MODALITIES})
        self.specific_encoders = nn.ModuleDict(
            {m: make_encoder(input_sizes[m] + size, size, encoder, size) for m in MODALITIES}
        )

    def codes(self, modality: str, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Shared and specific code (n, d) of inputs (n, k)."""
        shared = self._scaled(self.shared_encoders[modality](inputs).float())
        specific = self.specific_encoders[modality](torch.cat([inputs, shared], dim=1)).float()
        return shared, self._scaled(specific)

    def _scaled(self, code: Tensor) -> Tensor:
        return functional.normalize(code, dim=1) if self.unit_codes else code
