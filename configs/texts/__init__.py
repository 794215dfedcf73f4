"""The one catalogue of texts in Chinese and English: pages, evidence sheet, report and reasons.

Every ``*.yaml`` here holds ``key: {zh: …, en: …}``; only ``reasons.yaml`` holds ``code: Chinese``, because the English
words of a reason stand in the code that gives it (:class:`errors.Reason`). YAML and not gettext: keys survive a change
of wording, scripts of pages get their texts by prefix, and a bureau can edit the files without a compiler.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from errors import Reason, SettingsError
from errors.reason import ALL

LANGUAGES = ("zh", "en")
_FOLDER = Path(__file__).parent
_REASONS = "reasons.yaml"
_FORMER = {"lead": "alert"}
"""Names in codes and facts that earlier versions stored, some of them in rows whose hash forbids to rewrite them."""

LANGUAGE_NAMES = {"zh": "中文", "en": "English"}


@cache
def catalogue() -> dict[str, dict[str, str]]:
    """All texts by key. A key stands in one file only, and has both languages.

    Raises:
        SettingsError: it does not.
    """
    texts: dict[str, dict[str, str]] = {}
    for path in sorted(_FOLDER.glob("*.yaml")):
        if path.name == _REASONS:
            continue
        for key, words in yaml.safe_load(path.read_text("utf-8")).items():
            if key in texts:
                raise SettingsError(f"The text {key} stands twice, the second time in {path.name}.")
            if not isinstance(words, dict) or set(words) != set(LANGUAGES):
                raise SettingsError(f"The text {key} of {path.name} needs zh and en.")
            texts[key] = {language: str(words[language]) for language in LANGUAGES}
    return texts


def text(key: str, language: str, **values: Any) -> str:
    """One text, its ``{names}`` filled with ``values``.

    Raises:
        KeyError: there is no such text.
    """
    words = catalogue()[key][language]
    return words.format(**values) if values else words


def texts_under(prefix: str, language: str) -> dict[str, str]:
    """All texts whose key begins with ``prefix.``, without it: for scripts of a page."""
    return {
        key.removeprefix(f"{prefix}."): words[language]
        for key, words in catalogue().items()
        if key.startswith(f"{prefix}.")
    }


@cache
def reason_texts() -> dict[str, str]:
    """Chinese texts of reasons by code, with ``{names}`` of their values."""
    texts: dict[str, str] = yaml.safe_load((_FOLDER / _REASONS).read_text("utf-8"))
    return texts


def translate(reason: Reason, language: str) -> str:
    """Return a reason in ``zh``, where its text is known; else its English words."""
    return _chinese(str(reason), reason.to_json()) if language == "zh" else str(reason)


def _chinese(words: str, told: Mapping[str, Any]) -> str:
    given = {_FORMER.get(name, name): _inner(value) for name, value in told.items() if name not in ("code", "words")}
    code = str(told.get("code", ""))
    if code == ALL:
        return str(given["reasons"])
    group, dot, rest = code.partition(".")
    text = reason_texts().get(_FORMER.get(group, group) + dot + rest)
    try:
        return words if text is None else text.format(**given)
    except (KeyError, ValueError):  # stored by another version
        return words


def _inner(value: Any) -> Any:
    if isinstance(value, list):
        return "；".join(str(_inner(one)) for one in value)
    return _chinese(str(value.get("words", "")), value) if isinstance(value, dict) else value
