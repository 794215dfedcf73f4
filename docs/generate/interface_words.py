"""Interface texts in guides: ``[[nav.map]]`` becomes the label shown by the pages, in the language of the guide."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import yaml
from rooms import ROOT

_PLACEHOLDER = re.compile(r"\[\[([a-z]+:)?([a-z0-9_.]+)\]\]")

_STEPS = "<!-- steps -->"


class UnknownPlaceholderError(Exception):
    """A page uses a text that exists neither in the catalogue nor in ``configs/states.yaml``."""


@cache
def _texts() -> dict[str, dict[str, str]]:
    return {
        key: translations
        for path in sorted(ROOT.glob("*/texts/*.yaml"))
        for key, translations in yaml.safe_load(path.read_text("utf-8")).items()
    }


@cache
def _table(name: str) -> Any:
    return yaml.safe_load((ROOT / "configs" / "states.yaml").read_text("utf-8"))[name]


def transitions_table(language: str) -> str:
    """Return the transitions of ``configs/states.yaml`` with roles, required evidence and deadlines as a table."""
    headers = {
        "en": "| from | to | by | required evidence | working days |",
        "zh": "| 当前状态 | 变更为 | 由谁办理 | 须填报 | 工作日内 |",
    }
    comma = {"en": ", ", "zh": "、"}[language]
    states, roles = _table("states"), _table("roles")
    lines = [headers[language], "| --- | --- | --- | --- | --- |"]
    for transition in _table("transitions"):
        sources = [transition["from"]] if isinstance(transition["from"], str) else transition["from"]
        evidence = [_texts()[f"review.evidence.{name}"][language] for name in transition.get("evidence", ())]
        cells = (
            comma.join(states[name][language] for name in sources),
            states[transition["to"]][language],
            comma.join(roles[name][language] for name in transition["by"]),
            comma.join(re.sub(r"\s*[(（].*", "", text) for text in evidence),
            str(transition.get("within", "")),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def fill_placeholders(markdown: str, language: str) -> str:
    """Replace placeholders by interface texts in bold.

    ``[[key]]`` is a text of the catalogue, ``[[state:name]]`` and ``[[role:name]]`` are names in
    ``configs/states.yaml``, and ``<!-- steps -->`` is the table of its transitions.

    Raises:
        UnknownPlaceholderError: a text does not exist.
    """

    def replace(match: re.Match[str]) -> str:
        table, key = match.groups()
        found = _table(f"{table[:-1]}s").get(key) if table else _texts().get(key)
        if found is None:
            raise UnknownPlaceholderError(f"{match.group(0)} is neither in configs/texts nor in configs/states.yaml.")
        return f"**{str(found[language]).rstrip('…')}**"

    if _STEPS in markdown:
        markdown = markdown.replace(_STEPS, transitions_table(language))
    return _PLACEHOLDER.sub(replace, markdown)
