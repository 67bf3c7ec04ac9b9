import pytest

from dssl.errors import ConfigError
from dssl.settings.learning import TrainSharedSettings, TrainSpecificSettings
from dssl.settings.presets import SHARED_PRESETS, SPECIFIC_PRESETS

# settings of the authors' released code in its synthetic study
RELEASED = {
    ("encoder", "hidden_sizes"): [512],
    ("encoder", "activation"): "relu",
    ("encoder", "weight_std"): 0.01,
    ("code", "size"): 100,
    ("code", "kappa"): 1000.0,
    ("contrastive", "temperature"): 0.07,
    ("optimizer", "name"): "adam",
    ("optimizer", "batch_size"): 256,
    ("optimizer", "learning_rate"): 1e-4,
    ("optimizer", "keep"): "last",
    ("views", "augmentation"): "released",
}


@pytest.mark.parametrize(("settings", "epochs"), [(TrainSharedSettings, 50), (TrainSpecificSettings, 30)])
def test_released_preset_is_the_released_code(settings, epochs):
    section = settings(preset="released")
    found = {key: getattr(getattr(section, key[0]), key[1]) for key in RELEASED}
    assert found == RELEASED
    assert section.optimizer.epochs == epochs


def test_only_the_released_preset_weighs_the_kl_on_its_own_scale():
    assert [TrainSharedSettings(preset=name).kl_scale for name in ("default", "paper", "released")] == [
        "nats",
        "nats",
        "released",
    ]


def test_keys_beside_a_preset_override_it_one_by_one():
    section = TrainSharedSettings.model_validate(
        {"preset": "released", "optimizer": {"epochs": 12}, "kl_scale": "nats"}
    )
    assert (section.optimizer.epochs, section.optimizer.batch_size, section.kl_scale) == (12, 256, "nats")


@pytest.mark.parametrize(
    ("settings", "presets"), [(TrainSharedSettings, SHARED_PRESETS), (TrainSpecificSettings, SPECIFIC_PRESETS)]
)
def test_sections_come_back_from_their_json(settings, presets):
    for name in presets:
        section = settings(preset=name)
        assert settings.from_json(section.to_json()) == section


def test_partly_written_subsections_keep_the_sections_own_defaults():
    section = TrainSpecificSettings.model_validate({"optimizer": {"epochs": 5}, "views": {"molecule_noise": 0.1}})
    whole = TrainSpecificSettings()
    assert section.optimizer == whole.optimizer.model_copy(update={"epochs": 5})
    assert section.views == whole.views.model_copy(update={"molecule_noise": 0.1})


def test_a_mistyped_subsection_is_named():
    with pytest.raises(ConfigError, match="optimizer"):
        TrainSharedSettings.from_json('{"optimizer": 3}')


def test_unknown_preset_is_named():
    with pytest.raises(ConfigError, match="preset: Input should be 'default', 'paper' or 'released'"):
        TrainSharedSettings.from_json('{"preset": "reelased"}')
