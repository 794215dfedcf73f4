"""The template language that documents may use: values, conditions, and loops over lists; nothing is called.

The language is checked before a template is filled: only the nodes below are allowed, so the time is bounded by the
length of the template and its lists. It runs in Jinja's sandbox besides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from jinja2 import StrictUndefined, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

FILTERS = frozenset(["default", "d", "first", "int", "join", "last", "length", "lower", "round", "trim", "upper"])
TESTS = frozenset(["defined", "undefined"])
LOOP = frozenset(["index", "index0", "first", "last", "length"])
_ALLOWED = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Const,
    nodes.Name,
    nodes.Getattr,
    nodes.If,
    nodes.For,
    nodes.Filter,
    nodes.Test,
    nodes.Compare,
    nodes.Operand,
    nodes.Not,
    nodes.And,
    nodes.Or,
    nodes.CondExpr,
    nodes.Concat,
)


@dataclass(frozen=True)
class Scope:
    """Names that a template may use.

    Attributes:
        names: of values; lists: of those that are lists.
        entries: loop variables; attributes: what an entry of the enclosures has.
    """

    names: frozenset[str]
    lists: frozenset[str]
    entries: frozenset[str]
    attributes: frozenset[str]


@cache
def environment() -> ImmutableSandboxedEnvironment:
    """Return the environment in which templates are filled: sandboxed, escaping on, unknown names are errors."""
    found = ImmutableSandboxedEnvironment(autoescape=True, undefined=StrictUndefined)
    found.filters = {name: each for name, each in found.filters.items() if name in FILTERS}
    found.tests = {name: each for name, each in found.tests.items() if name in TESTS}
    found.globals = {}
    return found


def faults_of(tree: nodes.Template, scope: Scope) -> Iterator[tuple[str, str]]:
    """Yield ``unknown_field`` or ``not_allowed`` with the name, for everything in a template that is not allowed."""
    yield from _faults(tree, scope, loops=0)


def _faults(node: nodes.Node, scope: Scope, *, loops: int) -> Iterator[tuple[str, str]]:
    if isinstance(node, nodes.Mul):
        if not _is_span(node):
            yield "not_allowed", "*"
        return
    if not isinstance(node, _ALLOWED):
        yield "not_allowed", type(node).__name__.lower()
        return
    if isinstance(node, nodes.Name):
        if node.name not in scope.names | scope.entries | {"loop"}:
            yield "unknown_field", node.name
        return
    if isinstance(node, nodes.Getattr):
        owner = node.node.name if isinstance(node.node, nodes.Name) else ""
        if not ((owner == "loop" and node.attr in LOOP) or (owner in scope.entries and node.attr in scope.attributes)):
            yield "unknown_field", f"{owner}.{node.attr}" if owner else node.attr
        return
    if isinstance(node, nodes.Filter) and node.name not in FILTERS:
        yield "not_allowed", node.name
    if isinstance(node, nodes.Test) and node.name not in TESTS:
        yield "not_allowed", node.name
    if isinstance(node, nodes.For):
        loops += 1
        listed = isinstance(node.iter, nodes.Name) and node.iter.name in scope.lists
        if loops > 1 or node.recursive or not listed or not isinstance(node.target, nodes.Name):
            yield "not_allowed", "for"
        yield from (fault for child in (*node.body, *node.else_) for fault in _faults(child, scope, loops=loops))
        return
    for child in node.iter_child_nodes():
        yield from _faults(child, scope, loops=loops)


def _is_span(node: nodes.Mul) -> bool:
    """Whether it is the width of merged cells, as the template engine writes it."""
    left, right = node.left, node.right
    width = isinstance(left, nodes.Const) and isinstance(left.value, int) and left.value <= 100
    return width and isinstance(right, nodes.Getattr) and right.attr == "length"
