"""Step 1 with more than two modalities, by pairs: one common code of each modality, or one for each of its pairs."""

from collections.abc import Mapping
from itertools import combinations

import torch
from torch import Generator, Tensor, nn

from dssl.errors import ConfigError
from dssl.model.centers import CodeCenters
from dssl.model.distributions import CodeDistribution, code_distribution, unit_codes
from dssl.model.encoders import make_encoder
from dssl.model.ranks import by_rows
from dssl.model.shared import Contrast, KlScale, pair_terms, weighed
from dssl.settings.learning import CodeSettings, ContrastiveSettings, EncoderSettings, Sharing

Pair = tuple[str, str]


class MultimodalModel(nn.Module):
    """Encoders of several modalities (molecule, Cell Painting, L1000, ...) and one contrastive loss.

    Parameters
    ----------
    input_sizes : mapping of str to int
        Numbers of inputs of each modality, two or more.
    encoder, code, contrastive : EncoderSettings, CodeSettings, ContrastiveSettings
        Of all modalities alike.
    sharing : {"common", "pairs"}
        "common": each modality has one code, compared with all others: what all share. "pairs": each modality has a code
        for every other one: also what two of them share and a third has not, at M - 1 encoders for each of M modalities.

    Attributes
    ----------
    centers : CodeCenters
        Zeros until they are set, as the mean of the codes over training compounds.
    spreads : Tensor, (pairs,)
        Standard deviation of the cosines of compounds that do not match, for each of `pairs`; 1 until it is set.

    Raises
    ------
    ConfigError
        If there are fewer than two modalities, or a name holds a dot.
    """

    spreads: Tensor

    def __init__(
        self,
        input_sizes: Mapping[str, int],
        encoder: EncoderSettings,
        code: CodeSettings,
        contrastive: ContrastiveSettings,
        sharing: Sharing = "common",
    ) -> None:
        super().__init__()
        if len(input_sizes) < 2 or any("." in name for name in input_sizes):
            raise ConfigError(f"modalities: expected two or more names without dots, found {', '.join(input_sizes)}")
        self.input_sizes, self.sharing = dict(input_sizes), sharing
        self.encoder_settings, self.code_settings, self.contrastive_settings = encoder, code, contrastive
        self.pairs: list[Pair] = list(combinations(input_sizes, 2))
        keys = {self.key(modality, pair): modality for pair in self.pairs for modality in pair}
        self.encoders = nn.ModuleDict(
            {key: make_encoder(input_sizes[modality], code.size, encoder) for key, modality in keys.items()}
        )
        self.contrast = Contrast(contrastive)
        self.centers = CodeCenters(code.size, keys)
        self.register_buffer("spreads", torch.ones(len(self.pairs)))

    def features(self, modality: str, inputs: Tensor, pair: Pair) -> Tensor:
        """Features (n, d) of inputs (n, k), from which the code's distribution is made."""
        return by_rows(self.encoders[self.key(modality, pair)], inputs)

    def code(self, modality: str, inputs: Tensor, pair: Pair) -> Tensor:
        """Mean directions of a modality's code in one pair (the same in all pairs if "common"), unit vectors (n, d).

        They are centred, as codes are compared.
        """
        mean = unit_codes(code_distribution(self.features(modality, inputs, pair), self.code_settings), None)
        centred: Tensor = self.centers(self.key(modality, pair), mean)
        return centred

    def pair_features(self, inputs: Mapping[str, Tensor]) -> dict[Pair, tuple[Tensor, Tensor]]:
        """Features of both modalities of every pair; each encoder runs once."""
        made: dict[str, Tensor] = {}
        for pair in self.pairs:
            for modality in pair:
                key = self.key(modality, pair)
                if key not in made:
                    made[key] = self.features(modality, inputs[modality], pair)
        return {pair: (made[self.key(pair[0], pair)], made[self.key(pair[1], pair)]) for pair in self.pairs}

    def key(self, modality: str, pair: Pair) -> str:
        """Name of a modality's encoder and centre in one pair: the modality itself if "common"."""
        return modality if self.sharing == "common" else f"{modality} of {pair[0]}, {pair[1]}"


def multimodal_loss(
    model: MultimodalModel,
    inputs: Mapping[str, Tensor],
    present: Mapping[str, Tensor],
    beta: float,
    generator: Generator | None,
    same: Tensor | None = None,
    kl_scale: KlScale = "nats",
) -> dict[str, Tensor]:
    """Mean over the pairs of modalities of step 1's loss, each on the rows where both are there.

    With two modalities and nothing missing it is `dssl.model.shared.shared_loss`. A pair with fewer than two such rows
    in the minibatch is left out of the mean.

    Parameters
    ----------
    inputs : mapping of modality to Tensor, (n, k)
        With matching rows; what stands in a missing row does not matter.
    present : mapping of modality to Tensor of bool, (n,)
        False where a row lacks the modality.
    beta, generator, same, kl_scale
        As in `dssl.model.shared.shared_loss`.

    Returns
    -------
    dict
        "loss", "contrastive", "kl" (not with deterministic codes).
    """
    # zeros, since a NaN would reach the weights' gradient even through rows that are left out
    filled = {name: torch.where(present[name][:, None], values, 0) for name, values in inputs.items()}
    found: list[dict[str, Tensor]] = []
    for pair, features in model.pair_features(filled).items():
        rows = torch.nonzero(present[pair[0]] & present[pair[1]])[:, 0]
        if len(rows) < 2:
            continue
        first, second = _distributions(features, rows, model.code_settings)
        alike = None if same is None else same[rows][:, rows]
        found.append(pair_terms(first, second, model.contrast, generator, beta > 0, filled[pair[0]][rows], alike))
    if not found:
        nothing = torch.stack([parameter.sum() * 0 for parameter in model.parameters()]).sum()
        return {"loss": nothing, "contrastive": nothing}
    terms = {name: torch.stack([each[name] for each in found]).mean() for name in found[0]}
    return {"loss": weighed(terms, beta, model.code_settings, kl_scale), **terms}


def _distributions(
    features: tuple[Tensor, Tensor], rows: Tensor, settings: CodeSettings
) -> tuple[CodeDistribution, CodeDistribution]:
    return code_distribution(features[0][rows], settings), code_distribution(features[1][rows], settings)
