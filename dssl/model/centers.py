"""Centres of codes: what is subtracted before codes are compared."""

from torch import Tensor, nn, zeros
from torch.nn import functional

from dssl.keys import MODALITIES


class CodeCenters(nn.Module):
    """Centre of each modality's codes; zeros, which change nothing, until they are set.

    The mean directions of codes can lie in a narrow cone about a common axis. Then a cosine is ruled by how near each of
    its two codes lies to that axis, and a molecule finds the profiles nearest to it, whichever they are. About the
    centre of the codes, cosines compare what differs between compounds.

    Parameters
    ----------
    size : int
        Dimension d of the codes.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        for modality in MODALITIES:
            self.register_buffer(modality, zeros(size))

    def forward(self, modality: str, codes: Tensor) -> Tensor:
        """Unit vectors (n, d) from the modality's centre to codes (n, d)."""
        return functional.normalize(codes - self.get_buffer(modality), dim=1)
