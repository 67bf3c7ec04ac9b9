import pytest
import torch

from dssl.errors import ConfigError
from dssl.keys import MOLECULE, PHENOTYPE
from dssl.model.multimodal import MultimodalModel, multimodal_loss
from dssl.model.shared import SharedModel, shared_loss
from dssl.settings.learning import CodeSettings, ContrastiveSettings, EncoderSettings

ENCODER, CODE, CONTRASTIVE = EncoderSettings(hidden_sizes=[8]), CodeSettings(size=6), ContrastiveSettings()
SIZES = {"molecule": 5, "cell_painting": 4, "l1000": 3}


def three(sharing: str = "common", n: int = 12) -> tuple[MultimodalModel, dict, dict]:
    torch.manual_seed(0)
    model = MultimodalModel(SIZES, ENCODER, CODE, CONTRASTIVE, sharing).eval()
    inputs = {name: torch.randn(n, size) for name, size in SIZES.items()}
    return model, inputs, {name: torch.ones(n, dtype=torch.bool) for name in SIZES}


@pytest.mark.parametrize("sharing", ["common", "pairs"])
@pytest.mark.parametrize("kl_scale", ["nats", "released"])
def test_two_modalities_without_gaps_are_step_1(sharing: str, kl_scale: str) -> None:
    torch.manual_seed(0)
    shared = SharedModel(7, 5, ENCODER, CODE, CONTRASTIVE).eval()
    model = MultimodalModel({PHENOTYPE: 7, MOLECULE: 5}, ENCODER, CODE, CONTRASTIVE, sharing).eval()
    names = [name for name, _ in model.named_parameters()]
    model.load_state_dict(dict(zip(names, shared.parameters(), strict=True)), strict=False)
    inputs = {PHENOTYPE: torch.randn(9, 7), MOLECULE: torch.randn(9, 5)}
    present = {name: torch.ones(9, dtype=torch.bool) for name in inputs}
    draws = (torch.Generator().manual_seed(3) for _ in range(2))
    same = (torch.arange(9) // 2)[:, None] == (torch.arange(9) // 2)[None, :]
    expected = shared_loss(shared, inputs[PHENOTYPE], inputs[MOLECULE], 0.02, next(draws), same, kl_scale)
    found = multimodal_loss(model, inputs, present, 0.02, next(draws), same, kl_scale)
    assert found.keys() == expected.keys()
    assert all(torch.allclose(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("sharing", ["common", "pairs"])
def test_each_pair_counts_on_the_rows_that_have_both(sharing: str) -> None:
    model, inputs, present = three(sharing)
    present["l1000"][:5] = False
    present["molecule"][9:] = False
    expected = []
    for pair in model.pairs:
        rows = present[pair[0]] & present[pair[1]]
        alone = {name: inputs[name][rows] if name in pair else inputs[name][:0] for name in SIZES}
        codes = [model.code(name, alone[name], pair) for name in pair]
        expected.append(model.contrast(*codes))
    assert len(expected) == 3
    found = multimodal_loss(model, inputs, present, 0.0, None)["loss"]
    assert torch.allclose(found, torch.stack(expected).mean())


def test_missing_rows_say_nothing() -> None:
    model, inputs, present = three()
    present["l1000"][:5] = False
    losses, gradients = [], []
    for filler in (0.0, 1e6, float("nan")):
        inputs["l1000"][:5] = filler
        model.zero_grad()
        losses.append(multimodal_loss(model, inputs, present, 0.01, torch.Generator().manual_seed(0))["loss"])
        losses[-1].backward()
        gradients.append([parameter.grad.clone() for parameter in model.encoders.parameters()])
    assert losses[0] == losses[1] == losses[2]
    assert all(torch.equal(a, b) and torch.equal(a, c) for a, b, c in zip(*gradients, strict=True))


def test_pairs_without_two_common_rows_are_left_out() -> None:
    model, inputs, present = three()
    present["l1000"][1:] = False
    two = MultimodalModel({name: SIZES[name] for name in ("molecule", "cell_painting")}, ENCODER, CODE, CONTRASTIVE)
    weights = {name: value for name, value in model.state_dict().items() if "l1000" not in name}
    two.load_state_dict(weights | {"spreads": torch.ones(1)})
    subset = {name: inputs[name] for name in ("molecule", "cell_painting")}
    alone = multimodal_loss(two.eval(), subset, {name: present[name] for name in subset}, 0.01, None)
    assert torch.allclose(multimodal_loss(model, inputs, present, 0.01, None)["loss"], alone["loss"])
    nothing = multimodal_loss(model, inputs, {name: mask & False for name, mask in present.items()}, 0.01, None)["loss"]
    assert float(nothing.detach()) == 0
    nothing.backward()


def test_codes_are_common_or_of_the_pair() -> None:
    for sharing, is_common in (("common", True), ("pairs", False)):
        model, inputs, _ = three(sharing)
        first, second = (
            model.code("molecule", inputs["molecule"], ("molecule", other)) for other in ("cell_painting", "l1000")
        )
        assert torch.equal(first, second) == is_common
        assert torch.allclose(first.norm(dim=1), torch.ones(12))


@pytest.mark.parametrize("sizes", [{"molecule": 3}, {"a.b": 3, "c": 2}])
def test_modalities_that_cannot_be_paired(sizes: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="two or more names without dots"):
        MultimodalModel(sizes, ENCODER, CODE, CONTRASTIVE)
