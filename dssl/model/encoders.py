"""Encoders: from the inputs of one modality to the features of a code."""

from torch import Tensor, nn

from dssl.settings.learning import EncoderSettings


class Encoder(nn.Module):
    """A linear map plus a network of hidden layers (linear, layer norm, GELU, dropout) and a linear output.

    Parameters
    ----------
    input_size, output_size : int
        Numbers of inputs and of features.
    settings : EncoderSettings
        Hidden sizes, the linear path, layer norm, dropout and initial weights. Without hidden layers only the linear
        map is there.
    """

    def __init__(self, input_size: int, output_size: int, settings: EncoderSettings) -> None:
        super().__init__()
        self.linear = nn.Linear(input_size, output_size) if settings.linear_path or not settings.hidden_sizes else None
        self.network = _network(input_size, output_size, settings) if settings.hidden_sizes else None
        if settings.weight_std is not None:
            for module in self.modules():
                if isinstance(module, nn.Linear):
                    nn.init.normal_(module.weight, std=settings.weight_std)
                    nn.init.zeros_(module.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """Features (n, output_size) of inputs (n, input_size)."""
        paths: list[Tensor] = [path(inputs) for path in (self.linear, self.network) if path is not None]
        return paths[0] if len(paths) == 1 else paths[0] + paths[1]


def _network(input_size: int, output_size: int, settings: EncoderSettings) -> nn.Sequential:
    layers: list[nn.Module] = []
    for hidden_size in settings.hidden_sizes:
        layers.append(nn.Linear(input_size, hidden_size))
        if settings.layer_norm:
            layers.append(nn.LayerNorm(hidden_size))
        layers += [nn.GELU(), nn.Dropout(settings.dropout)]
        input_size = hidden_size
    return nn.Sequential(*layers, nn.Linear(input_size, output_size))
