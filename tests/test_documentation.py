"""What the documentation takes from the program is there, and its picture is that of today."""

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


def test_the_picture_of_the_rooms_shows_the_imports_of_today(tmp_path: Path) -> None:
    drawn = subprocess.run(
        [sys.executable, "-c", "import draw_architecture; print(draw_architecture.draw(), end='')"],
        cwd=GENERATE,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert (ROOT / "docs" / "architecture.svg").read_text("utf-8") == drawn, "make docs draws it anew"


@pytest.mark.usefixtures("_scripts")
@pytest.mark.parametrize("path", sorted((ROOT / "docs").rglob("*.md")), ids=lambda path: path.name)
def test_guides_ask_only_for_words_that_the_interface_has(path: Path) -> None:
    from interface_words import filled

    for language in ("zh", "en"):
        assert "[[" not in filled(path.read_text("utf-8"), language)


@pytest.mark.usefixtures("_scripts")
def test_a_page_that_loads_from_another_host_is_found(tmp_path: Path) -> None:
    from check_site import asked_elsewhere

    links = '<a href="https://example.org">a link</a><link rel="canonical" href="https://example.org">'
    (tmp_path / "fine.html").write_text(links + '<script src="own.js"></script>')
    assert asked_elsewhere(tmp_path) == []
    (tmp_path / "font.css").write_text("@import url(https://fonts.example/a.css)")
    (tmp_path / "script.html").write_text('<script src="//cdn.example/a.js"></script>')
    assert [found.partition(":")[0] for found in asked_elsewhere(tmp_path)] == ["script.html", "font.css"]


@pytest.mark.usefixtures("_scripts")
@pytest.mark.parametrize(
    ("link", "becomes"),
    [
        ("[deploy](../deploy/README.md)", "[deploy](operations.md)"),
        ("[the store](../store/README.md#backup)", "[the store](reference/store.md#backup)"),
        ("[example](../examples/read_queue.py)", "example (`examples/read_queue.py`)"),
        ("[other page](cameras.md)", "[other page](cameras.md)"),
        ("[gone](../nowhere.md)", "[gone](../nowhere.md)"),
        ("[elsewhere](https://example.org)", "[elsewhere](https://example.org)"),
    ],
)
def test_links_to_files_of_the_repository_lead_to_their_pages(link: str, becomes: str) -> None:
    from links import relinked

    assert relinked(link, "docs/page.md", "page.md") == becomes
