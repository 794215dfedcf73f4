"""Language of what commands print: Chinese if TUBAN_LANGUAGE or the locale says so, else English.

English is in the code, Chinese in ``configs/texts``: messages in ``reasons*.yaml``, help in ``help``. JSON is English.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from rich.table import Table

from configs.texts import catalogue, reason_texts, text, translate
from enforcement.states import read_states
from errors import Reason

VARIABLE = "TUBAN_LANGUAGE"


def language() -> str:
    """Return ``zh`` or ``en``: of TUBAN_LANGUAGE, else of LC_ALL, LC_MESSAGES or LANG."""
    variables = (VARIABLE, "LC_ALL", "LC_MESSAGES", "LANG")
    chosen = next((os.environ[name] for name in variables if os.environ.get(name)), "")
    return "zh" if chosen.strip().lower().startswith("zh") else "en"


def say(message: str, code: str, **values: Any) -> str:
    """Return a message in the language; ``code`` and ``values`` are those of a :class:`errors.Reason`."""
    return translate(Reason(message, code, **values), language())


def in_language(message: str, code_and_values: Mapping[str, Any] | None = None) -> str:
    """Return a reason in the language; any other text unchanged."""
    reason = message if isinstance(message, Reason) else Reason.from_json(message, code_and_values)
    return translate(reason, language())


def term(prefix: str, name: str) -> str:
    """Return the name of a state or kind: that of the catalogue in Chinese, the name itself in English.

    Args:
        prefix: group of the catalogue, like ``job``, or the beginning of its keys, like ``nights.state_``.
        name: as stored.
    """
    key = f"{prefix}.{name}" if "." not in prefix else f"{prefix}{name}"
    return text(key, "zh") if language() == "zh" and key in catalogue() else name


def head(name: str) -> str:
    """Return the heading of a column."""
    return reason_texts().get(f"head.{name.replace(' ', '_')}", name) if language() == "zh" else name


def headed(*names: str) -> Table:
    """Return a table with headings."""
    return Table(*map(head, names))


def and_more(count: int) -> str:
    """Return how many further entries are not listed."""
    return say(f"… and {count:,} more", "cli.and_more", count=count)


def role_name(name: str) -> str:
    """Return the name of a role: as on the pages in Chinese, the role itself in English."""
    role = read_states().roles.get(name)
    return role.zh if role is not None and language() == "zh" else name


def state_name(name: str) -> str:
    """Return the name of an alert's state: as on the pages in Chinese, the state itself in English."""
    state = read_states().states.get(name)
    return state.zh if state is not None and language() == "zh" else name
