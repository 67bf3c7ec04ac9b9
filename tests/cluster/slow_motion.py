"""An encoder that takes its time while a file `hold` is there, so that a fault can be put into the middle of training."""

import time
from pathlib import Path

from torch import Tensor

from dssl.model.encoders import Encoder
from dssl.settings.learning import EncoderSettings

HOLD = Path("hold")
FAST_CALLS = 40  # until there is a checkpoint
SECONDS = 0.7


class SlowMotion(Encoder):
    """The workflow's own encoder; the file changes nothing but the time."""

    def __init__(self, input_size: int, output_size: int, settings: EncoderSettings) -> None:
        super().__init__(input_size, output_size, settings)
        self.calls = 0

    def forward(self, inputs: Tensor) -> Tensor:
        self.calls += 1
        if self.training and self.calls > FAST_CALLS and HOLD.exists():
            time.sleep(SECONDS)
        return super().forward(inputs)
