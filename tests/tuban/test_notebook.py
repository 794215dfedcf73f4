"""The notebook of the documentation runs from its first cell to its last, and shows a table and a map."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebooks" / "two_images.ipynb"


def test_the_notebook_goes_from_two_images_to_a_map_and_a_table(tmp_path: Path) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(
        notebook, timeout=240, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    kinds = {kind for output in outputs for kind in output.get("data", {})}
    assert {"image/png", "text/html"} <= kinds
    listed = outputs[-1]["data"]["text/plain"]
    assert "changes.gpkg" in listed
    assert "report.html" in listed
