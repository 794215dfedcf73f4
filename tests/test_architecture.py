"""The repository keeps to what its README says."""

from __future__ import annotations

import subprocess
import tomllib
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
