"""`dssl STEP`: every step of the workflow by hand, and the commands around it."""

import errno
import inspect
import logging
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, NoReturn, get_args, get_origin

import typer
from rich.console import Console
from rich.logging import RichHandler

from dssl import __version__
from dssl.commands import COMMANDS
from dssl.errors import DsslError
from dssl.io import write_json
from dssl.launch import is_first_process, run_of_step, start_processes
from dssl.provenance import provenance_record
from dssl.settings.base import Settings
from dssl.steps import all_steps
from dssl.steps.registry import FOLDER, INPUT, OUTPUT, paths_of

RECORD = "provenance.json"
NO_SETTINGS = "{}"

app = typer.Typer(
    name="dssl",
    help="Disentangled shared and specific codes of molecules and their phenotypes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; print the project's own errors without a traceback and exit 2."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    console = Console(stderr=True, soft_wrap=True)
    logging.basicConfig(
        level=logging.WARNING,
        format="%(message)s",
        handlers=[RichHandler(console=console, show_path=False, markup=False)],
        force=True,
    )
    logging.getLogger("dssl").setLevel(logging.INFO if is_first_process() else logging.WARNING)
    try:
        app(args=repeat_options(given), obj=given)
    except DsslError as error:
        _complain(console, str(error))
    except Exception as error:
        # libraries have their own exceptions for it, and all of them quote the system
        if not any(os.strerror(number) in str(error) for number in (errno.ENOSPC, errno.EDQUOT)):
            raise
        _complain(console, f"{error}\nThere is no room for the results: make some, and give the same command again.")


def _complain(console: Console, text: str) -> NoReturn:
    console.print(f"error: {text}", style="bold red", markup=False, highlight=False)
    raise SystemExit(2) from None


def repeat_options(arguments: list[str]) -> list[str]:
    """Let an option of a step take several values: `--models a b` becomes `--models a --models b`."""
    if not arguments or arguments[0] not in all_steps():
        return arguments
    repeated, option, has_value = arguments[:1], "", False
    for argument in arguments[1:]:
        if argument.startswith("--"):
            option, has_value = argument, False
        elif has_value:
            repeated.append(option)
        else:
            has_value = True
        repeated.append(argument)
    return repeated


def step_command(step: Callable[..., None]) -> Callable[..., None]:
    """Make a command of a step: settings come as JSON, and the provenance is written beside the outputs."""
    signature = inspect.signature(step)
    folder = next((name for name, each in signature.parameters.items() if FOLDER in get_args(each.annotation)), None)

    def command(context: typer.Context, provenance: Path | None, **given: Any) -> None:
        arguments = {name: _parse(signature.parameters[name], value) for name, value in given.items()}
        start_processes(run_of_step(arguments), context.obj)
        started = datetime.now(UTC)
        step(**arguments)
        if not is_first_process():
            return
        inputs, outputs = paths_of(step, arguments, INPUT), paths_of(step, arguments, OUTPUT)
        parameters = {
            name: value.model_dump(mode="json") if isinstance(value, Settings) else value
            for name, value in arguments.items()
            if name not in inputs | outputs and not isinstance(value, Path)
        }
        path = provenance or arguments[folder or ""] / RECORD
        times = {"started": _seconds(started), "ended": _seconds(datetime.now(UTC))}
        write_json(path, provenance_record(step.__name__, parameters, inputs, outputs) | times)

    options = [_option(parameter) for parameter in signature.parameters.values()]
    text = f"where this run is recorded (JSON){f'; default: {RECORD} in the folder of the outputs' if folder else ''}"
    record = inspect.Parameter(
        "provenance",
        inspect.Parameter.KEYWORD_ONLY,
        annotation=Annotated[Path | None if folder else Path, typer.Option(help=text)],
        default=None if folder else inspect.Parameter.empty,
    )
    context = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    vars(command)["__signature__"] = inspect.Signature([context, *options, record])
    command.__doc__ = inspect.getdoc(step)
    return command


def _seconds(time: datetime) -> str:
    return time.isoformat(timespec="seconds")


def _settings_class(annotation: Any) -> type[Settings] | None:
    return annotation if isinstance(annotation, type) and issubclass(annotation, Settings) else None


def _parse(parameter: inspect.Parameter, value: Any) -> Any:
    settings_class = _settings_class(parameter.annotation)
    return value if settings_class is None else settings_class.from_json(value)


def _option(parameter: inspect.Parameter) -> inspect.Parameter:
    annotation, text = parameter.annotation, ""
    if get_origin(annotation) is Annotated:
        annotation, text = get_args(annotation)[0], get_args(parameter.annotation)[-1]
    if settings_class := _settings_class(annotation):
        annotation, text = str, f"JSON of {settings_class.__name__}; what is left out has its default"
    name = parameter.name.replace("_", "-")
    flag = f"--{name}/--no-{name}" if annotation is bool else f"--{name}"
    optional = NoneType in get_args(annotation)
    return parameter.replace(
        annotation=Annotated[annotation, typer.Option(flag, help=text)],
        default=None if optional else NO_SETTINGS if settings_class else parameter.default,
    )


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"dssl {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    pass


for _name, _command in COMMANDS.items():
    app.command(_name)(_command)
for _name, _step in all_steps().items():
    app.command(_name)(step_command(_step))
