"""Parts of a document as data of ``blocks.typ``: headings, paragraphs, tables, drawings, pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from enforcement.typesetting.drawing import Drawing

Block = dict[str, Any]
Style = Literal["body", "small", "code"]

_MAX_KEPT = 500
"""Characters of a row that is kept on one page; a longer row may continue on the next."""


def heading(text: str) -> Block:
    """Heading that stays on the page of the following block."""
    return {"kind": "heading", "text": text}


def paragraph(text: str, style: Style = "small") -> Block:
    """Paragraph over the width of the page."""
    return {"kind": "paragraph", "text": text, "style": style}


def data_table(
    head: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[float], right: Sequence[int] = (),
    code: Sequence[int] = (),
) -> Block:  # fmt: skip
    """Table with a header row that is repeated on each page.

    Args:
        head: column headings.
        rows: texts of the cells; long texts are wrapped.
        widths: relative widths of the columns.
        right: indices, from 0, of right-aligned columns.
        code: indices of columns of checksums.
    """
    return {
        "kind": "table",
        "head": list(head),
        "rows": [list(row) for row in rows],
        "kept": [max((len(cell) for cell in row), default=0) <= _MAX_KEPT for row in rows],
        "widths": list(widths),
        "right": list(right),
        "code": list(code),
    }


def value_table(pairs: Sequence[tuple[str, str]], code: bool = False) -> Block:
    """Table of names and values; ``code``: values are checksums."""
    return {"kind": "values", "pairs": [list(pair) for pair in pairs], "code": code}


def drawing(drawn: Drawing) -> Block:
    """Drawing over the width of the page."""
    return {"kind": "drawing", "drawing": drawn.to_data()}


def columns(cells: Sequence[Sequence[Block]], gap: float) -> Block:
    """Equally wide columns of blocks, ``gap`` points apart, that stay on one page."""
    return {"kind": "columns", "cells": [list(cell) for cell in cells], "gap": gap}


def picture(data: bytes, height: float) -> Block:
    """Picture that fits into its column and a height in points."""
    return {"kind": "picture", "file": data, "height": height}


def kept(blocks: Sequence[Block]) -> Block:
    """Blocks that stay on one page."""
    return {"kind": "kept", "blocks": list(blocks)}
