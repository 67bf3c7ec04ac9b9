"""Named sets of defaults for training: the released code's behaviour, the paper as written, and ours."""

from typing import Any

# the released code's synthetic study; what differs from it in "default", and why, is in docs/method.md
_ENCODER = {
    "hidden_sizes": [512],
    "activation": "relu",
    "linear_path": False,
    "layer_norm": False,
    "dropout": 0.0,
    "weight_std": 0.01,
}
_CODE = {"size": 100, "distribution": "vmf", "kappa": 1000.0, "center": False}
_CONTRASTIVE = {"loss": "infonce", "temperature": 0.07}
_OPTIMIZER = {
    "name": "adam",
    "batch_size": 256,
    "learning_rate": 1e-4,
    "weight_decay": 0.0,
    "schedule": "cosine_by_epoch",
    "patience": None,
    "keep": "last",
}
_RELEASED_VIEWS = {"augmentation": "released", "replicates": "single"}
_PAPER_VIEWS = {
    "replicates": "single",
    "phenotype_noise": 0.01,
    "molecule_noise": 0.01,
    "phenotype_dropout": 0.1,
    "molecule_dropout": 0.1,
}

SHARED_PRESETS: dict[str, dict[str, Any]] = {
    "paper": {
        "encoder": _ENCODER,
        "code": _CODE,
        "contrastive": _CONTRASTIVE,
        "views": _PAPER_VIEWS,
        "optimizer": {**_OPTIMIZER, "epochs": 50},
    },
    "released": {
        "kl_scale": "released",
        "encoder": _ENCODER,
        "code": _CODE,
        "contrastive": _CONTRASTIVE,
        "views": _RELEASED_VIEWS,
        "optimizer": {**_OPTIMIZER, "epochs": 50},
    },
}
SPECIFIC_PRESETS: dict[str, dict[str, Any]] = {
    "paper": {
        "encoder": _ENCODER,
        "code": _CODE,
        "contrastive": _CONTRASTIVE,
        "dependence": "frobenius",
        "views": _PAPER_VIEWS,
        "optimizer": {**_OPTIMIZER, "epochs": 30},
    },
    "released": {
        "joint_of": "features",
        "encoder": _ENCODER,
        "code": _CODE,
        "contrastive": _CONTRASTIVE,
        "dependence": "frobenius",
        "views": _RELEASED_VIEWS,
        "optimizer": {**_OPTIMIZER, "epochs": 30},
    },
}


def with_preset(values: Any, presets: dict[str, dict[str, Any]], own: dict[str, dict[str, Any]]) -> Any:
    """Fill what the user left out of a section from the preset that it names; keys of subsections one by one.

    `own` are the section's own defaults of its subsections, which preset "default" stands for. Values that are no
    mapping, or that name an unknown preset, pass unchanged: validation reports them.
    """
    if not isinstance(values, dict):
        return values
    filled = dict(values)
    name = str(values.get("preset", "default"))
    for key, value in (own if name == "default" else presets.get(name, {})).items():
        given = filled.get(key)
        if given is None:
            filled[key] = value
        elif isinstance(value, dict) and isinstance(given, dict):
            filled[key] = {**value, **given}
    return filled
