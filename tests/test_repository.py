import re
import shlex
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

import dssl
from dssl.cli import app

TEXT_ENDINGS = {
    ".py",
    ".md",
    ".toml",
    ".yml",
    ".yaml",
    ".smk",
    ".json",
    ".cff",
    ".lock",
    ".rst",
    ".html",
    ".js",
    ".css",
}
DOCUMENTS = ["README.md", "CONTRIBUTING.md", "config/README.md"]
# hosts of package registries: an installation takes whatever the user's own pip and conda are set to
REGISTRIES = [
    "py" + "pi.org",
    "python" + "hosted.org",
    "ana" + "conda.org",
    "download.py" + "torch.org",
    "npm" + "js.org",
]
MACHINE_PATHS = ["/wo" + "rk/", "../sha" + "red"]


def files(repository: Path) -> list[Path]:
    """Files of the repository, without what .gitignore leaves out."""
    ignored = [line.strip("/") for line in (repository / ".gitignore").read_text().split() if not line.startswith("#")]
    found = []
    for path in sorted(repository.rglob("*")):
        parts = path.relative_to(repository).parts
        if ".git" in parts or any(fnmatch(part, pattern) for part in parts for pattern in ignored):
            continue
        if path.is_file():
            found.append(path)
    return found


def commands(text: str) -> list[list[str]]:
    """Command lines in a document's code (indented, fenced, or inline), without comments."""
    fenced = [line for block in re.findall(r"```\w*\n(.*?)```", text, flags=re.DOTALL) for line in block.splitlines()]
    indented = re.findall(r"^    (\S.*)$", text, flags=re.MULTILINE)
    inline = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text)
    found = []
    for line in [*fenced, *indented, *inline]:
        try:
            words = shlex.split(line.removeprefix("$ "), comments=True)
        except ValueError:  # prose with an apostrophe
            continue
        found.append(words)
    return [words for words in found if words]


def make_targets(repository: Path) -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (repository / "Makefile").read_text(), flags=re.MULTILINE))


def test_no_path_of_one_machine_and_no_registry_stands_in_a_file(repository: Path) -> None:
    found = files(repository)
    assert repository / "dssl" / "io.py" in found
    wrong = []
    for path in found:
        if path.suffix in TEXT_ENDINGS or path.suffix == "":
            text = path.read_text(encoding="utf-8", errors="replace")
            wrong += [f"{path}: {word}" for word in [*MACHINE_PATHS, *REGISTRIES] if word in text]
    assert wrong == []


def test_the_readme_names_the_two_targets_to_start_with(repository: Path) -> None:
    assert {"run", "test"} <= make_targets(repository)
    named = {words[1] for words in commands((repository / "README.md").read_text()) if words[0] == "make" and words[1:]}
    assert {"run", "test"} <= named


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_of_the_documents_exist(repository: Path, document: str) -> None:
    known = set(get_command(app).commands)
    targets = make_targets(repository)
    for words in commands((repository / document).read_text(encoding="utf-8")):
        program, arguments = words[0], words[1:]
        if program == "make" and arguments:
            assert {word for word in arguments if "=" not in word} <= targets, words
        if program == "dssl" and arguments and not arguments[0].startswith("-") and arguments[0].islower():
            assert arguments[0] in known, words


@pytest.mark.parametrize("document", DOCUMENTS)
def test_files_that_the_documents_name_exist(repository: Path, document: str) -> None:
    text = (repository / document).read_text(encoding="utf-8")
    named = set(re.findall(r"(?<![\w./])(?:config|workflow|dssl|tests|docs|resources)/[\w./-]+\w", text))
    missing = {name for name in named if not (repository / name).exists()}
    assert missing - {"config/mine.yaml"} == set()  # the reader's own
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert ((repository / document).parent / target).exists(), target


def test_the_version_is_the_same_everywhere(repository: Path) -> None:
    newest = re.search(r"^## (\S+)", (repository / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert newest is not None
    assert newest[1] == dssl.__version__
    assert yaml.safe_load((repository / "CITATION.cff").read_text())["version"] == dssl.__version__


def test_the_walk_leaves_out_what_git_ignores(repository: Path) -> None:
    names = {path.relative_to(repository).as_posix() for path in files(repository)}
    assert not [name for name in names if "__pycache__" in name or name.startswith((".git/", "results/"))]
    assert {".gitignore", "Makefile", "workflow/Snakefile"} <= names


def test_no_module_is_longer_than_a_screen_can_hold_in_mind(repository: Path) -> None:
    lengths = {path.name: len(path.read_text().splitlines()) for path in (repository / "dssl").rglob("*.py")}
    assert {name: length for name, length in lengths.items() if length > 300} == {}


def test_nothing_prints_or_unpickles(repository: Path) -> None:
    sources = {path: path.read_text() for path in (repository / "dssl").rglob("*.py")}
    forbidden = re.compile(
        r"^\s*print\(|(?:import|from) (?:pickle|joblib)|type: ignore|# noqa|\bTODO\b", flags=re.MULTILINE
    )
    found = [f"{path.name}: {each}" for path, text in sources.items() for each in forbidden.findall(text)]
    # DeepProfiler pickles its metadata; a restricted unpickler reads plain values out of it, and nothing else
    assert found == ["npz.py: from pickle"]
