"""The notebook of docs/ is run on a made-up hand-over."""

from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient

from tests.handed_over import make_handover


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> nbformat.NotebookNode:
    folder = tmp_path_factory.mktemp("notebook")
    out = make_handover(folder, n=36)
    notebook = nbformat.read(repository / "docs" / "embeddings.ipynb", as_version=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DSSL_HANDOVER", str(out))
        patch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
        NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    return notebook


def test_every_cell_runs_and_none_warns(ran: nbformat.NotebookNode) -> None:
    outputs = [output for cell in ran.cells if cell.cell_type == "code" for output in cell.outputs]
    written = [output.text for output in outputs if output.output_type == "stream"]
    # of matplotlib to scanpy
    assert [text for text in written if "set_bad" not in text] == []
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 3


def test_its_tables_say_value_and_chance(ran: nbformat.NotebookNode) -> None:
    tables = [
        output.data["text/html"]
        for cell in ran.cells
        for output in cell.get("outputs", [])
        if "text/html" in output.get("data", {})
    ]
    text = " ".join(tables)
    for column in ("chance_97.5%", "balanced accuracy", "chance", "chance_top_1", "another molecule"):
        assert column in text
    assert "=cmd()" in text
    assert "'=cmd()" not in text
    assert "<script>" not in text


def test_it_is_kept_without_outputs(repository: Path) -> None:
    notebook = nbformat.read(repository / "docs" / "embeddings.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in notebook.cells)
    assert pd.Series([cell["id"] for cell in notebook.cells]).is_unique
