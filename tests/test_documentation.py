"""The documentation refers to existing interface texts and files, and its diagram is up to date."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GENERATE = ROOT / "docs" / "generate"


@pytest.fixture
def _scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(GENERATE))


def test_the_architecture_diagram_matches_the_imports() -> None:
    expected = subprocess.run(
        [sys.executable, "-c", "import draw_architecture; print(draw_architecture.draw(), end='')"],
        cwd=GENERATE,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert (ROOT / "docs" / "architecture.svg").read_text("utf-8") == expected, "`make docs` updates it"


@pytest.mark.usefixtures("_scripts")
@pytest.mark.parametrize("path", sorted((ROOT / "docs").rglob("*.md")), ids=lambda path: path.name)
def test_guides_use_only_existing_interface_texts(path: Path) -> None:
    from interface_words import fill_placeholders

    for language in ("zh", "en"):
        assert "[[" not in fill_placeholders(path.read_text("utf-8"), language)


@pytest.mark.usefixtures("_scripts")
def test_check_site_finds_pages_that_load_from_other_hosts(tmp_path: Path) -> None:
    from check_site import external_requests

    links = '<a href="https://example.org">a link</a><link rel="canonical" href="https://example.org">'
    (tmp_path / "fine.html").write_text(links + '<script src="own.js"></script>')
    assert external_requests(tmp_path) == []
    (tmp_path / "font.css").write_text("@import url(https://fonts.example/a.css)")
    (tmp_path / "script.html").write_text('<script src="//cdn.example/a.js"></script>')
    assert [request.partition(":")[0] for request in external_requests(tmp_path)] == ["script.html", "font.css"]


@pytest.mark.usefixtures("_scripts")
@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("[deploy](../deploy/README.md)", "[deploy](operations.md)"),
        ("[the store](../store/README.md#backup)", "[the store](reference/store.md#backup)"),
        ("[example](../examples/read_queue.py)", "example (`examples/read_queue.py`)"),
        ("[other page](cameras.md)", "[other page](cameras.md)"),
        ("[gone](../nowhere.md)", "[gone](../nowhere.md)"),
        ("[elsewhere](https://example.org)", "[elsewhere](https://example.org)"),
    ],
)
def test_links_to_repository_files_become_links_to_their_pages(link: str, expected: str) -> None:
    from links import rewrite_links

    assert rewrite_links(link, "docs/page.md", "page.md") == expected
