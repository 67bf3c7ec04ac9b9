import inspect
import re
from pathlib import Path

import pytest

from dssl.steps import all_steps

RULE = re.compile(r"^(?P<indent> *)rule (?P<name>\w+):\n(?P<body>(?:(?P=indent)    .*\n|\n)+)", flags=re.MULTILINE)


def blocks(repository: Path) -> dict[str, str]:
    """Text of every rule of workflow/rules by its name."""
    found = {}
    for path in sorted((repository / "workflow/rules").glob("*.smk")):
        for match in RULE.finditer(path.read_text(encoding="utf-8")):
            found[match["name"]] = inspect.cleandoc("\n" + match["body"])
    return found


@pytest.fixture(scope="module")
def rules(repository: Path) -> dict[str, str]:
    return blocks(repository)


def command(block: str) -> str:
    """The shell command of a rule, its string literals joined."""
    return "".join(re.findall(r'"([^"]*)"', block.split("shell:")[1]))


def test_all_rules_are_seen(rules: dict[str, str], repository: Path) -> None:
    text = "".join(path.read_text() for path in (repository / "workflow/rules").glob("*.smk"))
    assert len(rules) == len(re.findall(r"^ *rule ", text, flags=re.MULTILINE)) >= 16


@pytest.mark.parametrize("part", ["output", "params", "log", "benchmark", "resources", "shell"])
def test_every_rule_has_its_parts(rules: dict[str, str], part: str) -> None:
    assert [name for name, block in rules.items() if not re.search(rf"^{part}:", block, flags=re.MULTILINE)] == []


@pytest.mark.parametrize("resource", ["mem_mb", "runtime"])
def test_every_rule_says_what_it_needs(rules: dict[str, str], resource: str) -> None:
    wanted = re.compile(rf"^resources:\n(?:    .*\n)*?    {resource}=", flags=re.MULTILINE)
    assert [name for name, block in rules.items() if not wanted.search(f"{block}\n")] == []


def test_rules_hold_no_logic(rules: dict[str, str]) -> None:
    forbidden = re.compile(r"^(run|script|notebook|wrapper):|^checkpoint ", flags=re.MULTILINE)
    assert [name for name, block in rules.items() if forbidden.search(block)] == []


def test_every_rule_calls_the_step_of_its_name_and_logs_it(rules: dict[str, str]) -> None:
    for name, block in rules.items():
        assert command(block).startswith(f"dssl {name} --settings {{params.settings:q}} "), name
        assert command(block).endswith("--provenance {output.provenance} 2> {log}"), name


def test_every_rule_gives_every_option_of_its_step_and_no_other(rules: dict[str, str]) -> None:
    for name, step in all_steps().items():
        # switches and optional files stand in params, the others in the shell command
        given = set(re.findall(r"--(?:no-)?([a-z-]+)", rules[name]))
        expected = {parameter.replace("_", "-") for parameter in inspect.signature(step).parameters}
        assert given == expected | {"provenance"}, name


def test_every_rule_is_repeated_when_the_version_changes(rules: dict[str, str]) -> None:
    assert [name for name, block in rules.items() if "version=VERSION" not in block] == []


def test_logs_and_benchmarks_are_named_after_their_rule(rules: dict[str, str]) -> None:
    for name, block in rules.items():
        # the rules of the synthetic study belong to no screen
        folder = "study/{STUDY.study}" if name.startswith("study_") else "{SCREEN.screen}"
        assert f"logs/{folder}/{name}" in block.split("benchmark:")[0], name
        wanted = rf"benchmark:\n    f\"logs/{re.escape(folder)}/{name}\S*\.benchmark\.tsv\""
        assert re.search(wanted, block), name
