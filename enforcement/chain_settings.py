"""Settings of the enforcement chain that an administrator may change: definitions of ``configs/chain/*.yaml``.

A definition gives the default, the allowed values, and the labels in both languages. Changed values are kept in the
database (:mod:`store.chain_settings`); :class:`ChainValues` reads a value by its name and type.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

import configs
from configs import format_validation_errors
from enforcement.settings import BilingualName
from errors import SettingsError

Value = bool | int | float | str
_YES, _NO = ("true", "on", "1", "yes"), ("false", "off", "0", "no", "")


class ChainSetting(BilingualName):
    """What one setting may be; the fields are described in ``configs/chain/steps.yaml``."""

    kind: Literal["flag", "whole", "number", "text", "choice"]
    default: bool | int | float | str
    least: float | None = None
    most: float | None = None
    choices: Annotated[dict[str, BilingualName], Field(default_factory=dict)]
    pattern: str = ""
    longest: Annotated[int, Field(ge=1, le=2000)] = 200
    hint: BilingualName | None = None
    unit: BilingualName | None = None

    @model_validator(mode="after")
    def _validate_default(self) -> ChainSetting:
        self.check("default", self.default)
        return self

    def check(self, key: str, value: Any) -> Value:
        """Return a value of the setting's type.

        Raises:
            SettingsError: the message says what was found and what is expected.
        """
        fits = {
            "flag": lambda: isinstance(value, bool),
            "whole": lambda: isinstance(value, int) and not isinstance(value, bool) and self._in_range(value),
            "number": lambda: (
                isinstance(value, int | float) and not isinstance(value, bool) and self._in_range(float(value))
            ),
            "text": lambda: isinstance(value, str) and self._fits_text(value),
            "choice": lambda: value in self.choices,
        }[self.kind]()
        if not fits:
            raise self._invalid(key, value)
        return float(value) if self.kind == "number" else value

    def parse(self, key: str, words: str) -> Value:
        """Return the value of a form field.

        Raises:
            SettingsError: as :meth:`check`.
        """
        words = words.strip()
        value: Any = words
        if self.kind == "flag":
            value = True if words.lower() in _YES else False if words.lower() in _NO else words
        elif self.kind in ("whole", "number"):
            try:
                value = int(words) if self.kind == "whole" else float(words)
            except ValueError:
                raise self._invalid(key, words) from None
        return self.check(key, value)

    def expected(self, language: str) -> str:
        """Return the allowed values in words."""
        if self.kind == "choice":
            return ("、" if language == "zh" else ", ").join(getattr(name, language) for name in self.choices.values())
        if self.kind in ("whole", "number"):
            low, high = (f"{bound:g}" if bound is not None else "…" for bound in (self.least, self.most))
            return f"{low}–{high}"
        if self.kind == "flag":
            return "是、否" if language == "zh" else "yes, no"
        return f"≤ {self.longest}" + (f", {self.pattern}" if self.pattern else "")

    def _in_range(self, value: float) -> bool:
        if value != value or value in (float("inf"), float("-inf")):
            return False
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)

    def _fits_text(self, value: str) -> bool:
        if len(value) > self.longest or not all(c.isprintable() or c == "\n" for c in value):
            return False
        return not self.pattern or re.fullmatch(self.pattern, value) is not None

    def _invalid(self, key: str, value: Any) -> SettingsError:
        given = str(value)[:60]
        return SettingsError(
            f"{self.en}: {given!r} is not allowed; expected {self.expected('en')} ({key}).",
            "chain.value",
            name=self.zh,
            given=given,
            expected=self.expected("zh"),
        )


@cache
def read_chain_definitions() -> dict[str, ChainSetting]:
    """Read the definitions of all chain settings by key, once per process.

    A file of the same name under ``chain/`` in the working directory replaces the shipped one.

    Raises:
        SettingsError: a file is invalid, or two of them define the same setting.
    """
    found: dict[str, ChainSetting] = {}
    for shipped in sorted((configs.FOLDER / "chain").glob("*.yaml")):
        content = configs.read_yaml(Path("chain") / shipped.name)
        for key, entry in content.items():
            if key in found:
                raise SettingsError(f"The chain setting {key} is defined twice, the second time in {shipped.name}.")
            if not re.fullmatch(r"[a-z_]{1,20}\.[a-z0-9_]{1,38}", key):
                raise SettingsError(f"{shipped.name}: {key!r} is not a name of a setting; expected subject.name.")
            try:
                found[key] = ChainSetting.model_validate(entry)
            except (ValidationError, yaml.YAMLError) as error:
                words = format_validation_errors(error) if isinstance(error, ValidationError) else str(error)
                raise SettingsError(f"The chain setting {key} in {shipped.name} is invalid: {words}") from error
    return found


def definition_of(key: str) -> ChainSetting:
    """Return the definition of a setting.

    Raises:
        SettingsError: there is no such setting.
    """
    found = read_chain_definitions().get(key)
    if found is None:
        raise SettingsError(f"There is no chain setting {key[:60]!r}.", "chain.unknown", key=key[:60])
    return found


class ChainValues:
    """The values in effect: changed ones over the defaults. A changed value that is no longer allowed is ignored."""

    def __init__(self, changed: Mapping[str, Any] | None = None) -> None:
        """``changed``: values of the database by key."""
        self._changed = dict(changed or {})

    def value(self, key: str) -> Value:
        """Return a value.

        Raises:
            SettingsError: there is no such setting.
        """
        setting = definition_of(key)
        if key in self._changed:
            try:
                return setting.check(key, self._changed[key])
            except SettingsError:
                pass  # the definition has changed since; the default is safe
        return setting.check(key, setting.default)

    def flag(self, key: str) -> bool:
        """Return the value of a flag."""
        return bool(self.value(key))

    def whole(self, key: str) -> int:
        """Return the value of a whole number."""
        return int(self.value(key))

    def number(self, key: str) -> float:
        """Return the value of a number."""
        return float(self.value(key))

    def text(self, key: str) -> str:
        """Return the value of a text or choice."""
        return str(self.value(key))
