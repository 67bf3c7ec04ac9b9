import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

# from the ground up; a member may import members of lower floors, and on these floors of its own
FLOORS = [
    {
        "crate",
        "estimate",
        "fetch",
        "launch",
        "manifest",
        "mlflow",
        "plan",
        "plan_new_data",
        "provenance",
        "resources",
        "io",
        "settings",
        "keys",
        "errors",
        "",
    },
    {"molecules", "phenotypes", "pairs", "model", "evaluation", "simulate"},
    {"preprocessing"},
    {"baselines", "training"},
    {"report"},
    {"check", "compare", "new_screen", "steps"},
    {"cli", "commands"},
    {"__main__"},
]
WITHOUT_NEIGHBOURS = FLOORS[1]
FLOOR_OF = {member: number for number, members in enumerate(FLOORS) for member in members}


def imported(source: str, modules: set[str]) -> Iterator[str]:
    """Modules of dssl that a module imports anywhere, in functions and for typing too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "dssl")
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "dssl":
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in modules else node.module


def member(module: str) -> str:
    """The file or folder directly inside dssl/ that a module belongs to; "" for dssl itself."""
    return ".".join(module.split(".")[1:2])


def complaint(importer: str, target: str) -> str | None:
    above, below = member(importer), member(target)
    if above == below:
        return None
    if FLOOR_OF[below] > FLOOR_OF[above]:
        return f"{importer} imports {target}, which lies higher"
    if above in WITHOUT_NEIGHBOURS and below in WITHOUT_NEIGHBOURS:
        return f"{importer} imports its neighbour {target}"
    return None


def sources(repository: Path) -> dict[str, str]:
    files = sorted((repository / "dssl").rglob("*.py"))
    names = {file: ".".join(file.relative_to(repository).with_suffix("").parts) for file in files}
    return {name.removesuffix(".__init__"): file.read_text(encoding="utf-8") for file, name in names.items()}


@pytest.fixture(scope="module")
def graph(repository: Path) -> dict[str, set[str]]:
    found = sources(repository)
    return {name: set(imported(text, set(found))) - {name} for name, text in found.items()}


def test_every_member_has_a_floor(graph: dict[str, set[str]]) -> None:
    assert {member(module) for module in graph} == set(FLOOR_OF)


def test_imports_go_downward_only(graph: dict[str, set[str]]) -> None:
    arrows = [(importer, target) for importer, targets in graph.items() for target in targets]
    assert ("dssl.cli", "dssl.commands") in arrows
    assert ("dssl.training.selection", "dssl.settings.learning") in arrows
    assert [text for arrow in arrows if (text := complaint(*arrow))] == []


def test_imports_have_no_cycle(graph: dict[str, set[str]]) -> None:
    order = list(TopologicalSorter(graph).static_order())
    assert order.index("dssl.errors") < order.index("dssl.io") < order.index("dssl.cli")


def test_no_star_import_and_no_relative_import(repository: Path) -> None:
    for name, text in sources(repository).items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom):
                assert [alias.name for alias in node.names] != ["*"], f"{name}: star import"
                assert node.level == 0, f"{name}: relative import, which the tests of floors cannot see"


def test_the_walk_itself_sees_what_is_forbidden() -> None:
    text = "def f():\n from dssl.model import shared\n from dssl import cli, __version__\n import dssl.pairs.folds\n"
    found = set(imported(text, {"dssl.model.shared", "dssl.cli", "dssl.pairs.folds"}))
    assert found == {"dssl.model.shared", "dssl.cli", "dssl", "dssl.pairs.folds"}
    assert complaint("dssl.io", "dssl.steps.inputs") == "dssl.io imports dssl.steps.inputs, which lies higher"
    assert complaint("dssl.pairs.folds", "dssl.model.shared") is not None
    assert complaint("dssl.pairs.folds", "dssl.pairs.splits") is None
    with pytest.raises(CycleError):
        TopologicalSorter({"a": {"b"}, "b": {"a"}}).prepare()


LIGHT = """
import importlib, pkgutil, sys
import dssl
from dssl.cli import main
try:
    main(["--help"])
except SystemExit as ended:
    assert ended.code == 0
print("help:", [name for name in ("torch", "scipy", "sklearn", "rdkit") if name in sys.modules], file=sys.stderr)
import dssl.molecules, dssl.phenotypes
for package in (dssl.molecules, dssl.phenotypes):
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
print("modules:", "torch" in sys.modules, "rdkit" in sys.modules, file=sys.stderr)
"""


def test_help_is_light_and_molecules_and_phenotypes_do_without_torch(repository: Path) -> None:
    run = subprocess.run([sys.executable, "-c", LIGHT], cwd=repository, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "help: []" in run.stderr
    assert "modules: False True" in run.stderr
