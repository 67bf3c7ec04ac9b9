"""Encoders: from the inputs of one modality to the features of a code."""

import importlib
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from dssl.errors import ConfigError
from dssl.model.ranks import Dropout
from dssl.settings.learning import EncoderSettings

# in place where the backward pass does not need what is overwritten
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "gelu": nn.GELU,
    "relu": partial(nn.ReLU, inplace=True),
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}


class Encoder(nn.Module):
    """A linear map plus a network of hidden layers (linear, layer norm, activation, dropout) and a linear output.

    Parameters
    ----------
    input_size, output_size : int
        Numbers of inputs and of features.
    settings : EncoderSettings
        Input transform, hidden sizes, activation, the linear path, layer norm, dropout and initial weights. Without
        hidden layers only the linear map is there.
    n_extra : int
        The last so many inputs are a code, not measurements: the input transform leaves them alone.
    """

    def __init__(self, input_size: int, output_size: int, settings: EncoderSettings, n_extra: int = 0) -> None:
        super().__init__()
        self.input_transform, self.n_measured = settings.input_transform, input_size - n_extra
        self.linear = nn.Linear(input_size, output_size) if settings.linear_path or not settings.hidden_sizes else None
        self.network = _network(input_size, output_size, settings) if settings.hidden_sizes else None
        if settings.weight_std is not None:
            for module in self.modules():
                if isinstance(module, nn.Linear):
                    nn.init.normal_(module.weight, std=settings.weight_std)

    def forward(self, inputs: Tensor) -> Tensor:
        """Features (n, output_size) of inputs (n, input_size)."""
        if self.input_transform != "none":
            measured, extra = inputs[:, : self.n_measured], inputs[:, self.n_measured :]
            inputs = torch.cat([transformed(measured, self.input_transform), extra], dim=1)
        paths: list[Tensor] = [path(inputs) for path in (self.linear, self.network) if path is not None]
        return paths[0] if len(paths) == 1 else paths[0] + paths[1]


def transformed(inputs: Tensor, kind: str) -> Tensor:
    """Inputs (n, k) on the scale that suits their kind.

    log1p: sign(x) log(1 + |x|), the logarithm of counts that also takes what noise or centring makes negative.
    unit_length: rows divided by their length (rows of zeros stay zero).
    """
    if kind == "log1p":
        return inputs.sign() * inputs.abs().log1p()
    return functional.normalize(inputs, dim=1)


def make_encoder(input_size: int, output_size: int, settings: EncoderSettings, n_extra: int = 0) -> nn.Module:
    """Encoder of the settings: `Encoder`, or the user's own (`settings.custom`), checked on two rows of zeros.

    Raises
    ------
    ConfigError
        If the user's encoder cannot be imported or built, is not an nn.Module, or gives features of another shape.
    """
    if settings.custom is None:
        return Encoder(input_size, output_size, settings, n_extra)
    where = f"encoder.custom: {settings.custom}"
    try:
        module, name = settings.custom.split(":")
        made = getattr(importlib.import_module(module), name)(input_size, output_size, settings)
    except Exception as error:  # whatever the user's module raises
        raise ConfigError(
            f"{where}: expected to import it and call it as Name(input_size, output_size, settings), "
            f"found {type(error).__name__}: {error}\n"
            "Write package.module:Name, and install the package or add its folder to PYTHONPATH."
        ) from error
    if not isinstance(made, nn.Module):
        raise ConfigError(f"{where}: expected a torch.nn.Module, found {type(made).__name__}")
    _check_output(made, input_size, output_size, where)
    return made


def _check_output(encoder: nn.Module, input_size: int, output_size: int, where: str) -> None:
    expected = (2, output_size)
    encoder.eval()
    try:
        with torch.no_grad():
            found = tuple(encoder(torch.zeros(2, input_size)).shape)
    except Exception as error:  # whatever the user's forward raises
        raise ConfigError(
            f"{where}: expected features {expected} of inputs (2, {input_size}), found {type(error).__name__}: {error}"
        ) from error
    encoder.train()
    if found != expected:
        raise ConfigError(f"{where}: expected features {expected} of inputs (2, {input_size}), found {found}")


def _network(input_size: int, output_size: int, settings: EncoderSettings) -> nn.Sequential:
    layers: list[nn.Module] = []
    for hidden_size in settings.hidden_sizes:
        layers.append(nn.Linear(input_size, hidden_size))
        if settings.layer_norm:
            layers.append(nn.LayerNorm(hidden_size))
        layers += [ACTIVATIONS[settings.activation](), Dropout(settings.dropout)]
        input_size = hidden_size
    return nn.Sequential(*layers, nn.Linear(input_size, output_size))
