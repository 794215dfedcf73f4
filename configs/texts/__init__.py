"""The catalogue of all texts in Chinese and English: pages, evidence sheet and reasons.

Each ``*.yaml`` file here contains ``key: {zh: …, en: …}``. Only ``reasons*.yaml`` contain ``code: Chinese``, because
the English message of a reason is in the code that raises it (:class:`errors.Reason`). YAML instead of gettext: keys
survive a change of wording, scripts get their texts by prefix, and a bureau can edit the files without a compiler.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from configs.texts.plain_messages import chinese_message
from errors import Reason, SettingsError
from errors.reason import ALL

LANGUAGES = ("zh", "en")
_FOLDER = Path(__file__).parent
_REASONS = "reasons*.yaml"
_RENAMED = {"lead": "alert"}
"""Old → new names in stored codes and values. They cannot be migrated where a hash chain protects the row."""

_CHOSEN_REASON = "reason."
"""Prefix of the codes of reasons that users choose when they reject an alert; their texts are in both languages."""

_OWN_WORDS = ".other"
"""Suffix of the code of a reason that is only the user's own words."""

_NOTE = {"zh": "{reason}：{note}", "en": "{reason}: {note}"}

_COUNTED = re.compile(r"\{(\w+)\|([^|{}]*)\|([^|{}]*)\}")
"""A number with its noun: ``{count|alert|alerts}``."""

LANGUAGE_NAMES = {"zh": "中文", "en": "English"}


@cache
def catalogue() -> dict[str, dict[str, str]]:
    """Return all texts by key.

    Raises:
        SettingsError: a key is defined twice, or lacks a language.
    """
    texts: dict[str, dict[str, str]] = {}
    for path in sorted(_FOLDER.glob("*.yaml")):
        if path.match(_REASONS):
            continue
        for key, words in yaml.safe_load(path.read_text("utf-8")).items():
            if key in texts:
                raise SettingsError(f"The text {key} is defined twice, the second time in {path.name}.")
            if not isinstance(words, dict) or set(words) != set(LANGUAGES):
                raise SettingsError(f"The text {key} of {path.name} needs zh and en.")
            texts[key] = {language: str(words[language]) for language in LANGUAGES}
    return texts


def text(key: str, language: str, **values: Any) -> str:
    """Return a text with its ``{placeholders}`` replaced by ``values``.

    ``{count|alert|alerts}`` becomes the number with the noun in the singular or plural.

    Raises:
        KeyError: there is no text with this key.
    """
    words = catalogue()[key][language]
    return _COUNTED.sub(lambda found: _count(found, values), words).format(**values) if values else words


def _count(found: re.Match[str], values: Mapping[str, Any]) -> str:
    name, one, many = found.groups()
    return f"{{{name}}} {one if str(values[name]) == '1' else many}"


def texts(key: str, **values: Any) -> tuple[str, str]:
    """Return one text in Chinese and English, for files that hold both languages.

    Raises:
        KeyError: there is no such text.
    """
    return text(key, "zh", **values), text(key, "en", **values)


def texts_under(prefix: str, language: str) -> dict[str, str]:
    """Return all texts whose key starts with ``prefix.``, by the rest of the key: for the scripts of a page."""
    return {
        key.removeprefix(f"{prefix}."): words[language]
        for key, words in catalogue().items()
        if key.startswith(f"{prefix}.")
    }


@cache
def reason_texts() -> dict[str, str]:
    """Return the Chinese texts of reasons by code, with ``{placeholders}`` for their values.

    Raises:
        SettingsError: a code is defined twice.
    """
    texts: dict[str, str] = {}
    for path in sorted(_FOLDER.glob(_REASONS)):
        for code, words in yaml.safe_load(path.read_text("utf-8")).items():
            if code in texts:
                raise SettingsError(f"The reason {code} is defined twice, the second time in {path.name}.")
            texts[code] = words
    return texts


def translate(reason: Reason, language: str) -> str:
    """Return a reason in a language.

    A reason that a user chose has both languages in the catalogue, and possibly a ``note`` in the user's own words. All
    others have a Chinese text by their code, and their message is English; errors without a code have one by their
    message. Without a text, the message is returned.
    """
    if reason.code.startswith(_CHOSEN_REASON) and reason.code in catalogue():
        return _chosen_reason(reason.code, str(reason.values.get("note", "")), language)
    return _chinese(str(reason), reason.to_json()) if language == "zh" else str(reason)


def _chosen_reason(code: str, note: str, language: str) -> str:
    if note and code.endswith(_OWN_WORDS):
        return note
    words = text(code, language)
    return _NOTE[language].format(reason=words, note=note) if note else words


def _chinese(message: str, data: Mapping[str, Any]) -> str:
    values = {
        _RENAMED.get(name, name): _chinese_value(value) for name, value in data.items() if name not in ("code", "words")
    }
    for name, of, (positive, negative) in (("lon", "longitude", "东西"), ("lat", "latitude", "北南")):
        if isinstance(degrees := values.get(name), int | float):
            line = "经" if name == "lon" else "纬"
            values[of] = f"{positive if degrees >= 0 else negative}{line} {abs(degrees):.5f}"
    code = str(data.get("code", ""))
    if code == ALL:
        return str(values["reasons"])
    group, dot, rest = code.partition(".")
    template = reason_texts().get(_RENAMED.get(group, group) + dot + rest)
    try:
        return chinese_message(message) if template is None else template.format(**values)
    except (KeyError, ValueError):  # stored by another version
        return message


def _chinese_value(value: Any) -> Any:
    if isinstance(value, list):
        words = [str(_chinese_value(item)) for item in value]
        return "；".join([*(word.removesuffix("。") for word in words[:-1]), *words[-1:]])
    return _chinese(str(value.get("words", "")), value) if isinstance(value, dict) else value
