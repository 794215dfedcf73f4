"""Markdown building blocks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; bars inside cells become slashes."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


def format_number(value: float | None, form: str = ".3f") -> str:
    """Format a number; a dash for None."""
    return "–" if value is None else format(value, form)


def paragraphs(*parts: str) -> str:
    """Join parts by blank lines, without the empty ones."""
    return "\n\n".join(part.strip("\n") for part in parts if part.strip())
