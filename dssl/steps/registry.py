"""How a step declares what it reads and writes, so that the command line and the provenance can be made from it."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

INPUT, OUTPUT, FOLDER = "input", "output", "folder"
Input = Annotated[Path, INPUT]
Inputs = Annotated[list[Path], INPUT]
OptionalInput = Annotated[Path | None, INPUT]
OptionalInputs = Annotated[list[Path] | None, INPUT]
Output = Annotated[Path, OUTPUT]
Outputs = Annotated[list[Path], OUTPUT]
OutputFolder = Annotated[Path, OUTPUT, FOLDER]

Step = TypeVar("Step", bound=Callable[..., None])
STEPS: dict[str, Callable[..., None]] = {}


def step(function: Step) -> Step:
    """Register a function as the step and command of the same name.

    All its parameters are keyword-only: settings models, paths annotated as Input or Output, and plain values.
    """
    STEPS[function.__name__] = function
    return function


def paths_of(function: Callable[..., None], arguments: dict[str, Any], role: str) -> dict[str, list[Path]]:
    """Paths given to a step, by parameter, that it reads (role "input") or writes (role "output")."""
    found: dict[str, list[Path]] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if get_origin(parameter.annotation) is Annotated and role in get_args(parameter.annotation)[1:]:
            value = arguments[name]
            found[name] = value if isinstance(value, list) else [] if value is None else [value]
    return found
