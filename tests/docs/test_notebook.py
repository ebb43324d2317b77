"""The notebook of the documentation, run from its first cell to its last in an empty folder."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.docs.pages import DOCS
from tests.paths import REPOSITORY

NOTEBOOK = DOCS / "from_python.ipynb"


def kinds(cell: nbformat.NotebookNode) -> list[set[str]]:
    """What a cell shows: pictures, tables, text; a search's lines are one stream, in however many pieces."""
    shown = [set(output.data) for output in cell.outputs if output.output_type != "stream"]
    return [*shown, *([{"stream"}] if any(output.output_type == "stream" for output in cell.outputs) else [])]


@pytest.mark.sweeps
def test_the_notebook_runs_and_shows_what_is_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    stored, run = (nbformat.read(NOTEBOOK, as_version=4) for _ in range(2))
    NotebookClient(run, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
    cells = [(old, new) for old, new in zip(stored.cells, run.cells, strict=True) if old.cell_type == "code"]
    assert len(cells) > 7
    for old, new in cells:
        assert kinds(old) == kinds(new), old.source
    assert (tmp_path / "ray_results" / "notebook" / "best" / "model.safetensors").is_file()


def test_the_stored_notebook_was_run_in_one_go() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert not any(output.output_type == "error" for output in outputs)
    assert str(Path.home()) not in str(outputs)
