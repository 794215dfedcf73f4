"""The repository keeps to what its README says."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()]


def test_no_file_is_larger_than_five_megabytes() -> None:
    assert [path.name for path in _tracked() if path.stat().st_size > 5_000_000] == []


def test_every_room_has_a_readme() -> None:
    rooms = {path.parent for path in ROOT.glob("*/__init__.py")}
    assert [room.name for room in rooms if not (room / "README.md").exists()] == []


def test_versions_are_pinned_without_addresses() -> None:
    lines = (ROOT / "constraints.txt").read_text().split()
    assert lines
    assert all("==" in line and "//" not in line and "@" not in line for line in lines)


def test_the_image_is_given_every_room_and_nothing_else() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    given = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    rooms = {package.partition(".")[0] for package in project["tool"]["setuptools"]["packages"]}
    assert given == rooms | {"LICENSE", "README.md", "constraints.txt", "pyproject.toml"}


def test_no_folder_holds_more_than_about_twenty_files() -> None:
    """Except that of the migrations, which only grows."""
    modules = Counter(path.parent for path in _tracked() if path.suffix == ".py" and path.name != "__init__.py")
    modules.pop(ROOT / "store" / "migrations" / "versions")
    assert {str(folder.relative_to(ROOT)): count for folder, count in modules.items() if count > 22} == {}


def test_what_a_scan_reports_has_one_name() -> None:
    """Released migrations and readers of what earlier versions stored keep the former noun; nothing else does."""
    former = re.compile(r"\bleads?\b", re.IGNORECASE)
    allowed = {
        "CHANGELOG.md",
        "configs/texts/__init__.py",
        "docs/glossary.md",
        "enforcement/evidence/bundle.py",
        "enforcement/evidence/bundle_check.py",
        "tests/configs/test_reasons.py",
        "tests/enforcement/evidence/test_bundle.py",
        "tests/store/schema/test_migrate.py",
        "tests/test_architecture.py",
    }
    texts = [path for path in _tracked() if path.suffix in (".css", ".html", ".js", ".md", ".py", ".toml", ".yaml")]
    names = {str(path.relative_to(ROOT)) for path in texts if former.search(path.read_text("utf-8"))}
    assert {name for name in names - allowed if not name.startswith("store/migrations/")} == set()
