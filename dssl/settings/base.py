"""The base of every settings model: closed, frozen, and readable from JSON."""

import json
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from dssl.errors import ConfigError


class Settings(BaseModel):
    """A section of a screen's YAML. Unknown keys are errors; defaults live here and nowhere else."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)

    def to_json(self) -> str:
        """Canonical JSON with every default written out: what a rule passes to its command."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True)

    @classmethod
    def subsections(cls) -> dict[str, dict[str, Any]]:
        """Defaults of the fields that are sections themselves."""
        defaults = {name: field.default for name, field in cls.model_fields.items()}
        return {name: value.model_dump() for name, value in defaults.items() if isinstance(value, Settings)}

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a section from JSON.

        Raises
        ------
        ConfigError
            With one line for each key that is unknown, missing or of the wrong type.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise ConfigError(explain(error, cls.__name__)) from None


def read_yaml(path: Path, hint: str) -> Any:
    """Content of a YAML file; `hint` says what to do when it is not there.

    Raises
    ------
    ConfigError
        If the file is missing or is not YAML.
    """
    try:
        return yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file; {hint}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from None


def explain(error: ValidationError, where: str) -> str:
    """Turn pydantic's report into lines that name the key, what was found and what is expected."""
    lines = [f"{where}: {error.error_count()} problem(s) in the settings"]
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"]) or "(the whole section)"
        if problem["type"] == "extra_forbidden":
            lines.append(f"  {key}: unknown key; remove it or correct its spelling (keys: config/README.md)")
        elif problem["type"] == "missing":
            lines.append(f"  {key}: this key is required and is not there")
        else:
            message = problem["msg"].removeprefix("Value error, ")
            lines.append(f"  {key}: {message} (found {problem['input']!r:.80})")
    return "\n".join(lines)


def flatten(content: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Values of nested sections by dotted key: {"a": {"b": 1}} -> {"a.b": 1}; lists and empty sections are values."""
    flat: dict[str, Any] = {}
    for name, value in content.items():
        if isinstance(value, dict) and value:
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat
