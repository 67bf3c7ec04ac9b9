import pytest
import torch
from torch.nn import functional

from dssl.baselines.focal import Focal, FocalAsReleased
from dssl.baselines.infonce import InfoNce
from dssl.baselines.joint_opt import JointOpt, JointOptAsReleased
from dssl.errors import ConfigError
from dssl.keys import MODALITIES, MOLECULE, PHENOTYPE
from dssl.settings.learning import CodeSettings, EncoderSettings, TrainSharedSettings

SIZES = {PHENOTYPE: 5, MOLECULE: 7}
SETTINGS = TrainSharedSettings(
    encoder=EncoderSettings(hidden_sizes=[8], dropout=0.0),
    code=CodeSettings(size=3),
    contrastive={"temperature": 0.3},
)
OTHER = {PHENOTYPE: MOLECULE, MOLECULE: PHENOTYPE}


def views(seed: int, n: int = 9) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {m: torch.randn((n, SIZES[m]), generator=generator) for m in MODALITIES}


def contrast(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """InfoNCE by PyTorch's cross entropy."""
    logits = functional.normalize(first, dim=1) @ functional.normalize(second, dim=1).T / 0.3
    rows = torch.arange(len(logits))
    return (functional.cross_entropy(logits, rows) + functional.cross_entropy(logits.T, rows)) / 2


def reached(model: torch.nn.Module, loss: torch.Tensor, encoders: torch.nn.Module) -> float:
    """Largest absolute gradient that a loss gives to some encoders."""
    model.zero_grad()
    torch.autograd.backward(loss)
    return max(0.0 if p.grad is None else p.grad.abs().max().item() for p in encoders.parameters())


def test_infonce_is_the_contrast_of_the_modalities_at_the_given_temperature() -> None:
    model = InfoNce(SIZES, SETTINGS, {})
    view = views(0)
    first, second = (model.codes(m, view[m])[0] for m in MODALITIES)
    assert model.loss(view, view, None)["loss"].item() == pytest.approx(contrast(first, second).item(), rel=1e-5)
    other = InfoNce(SIZES, SETTINGS, {"temperature": 0.05})
    other.load_state_dict(model.state_dict() | {"shared.contrast.log_temperature": torch.tensor(0.05).log()})
    logits = first @ second.T / 0.05
    expected = (logits.logsumexp(0) + logits.logsumexp(1)).mean() / 2 - logits.diagonal().mean()
    assert other.loss(view, view, None)["loss"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_dependence_does_not_reach_the_shared_encoders_of_joint_opt() -> None:
    model, view_a, view_b = JointOpt(SIZES, SETTINGS, {"a": 1.0, "lam": 2.0}), views(0), views(1)
    terms = model.loss(view_a, view_b, None)
    dependence = terms[f"dependence_{PHENOTYPE}"] + terms[f"dependence_{MOLECULE}"]
    assert reached(model, dependence, model.shared) == 0
    dependence = sum(value for name, value in model.loss(view_a, view_b, None).items() if "dependence" in name)
    assert reached(model, dependence, model.specific.encoders) > 0
    # but the specific contrast does
    contrastive = model.loss(view_a, view_b, None)[f"contrastive_{PHENOTYPE}"]
    assert reached(model, contrastive, model.shared.encoders[MOLECULE]) > 0


def test_joint_opt_weighs_its_terms() -> None:
    weights = {"a": 3.0, "lam": 2.0, "beta": 0.01}
    terms = JointOpt(SIZES, SETTINGS, weights).loss(views(0), views(1), None)
    expected = terms["shared_contrastive"] + 0.01 * terms["shared_kl"]
    for modality in MODALITIES:
        expected = expected + 3 * terms[f"contrastive_{modality}"] + 2 * terms[f"dependence_{modality}"]
    assert terms["loss"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_joint_opt_as_released_by_hand_and_its_penalty_reaches_the_shared_encoders() -> None:
    model, view_a, view_b = JointOptAsReleased(SIZES, SETTINGS, {"a": 3.0, "lam": 2.0}), views(0), views(1)
    codes = [{m: model.codes(m, view[m]) for m in MODALITIES} for view in (view_a, view_b)]
    shared = sum(contrast(code[PHENOTYPE][0], code[MOLECULE][0]) for code in codes) / 2
    specific = sum(contrast(*(torch.cat([code[m][1], code[OTHER[m]][0]], dim=1) for code in codes)) for m in MODALITIES)
    products = [
        functional.normalize(z, dim=1).T @ functional.normalize(c, dim=1) for code in codes for c, z in code.values()
    ]
    dependence = sum(torch.linalg.matrix_norm(product) for product in products) / 2
    found = model.loss(view_a, view_b, None)
    assert found["loss"].item() == pytest.approx((shared / 2 + 3 / 4 * specific + 2 * dependence).item(), rel=1e-5)
    assert reached(model, found["dependence"], model.shared_encoders) > 0


def test_focal_by_hand() -> None:
    for method, clamp in ((Focal, 0.0), (FocalAsReleased, -1.0)):
        model, view_a, view_b = method(SIZES, SETTINGS, {"a": 3.0, "lam": 2.0}), views(0), views(1)
        codes = [{m: model.codes(m, view[m]) for m in MODALITIES} for view in (view_a, view_b)]
        shared = sum(contrast(code[PHENOTYPE][0], code[MOLECULE][0]) for code in codes)
        specific = sum(contrast(codes[0][m][1], codes[1][m][1]) for m in MODALITIES)
        orthogonality = 0.0
        for code in codes:
            (shared_1, specific_1), (shared_2, specific_2) = code[PHENOTYPE], code[MOLECULE]
            for pair in ((specific_1, shared_1), (specific_2, shared_2), (specific_1, specific_2)):
                orthogonality += functional.cosine_similarity(*pair).clamp(min=clamp).mean().item()
        found = model.loss(view_a, view_b, None)
        assert found["orthogonality"].item() == pytest.approx(orthogonality, rel=1e-4)
        assert found["loss"].item() == pytest.approx((shared + 3 * specific).item() + 2 * orthogonality, rel=1e-5)


def test_opposite_codes_cost_focal_nothing_and_please_the_released_form() -> None:
    code = functional.normalize(torch.randn((20, 4), generator=torch.Generator().manual_seed(0)), dim=1)
    assert Focal.orthogonality(code, -code).item() == 0
    assert Focal.orthogonality(code, code).item() == pytest.approx(1)
    assert FocalAsReleased.orthogonality(code, -code).item() == pytest.approx(-1)
    # clamped row by row, not the mean
    half = torch.cat([code[:10], -code[10:]])
    assert Focal.orthogonality(code, half).item() == pytest.approx(0.5)


def test_codes_have_length_one_but_as_released() -> None:
    view = views(0)
    for method, has_unit_codes in ((Focal, True), (JointOpt, True), (FocalAsReleased, False)):
        for code in method(SIZES, SETTINGS, {}).codes(PHENOTYPE, view[PHENOTYPE]):
            assert torch.allclose(code.norm(dim=1), torch.ones(9)) == has_unit_codes


def test_unknown_hyperparameters_are_errors() -> None:
    with pytest.raises(ConfigError, match="Focal: unknown hyperparameter beta; it has a, lam"):
        Focal(SIZES, SETTINGS, {"beta": 0.1})
