"""Rooms of the repository and their imports, parsed from the source without running it."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]

LAYERS: tuple[tuple[str, ...], ...] = (
    ("tuban", "cli", "web", "workers"),
    ("service",),
    ("store",),
    ("inference", "training"),
    ("enforcement",),
    ("imagery", "model"),
    ("configs", "errors"),
)
"""Top-level rooms by layer, as drawn from top to bottom; ``.importlinter`` defines the import rule that is checked."""

FOUNDATION = LAYERS[-1]
"""Rooms that every other room may import; arrows to them are not drawn."""


@dataclass(frozen=True)
class Room:
    """A package: a top-level one, or one inside another (an inner room).

    Attributes:
        name: dotted, like ``store.alerts``.
        summary: the first paragraph of its docstring, on one line.
    """

    name: str
    summary: str

    @property
    def top(self) -> str:
        """Name of the top-level room."""
        return self.name.partition(".")[0]

    @property
    def folder(self) -> Path:
        """Folder of the package."""
        return ROOT / self.name.replace(".", "/")


@cache
def all_rooms() -> tuple[Room, ...]:
    """List all rooms, top-level ones in the order of :data:`LAYERS`, each before its inner rooms.

    Raises:
        ValueError: pyproject.toml lists a top-level room that belongs to no layer.
    """
    tops = [name for layer in LAYERS for name in layer if (ROOT / name / "__init__.py").exists()]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    packaged = {name.partition(".")[0] for name in project["tool"]["setuptools"]["packages"]}
    if missing := packaged - set(tops):
        raise ValueError(f"Add to LAYERS in {Path(__file__).name}: {', '.join(sorted(missing))}.")
    return tuple(room for top in tops for room in _rooms_in(ROOT / top, top))


def _rooms_in(folder: Path, name: str) -> Iterator[Room]:
    docstring = ast.get_docstring(_tree(folder / "__init__.py")) or ""
    yield Room(name, " ".join(docstring.split("\n\n")[0].split()))
    for inner in sorted(folder.glob("*/__init__.py")):
        yield from _rooms_in(inner.parent, f"{name}.{inner.parent.name}")


def modules_of(room: Room) -> list[str]:
    """Return the dotted names of the public modules directly in a room."""
    files = sorted(room.folder.glob("*.py"))
    return [f"{room.name}.{path.stem}" for path in files if not path.stem.startswith("_")]


@cache
def imports() -> dict[str, frozenset[str]]:
    """Return room → rooms that its modules import; an inner room and the room that contains it are separate entries.

    Imports inside functions and under ``TYPE_CHECKING`` count, as they do for import-linter.
    """
    names = {room.name for room in all_rooms()}
    found = {}
    for room in all_rooms():
        modules = {module for path in room.folder.glob("*.py") for module in _imported_modules(_tree(path))}
        found[room.name] = frozenset(filter(None, (_room_of(module, names) for module in modules))) - {room.name}
    return found


def top_imports() -> dict[str, set[str]]:
    """Return top-level room → top-level rooms that it imports."""
    found: dict[str, set[str]] = {room.name: set() for room in all_rooms() if "." not in room.name}
    for name, targets in imports().items():
        found[name.partition(".")[0]] |= {target.partition(".")[0] for target in targets}
    return {name: targets - {name} for name, targets in found.items()}


def transitive_reduction(graph: dict[str, set[str]]) -> set[tuple[str, str]]:
    """Return the edges of an acyclic graph that no longer path implies."""
    descendants: dict[str, set[str]] = {}

    def descendants_of(name: str) -> set[str]:
        if name not in descendants:
            descendants[name] = set(graph[name]).union(*(descendants_of(target) for target in graph[name]))
        return descendants[name]

    return {
        (name, target)
        for name, targets in graph.items()
        for target in targets
        if not any(target in descendants_of(other) for other in targets - {target})
    }


def _imported_modules(tree: ast.Module) -> Iterable[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _room_of(module: str, names: set[str]) -> str | None:
    while module and module not in names:
        module = module.rpartition(".")[0]
    return module or None


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))
