import math
import sys

import pytest
import torch
from torch.nn.functional import normalize

from dssl.errors import ConfigError
from dssl.keys import MODALITIES, MOLECULE, PHENOTYPE
from dssl.model.bessel import bessel_ratio
from dssl.model.contrastive import infonce
from dssl.model.dependence import cross_covariance
from dssl.model.encoders import Encoder
from dssl.model.shared import SharedModel, beta_scales, shared_loss
from dssl.model.specific import SpecificModel, freeze, joint_loss, specific_loss
from dssl.settings.learning import CodeSettings, ContrastiveSettings, EncoderSettings, TrainSpecificSettings

SMALL = EncoderSettings(hidden_sizes=[16], dropout=0.2)


def shared_model(**changes) -> SharedModel:
    torch.manual_seed(0)
    code = CodeSettings(**{"size": 8, "kappa": 100.0, **changes.pop("code", {})})
    return SharedModel(6, 5, changes.pop("encoder", SMALL), code, ContrastiveSettings(**changes))


def inputs(n: int = 12, seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {PHENOTYPE: torch.randn(n, 6, generator=generator), MOLECULE: torch.randn(n, 5, generator=generator)}


def test_encoder_without_hidden_layers_is_linear() -> None:
    encoder = Encoder(4, 3, EncoderSettings(hidden_sizes=[], linear_path=False))
    x, y = torch.randn(2, 5, 4)
    assert torch.allclose(encoder(x + y) + encoder(x * 0), encoder(x) + encoder(y), atol=1e-6)


def test_encoder_is_the_sum_of_its_paths_and_follows_its_settings() -> None:
    encoder = Encoder(4, 3, EncoderSettings(hidden_sizes=[7, 9], dropout=0.4, weight_std=0.01)).eval()
    x = torch.randn(5, 4)
    assert torch.allclose(encoder(x), encoder.linear(x) + encoder.network(x))
    kinds = [type(layer).__name__ for layer in encoder.network]
    assert kinds == ["Linear", "LayerNorm", "GELU", "Dropout"] * 2 + ["Linear"]
    assert float(encoder.network[0].weight.detach().std()) == pytest.approx(0.01, rel=0.5)
    plain = Encoder(4, 3, EncoderSettings(hidden_sizes=[7], layer_norm=False, linear_path=False))
    assert plain.linear is None
    assert [type(layer).__name__ for layer in plain.network] == ["Linear", "GELU", "Dropout", "Linear"]


def test_shared_loss_is_infonce_plus_beta_times_the_kl_in_nats() -> None:
    model, x = shared_model().eval(), inputs()
    terms = shared_loss(model, x[PHENOTYPE], x[MOLECULE], 0.25, None)
    first, second = (normalize(model.encoders[name](x[name]), dim=1) for name in MODALITIES)
    kl = (100 * bessel_ratio(8, 100.0) * (1 - (first * second).sum(1))).mean()
    assert torch.allclose(terms["kl"], kl)
    assert torch.allclose(terms["contrastive"], infonce(first, second, ContrastiveSettings().temperature))
    assert torch.allclose(terms["loss"], infonce(first, second, ContrastiveSettings().temperature) + 0.25 * kl)


@pytest.mark.parametrize("distribution", ["vmf", "power_spherical", "gaussian", "deterministic"])
@pytest.mark.parametrize("loss", ["infonce", "dcl", "siglip", "cwcl"])
def test_every_combination_of_code_and_loss_has_finite_gradients(distribution: str, loss: str) -> None:
    model, x = shared_model(code={"distribution": distribution}, loss=loss, learn_temperature=True), inputs()
    beta = 0.0 if distribution == "deterministic" else 0.1
    terms = shared_loss(model, x[PHENOTYPE], x[MOLECULE], beta, torch.Generator().manual_seed(0))
    terms["loss"].backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in model.parameters())
    assert ("kl" in terms) == (distribution != "deterministic")


def test_temperature_is_trained_only_where_asked() -> None:
    assert shared_model().contrast.log_temperature.requires_grad is False
    learned = shared_model(learn_temperature=True, temperature=0.2).contrast.log_temperature
    assert learned.requires_grad
    assert float(learned.detach().exp()) == pytest.approx(0.2)


def specific_model(dependence: str = "cross_covariance") -> SpecificModel:
    torch.manual_seed(1)
    settings = TrainSpecificSettings(encoder=SMALL, code=CodeSettings(size=7), dependence=dependence)
    return SpecificModel({PHENOTYPE: 6, MOLECULE: 5}, 8, settings)


def test_specific_loss_agrees_with_its_equation() -> None:
    shared, model = shared_model(), specific_model().eval()
    freeze(shared)
    view_a, view_b = inputs(seed=1), inputs(seed=2)
    terms = specific_loss(model, shared, view_a, view_b, 0.5, None)
    expected = 0.0
    for own, other in ((PHENOTYPE, MOLECULE), (MOLECULE, PHENOTYPE)):
        joint, penalties = [], []
        for view in (view_a, view_b):
            own_code, other_code = shared.code(own, view[own]), shared.code(other, view[other])
            specific = normalize(model.encoders[own](torch.cat([view[own], own_code], dim=1)), dim=1)
            joint.append(torch.cat([specific, other_code], dim=1) / math.sqrt(2))
            penalties.append(float(cross_covariance(specific, own_code).detach()))
        expected += float(infonce(*joint, ContrastiveSettings().temperature).detach()) + 0.5 * sum(penalties) / 2
        assert float(terms[f"dependence_{own}"].detach()) == pytest.approx(sum(penalties) / 2, abs=1e-5)
    assert float(terms["loss"].detach()) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("dependence", ["cross_covariance", "hsic", "frobenius", "nce_club"])
def test_no_gradient_of_step_2_reaches_the_shared_encoder(dependence: str) -> None:
    shared, model = shared_model(), specific_model(dependence)
    terms = specific_loss(model, shared, inputs(seed=1), inputs(seed=2), 1.0, torch.Generator().manual_seed(0))
    terms["loss"].backward()
    assert all(parameter.grad is None for parameter in shared.parameters())
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.requires_grad)
    # the penalty alone does not either, with a shared model that is not frozen
    code = shared.code(PHENOTYPE, inputs()[PHENOTYPE])
    specific = model.code(PHENOTYPE, inputs()[PHENOTYPE], code)
    specific.sum().backward()
    assert all(parameter.grad is None for parameter in shared.parameters())


def test_freeze_takes_every_parameter_out_of_training() -> None:
    model = shared_model(learn_temperature=True)
    freeze(model)
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_encoders_transform_their_measurements_but_not_the_code_beside_them() -> None:
    x = torch.tensor([[3.0, -4.0, 0.5], [0.0, 0.0, 7.0]])
    for kind, expected in (
        ("log1p", [[math.log(4), -math.log(5), 0.5], [0.0, 0.0, 7.0]]),
        ("unit_length", [[0.6, -0.8, 0.5], [0.0, 0.0, 7.0]]),
    ):
        settings = EncoderSettings(hidden_sizes=[], input_transform=kind)
        encoder = Encoder(3, 2, settings, n_extra=1)
        plain = Encoder(3, 2, EncoderSettings(hidden_sizes=[]))
        plain.load_state_dict(encoder.state_dict())
        assert torch.allclose(encoder(x), plain(torch.tensor(expected)), atol=1e-6)


@pytest.mark.parametrize("name", ["gelu", "relu", "silu", "tanh"])
@pytest.mark.parametrize("layer_norm", [False, True])
def test_activations_are_those_named_with_their_gradients(name: str, layer_norm: bool) -> None:
    settings = EncoderSettings(hidden_sizes=[7], activation=name, layer_norm=layer_norm, dropout=0.0)
    encoder, x = Encoder(4, 3, settings), torch.randn(5, 4, requires_grad=True)
    hidden = encoder.network[0](x)
    hidden = encoder.network[1](hidden) if layer_norm else hidden
    function = torch.tanh if name == "tanh" else getattr(torch.nn.functional, name)
    expected = encoder.linear(x) + encoder.network[-1](function(hidden))
    assert torch.allclose(encoder(x), expected)
    wanted, found = (torch.autograd.grad(y.sum(), [x, *encoder.parameters()]) for y in (expected, encoder(x)))
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(wanted, found, strict=True))


class Own(torch.nn.Linear):
    def __init__(self, input_size: int, output_size: int, settings: EncoderSettings) -> None:
        super().__init__(input_size, output_size)


def own_wide(input_size: int, output_size: int, settings: EncoderSettings) -> torch.nn.Module:
    return torch.nn.Linear(input_size, output_size + 1)


def own_function(input_size: int, output_size: int, settings: EncoderSettings) -> str:
    return "no module"


def test_own_encoders_are_imported(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "own_encoders", sys.modules[__name__])
    model = shared_model(encoder=EncoderSettings(custom="own_encoders:Own"))
    assert all(isinstance(model.encoders[name], Own) for name in MODALITIES)
    assert model.code(PHENOTYPE, inputs()[PHENOTYPE]).shape == (12, 8)


@pytest.mark.parametrize(
    ("custom", "message"),
    [
        ("no_such_package:Encoder", "expected to import it.*ModuleNotFoundError"),
        ("own_encoders:Missing", "AttributeError"),
        ("own_encoders:own_function", "expected a torch.nn.Module, found str"),
        ("own_encoders:own_wide", r"expected features \(2, 8\) of inputs \(2, 6\), found \(2, 9\)"),
    ],
)
def test_own_encoders_that_do_not_fit_are_named(monkeypatch, custom: str, message: str) -> None:
    monkeypatch.setitem(sys.modules, "own_encoders", sys.modules[__name__])
    with pytest.raises(ConfigError, match=message):
        shared_model(encoder=EncoderSettings(custom=custom))


def test_released_kl_scale_weighs_the_mean_cosine() -> None:
    model, x = shared_model().eval(), inputs()
    terms = shared_loss(model, x[PHENOTYPE], x[MOLECULE], 2.5, None, kl_scale="released")
    first, second = (normalize(model.encoders[name](x[name]), dim=1) for name in MODALITIES)
    expected = infonce(first, second, ContrastiveSettings().temperature) - 2.5 * (first * second).sum(1).mean()
    assert torch.allclose(terms["loss"], expected)


def test_beta_on_both_scales_as_in_the_audit() -> None:
    """At d = 100, kappa = 1000 the released code's beta = 1 is a KL weight of 0.00105."""
    code = CodeSettings(size=100, kappa=1000.0)
    assert beta_scales(1.0, code, "released")["beta_nats"] == pytest.approx(0.00105, abs=5e-6)
    assert beta_scales(1.0, code, "nats")["beta_released_scale"] == pytest.approx(951.7, abs=0.05)
    with pytest.raises(ConfigError, match="released is a scale of vmf codes, found distribution: gaussian"):
        beta_scales(1.0, CodeSettings(distribution="gaussian"), "released")


def test_penalty_against_both_shared_codes_is_the_mean_of_the_two() -> None:
    x, shared = inputs(), {PHENOTYPE: torch.randn(12, 8), MOLECULE: torch.randn(12, 8)}
    model = SpecificModel({PHENOTYPE: 6, MOLECULE: 5}, 8, TrainSpecificSettings(encoder=SMALL, penalized="both")).eval()
    code = model.code(PHENOTYPE, x[PHENOTYPE], shared[PHENOTYPE])
    expected = (cross_covariance(code, shared[PHENOTYPE]) + cross_covariance(code, shared[MOLECULE])) / 2
    assert torch.allclose(model.dependence(PHENOTYPE, code, shared), expected)


def test_step_2_on_features_contrasts_raw_concatenations() -> None:
    shared = shared_model().eval()
    freeze(shared)
    settings = TrainSpecificSettings(
        encoder=SMALL, code=CodeSettings(size=7), joint_of="features", dependence="frobenius"
    )
    model, a, b = SpecificModel(shared.input_sizes, 8, settings).eval(), inputs(seed=1), inputs(seed=2)
    terms = specific_loss(model, shared, a, b, 0.5, None)
    joint = []
    for view in (a, b):
        told = {name: shared.encoders[name](view[name]) for name in MODALITIES}
        own = model.encoders[PHENOTYPE](torch.cat([view[PHENOTYPE], told[PHENOTYPE]], 1))
        joint.append(normalize(torch.cat([own, told[MOLECULE]], 1), dim=1))
    temperature = settings.contrastive.temperature
    assert torch.allclose(terms[f"contrastive_{PHENOTYPE}"], infonce(*joint, temperature), atol=1e-6)


def joint_setup() -> tuple[SharedModel, SpecificModel]:
    shared = shared_model().eval()
    settings = TrainSpecificSettings(encoder=SMALL, code=CodeSettings(size=7), joint_alpha=2.0)
    return shared, SpecificModel(shared.input_sizes, 8, settings).eval()


def test_joint_loss_is_step_1_plus_alpha_step_2_plus_the_penalty() -> None:
    shared, model = joint_setup()
    a, b = inputs(seed=1), inputs(seed=2)
    terms = joint_loss(model, shared, a, b, 0.5, 0.01, None)
    first, second = (
        shared_loss(shared, a[PHENOTYPE], a[MOLECULE], 0.01, None),
        specific_loss(model, shared, a, b, 0, None),
    )
    penalty = sum(terms[f"dependence_{name}"] for name in MODALITIES)
    assert torch.allclose(terms["loss"], first["loss"] + 2 * second["loss"] + 0.5 * penalty)


def test_penalty_of_joint_training_does_not_reach_the_shared_encoder() -> None:
    shared, model = joint_setup()
    a, b = inputs(seed=1), inputs(seed=2)
    gradients = []
    for lam in (0.0, 50.0):
        shared.zero_grad()
        joint_loss(model, shared, a, b, lam, 0.01, None)["loss"].backward()
        gradients.append([parameter.grad.clone() for parameter in shared.encoders.parameters()])
    assert all(torch.allclose(x, y, atol=1e-7) for x, y in zip(*gradients, strict=True))
    assert all(float(x.abs().max()) > 0 for x in gradients[0])
