"""One file-to-file function per step: the only modules that know both paths and maths."""

from collections.abc import Callable

from dssl.steps import evaluation, inputs, molecules, pairs, phenotypes, report, training
from dssl.steps.registry import STEPS

MODULES = (inputs, molecules, phenotypes, pairs, training, evaluation, report)


def all_steps() -> dict[str, Callable[..., None]]:
    """Every step by its name, in the order of the workflow."""
    return dict(STEPS)
