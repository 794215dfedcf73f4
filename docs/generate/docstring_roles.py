"""Griffe extension: convert roles like ``:func:`name` `` and examples in docstrings to Markdown."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

_ROLE = re.compile(r":[a-z]+:`~?([^`]+)`")
_EXAMPLE = re.compile(r"^>>> .*(?:\n.+)*", re.MULTILINE)


class DocstringRoles(Extension):
    """Convert the docstring of every documented object."""

    def on_package(self, *, pkg: Object, **_: Any) -> None:
        """Convert the docstring of a top-level package, for which griffe emits no object event."""
        self.on_object(obj=pkg)

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Replace roles and examples by Markdown."""
        if obj.docstring is not None:
            text = _ROLE.sub(r"`\1`", obj.docstring.value)
            obj.docstring.value = _EXAMPLE.sub(_fenced, text)


def _fenced(example: re.Match[str]) -> str:
    return f"```pycon\n{re.sub(r' *# doctest:.*', '', example.group(0))}\n```"
