"""Docstrings as Markdown: roles like ``:func:`name` `` become code, examples become blocks of code."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

_ROLE = re.compile(r":[a-z]+:`~?([^`]+)`")
_EXAMPLE = re.compile(r"^>>> .*(?:\n.+)*", re.MULTILINE)


class DocstringRoles(Extension):
    """Change the docstring of every object that is read."""

    def on_package(self, *, pkg: Object, **_: Any) -> None:
        """Change that of a top-level package, for which no other event comes."""
        self.on_object(obj=pkg)

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Put Markdown in the place of roles and examples."""
        if obj.docstring is not None:
            text = _ROLE.sub(r"`\1`", obj.docstring.value)
            obj.docstring.value = _EXAMPLE.sub(_fenced, text)


def _fenced(example: re.Match[str]) -> str:
    return f"```pycon\n{re.sub(r' *# doctest:.*', '', example.group(0))}\n```"
