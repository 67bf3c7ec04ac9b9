"""One file-to-file function per step: the only modules that know both paths and maths."""

from collections.abc import Callable

from dssl.steps import (
    assays,
    counterfactuals,
    describe,
    evaluation,
    explorer,
    handover,
    inputs,
    learned_baselines,
    lists,
    molecules,
    new_data,
    pairs,
    phenotypes,
    quality,
    report,
    second_assay,
    study,
    tracking,
    trained_model,
    training,
)
from dssl.steps.registry import STEPS

MODULES = (
    inputs,
    molecules,
    phenotypes,
    lists,
    second_assay,
    quality,
    pairs,
    training,
    learned_baselines,
    evaluation,
    assays,
    describe,
    counterfactuals,
    report,
    explorer,
    handover,
    tracking,
    trained_model,
    new_data,
    study,
)


def all_steps() -> dict[str, Callable[..., None]]:
    """Every step by its name, in the order of the workflow."""
    by_module = {module.__name__: number for number, module in enumerate(MODULES)}
    return dict(sorted(STEPS.items(), key=lambda item: by_module[item[1].__module__]))
