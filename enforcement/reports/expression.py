"""Formulas of columns over other columns, with + - * / and parentheses, computed here and by spreadsheets."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from functools import cache

from enforcement.reports.sheet import Cell
from errors import SettingsError

_OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
MAX_LENGTH = 200


def names_of(formula: str) -> list[str]:
    """Return the columns that a formula names, in order.

    Raises:
        SettingsError: it is not a formula.
    """
    return [node.id for node in ast.walk(_parse(formula)) if isinstance(node, ast.Name)]


def compute(formula: str, values: Mapping[str, Cell]) -> float | int | None:
    """Return the value of a formula; empty cells and texts count as 0, a division by 0 is None.

    Raises:
        SettingsError: it is not a formula, or names an unknown column.
    """
    try:
        return _value(_parse(formula), values)
    except ZeroDivisionError:
        return None


def to_spreadsheet(formula: str, cell_of: Callable[[str], str]) -> str:
    """Return the formula for a spreadsheet; a division by 0 gives an empty text.

    Args:
        formula: of a layout.
        cell_of: address of a column's cell, as ``H7``.
    """
    words = _words(_parse(formula), cell_of)
    return f'=IFERROR({words},"")' if "/" in words else f"={words}"


@cache
def _parse(formula: str) -> ast.expr:
    try:
        if len(formula) > MAX_LENGTH:
            raise SyntaxError
        tree = ast.parse(formula, mode="eval").body
        _verify(tree)
    except (SyntaxError, ValueError, RecursionError):
        raise SettingsError(
            f"{formula[:60]!r} is not a formula; expected columns and numbers with + - * / and parentheses."
        ) from None
    return tree


def _verify(node: ast.expr) -> None:
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        _verify(node.left)
        _verify(node.right)
    elif isinstance(node, ast.Constant):
        if not isinstance(node.value, int | float) or isinstance(node.value, bool):
            raise SyntaxError
    elif not isinstance(node, ast.Name):
        raise SyntaxError


def _value(node: ast.expr, values: Mapping[str, Cell]) -> float | int:
    if isinstance(node, ast.BinOp):
        left, right = _value(node.left, values), _value(node.right, values)
        kind = _OPERATORS[type(node.op)]
        if kind == "/":
            return left / right
        return left + right if kind == "+" else left - right if kind == "-" else left * right
    if isinstance(node, ast.Name):
        if node.id not in values:
            raise SettingsError(f"The formula names {node.id!r}, which is no column.")
        found = values[node.id]
        return found if isinstance(found, int | float) else 0
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return node.value
    raise SettingsError("The formula contains something other than columns and numbers.")


def _words(node: ast.expr, cell_of: Callable[[str], str]) -> str:
    if isinstance(node, ast.BinOp):
        words = (_words(node.left, cell_of), _words(node.right, cell_of))
        return f"({words[0]}{_OPERATORS[type(node.op)]}{words[1]})"
    return cell_of(node.id) if isinstance(node, ast.Name) else ast.unparse(node)
