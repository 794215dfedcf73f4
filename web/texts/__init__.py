"""What pages say, in Chinese and English: every ``*.yaml`` here, ``key: {zh: …, en: …}``."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from errors import SettingsError

LANGUAGES = ("zh", "en")
LANGUAGE_NAMES = {"zh": "中文", "en": "English"}


@cache
def catalogue() -> dict[str, dict[str, str]]:
    """All texts by key. A key stands in one file only, and has both languages.

    Raises:
        SettingsError: it does not.
    """
    texts: dict[str, dict[str, str]] = {}
    for path in sorted(Path(__file__).parent.glob("*.yaml")):
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
