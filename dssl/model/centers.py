"""Centres of codes: what is subtracted before codes are compared."""

from collections.abc import Iterable

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
    names : iterable of str
        One for each code: the modality, where it has one code.
    """

    def __init__(self, size: int, names: Iterable[str] = MODALITIES) -> None:
        super().__init__()
        for name in names:
            self.register_buffer(name, zeros(size))

    def forward(self, name: str, codes: Tensor) -> Tensor:
        """Unit vectors (n, d) from the centre of that name to codes (n, d)."""
        return functional.normalize(codes - self.get_buffer(name), dim=1)
