"""Words of the interface in guides: ``[[nav.map]]`` becomes what the pages say, in the language of the guide."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import yaml
from rooms import ROOT

_ASKED = re.compile(r"\[\[([a-z]+:)?([a-z0-9_.]+)\]\]")

_STEPS = "<!-- steps -->"


class UnknownWords(Exception):  # noqa: N818  (what is asked for is unknown, the page says which)
    """A page asks for a text that neither the catalogue nor ``configs/states.yaml`` has."""


@cache
def _texts() -> dict[str, dict[str, str]]:
    return {
        key: words
        for path in sorted(ROOT.glob("*/texts/*.yaml"))
        for key, words in yaml.safe_load(path.read_text("utf-8")).items()
    }


@cache
def _table(name: str) -> Any:
    return yaml.safe_load((ROOT / "configs" / "states.yaml").read_text("utf-8"))[name]


def table_of_steps(language: str) -> str:
    """Every step of ``configs/states.yaml``: from, to, who, what must be given, in how many working days."""
    heads = {
        "en": "| from | to | by | to be given | working days |",
        "zh": "| 当前状态 | 变更为 | 由谁办理 | 须填报 | 工作日内 |",
    }
    comma = {"en": ", ", "zh": "、"}[language]
    states, roles = _table("states"), _table("roles")
    lines = [heads[language], "| --- | --- | --- | --- | --- |"]
    for step in _table("transitions"):
        come_from = [step["from"]] if isinstance(step["from"], str) else step["from"]
        given = [_texts()[f"review.evidence.{name}"][language] for name in step.get("evidence", ())]
        cells = (
            comma.join(states[name][language] for name in come_from),
            states[step["to"]][language],
            comma.join(roles[name][language] for name in step["by"]),
            comma.join(re.sub(r"\s*[(（].*", "", words) for words in given),
            str(step.get("within", "")),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def filled(markdown: str, language: str) -> str:
    """Put the words in, in bold.

    ``[[key]]`` is a text of the catalogue, ``[[state:name]]`` and ``[[role:name]]`` are of ``configs/states.yaml``, and
    ``<!-- steps -->`` is the table of its transitions.

    Raises:
        UnknownWords: there are none.
    """

    def words(asked: re.Match[str]) -> str:
        table, key = asked.groups()
        found = _table(f"{table[:-1]}s").get(key) if table else _texts().get(key)
        if found is None:
            raise UnknownWords(f"{asked.group(0)} is neither in the catalogue of texts nor in configs/states.yaml.")
        return f"**{str(found[language]).rstrip('…')}**"

    if _STEPS in markdown:
        markdown = markdown.replace(_STEPS, table_of_steps(language))
    return _ASKED.sub(words, markdown)
