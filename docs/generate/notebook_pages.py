"""Pages of the notebooks in ``docs/notebooks``, executed during the build."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from rooms import ROOT

FOLDER = ROOT / "docs" / "notebooks"


@cache
def notebook_pages() -> dict[str, str]:
    """Return page → Markdown, for each notebook."""
    return {f"notebooks/{path.stem}.md": notebook_markdown(path) for path in sorted(FOLDER.glob("*.ipynb"))}


def notebook_markdown(path: Path) -> str:
    """Execute a notebook and return text, code and outputs as Markdown."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(notebook, timeout=600, resources={"metadata": {"path": folder}}).execute()
    cells = notebook["cells"]
    download = f"[{path.name}]({path.name}) is the notebook of this page.\n"
    return "\n".join([*(part for cell in cells for part in _cell(cell)), "---\n", download])


def _cell(cell: Mapping[str, Any]) -> Iterator[str]:
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        yield f"{source}\n"
    elif cell["cell_type"] == "code" and source.strip():
        yield _fenced(source, "python")
        for output in cell.get("outputs", []):
            yield from _output(output)


def _output(output: Mapping[str, Any]) -> Iterator[str]:
    data: Mapping[str, Any] = output.get("data", {})
    if "image/png" in data:
        yield f"![output](data:image/png;base64,{''.join(data['image/png']).replace(chr(10), '')})\n"
    elif "text/html" in data:
        yield f'<div class="output">{"".join(data["text/html"])}</div>\n'
    elif text := "".join(output.get("text", data.get("text/plain", ""))):
        yield _fenced(text, "text")


def _fenced(text: str, language: str) -> str:
    return f"```{language}\n{text.rstrip()}\n```\n"
