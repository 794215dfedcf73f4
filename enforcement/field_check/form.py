"""Form of the check on the ground (``configs/field.yaml``), and the validation of findings against it."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from enforcement.settings import BilingualName, StrictModel, read_settings
from enforcement.states import NAME, read_states
from errors import TubanError

MAX_TEXT = 1000
_MAX_MU = 1_000_000.0


FieldKind = Literal["choice", "text", "number", "date", "flag"]


class InvalidFindings(TubanError):  # noqa: N818  (an answer to a person, not a malfunction)
    """A field of the findings is missing or invalid; the message names it."""


class Shot(BilingualName):
    """Kind of photo; ``advised``: how many the page asks for."""

    advised: Annotated[int, Field(ge=0, le=20)] = 0
    hint_zh: str = ""
    hint_en: str = ""


class FindingField(BilingualName):
    """Field of the findings; described in ``configs/field.yaml``."""

    kind: FieldKind
    required: bool = False
    choices: dict[str, BilingualName] = Field(default_factory=dict)
    at_most: str = ""
    only_if: str = ""
    hint_zh: str = ""
    hint_en: str = ""


class FieldForm(StrictModel):
    """All of ``configs/field.yaml``."""

    states: tuple[str, ...]
    submit_from: tuple[str, ...]
    shots: Annotated[dict[Annotated[str, NAME], Shot], Field(min_length=1)]
    findings: dict[Annotated[str, NAME], FindingField]

    @model_validator(mode="after")
    def _validate_references(self) -> FieldForm:
        known = read_states().states
        if unknown := sorted({*self.states, *self.submit_from} - set(known)):
            raise ValueError(f"not a state of states.yaml: {', '.join(unknown)}")
        if missing := sorted({"works"} - set(self.findings)):
            raise ValueError(f"the findings lack {', '.join(missing)}, which the step field_checked requires")
        for name, field in self.findings.items():
            if field.at_most and getattr(self.findings.get(field.at_most), "kind", "") != "number":
                raise ValueError(f"{name}: at_most is {field.at_most}, which is not a number of the findings")
            if field.only_if and getattr(self.findings.get(field.only_if), "kind", "") != "flag":
                raise ValueError(f"{name}: only_if is {field.only_if}, which is not a flag of the findings")
            if (field.kind == "choice") != bool(field.choices):
                raise ValueError(f"{name}: choices belong to the kind choice, which needs some")
        return self

    def check(self, values: Mapping[str, Any], today: dt.date) -> dict[str, Any]:
        """Return valid findings without empty fields.

        Args:
            values: field → value as the page sends it: text, number, true or false, date as YYYY-MM-DD.
            today: local date; dates after it are refused.

        Raises:
            InvalidFindings: the message names the field, what was found and what is expected.
        """
        if unknown := sorted(set(values) - set(self.findings)):
            raise InvalidFindings(
                f"The findings contain unknown fields: {', '.join(unknown)[:200]}.",
                "field.unknown_field",
                names=", ".join(unknown)[:200],
            )
        checked: dict[str, Any] = {}
        for name, field in self.findings.items():
            if field.only_if and not checked.get(field.only_if):
                continue
            value = values.get(name)
            if value is None or (isinstance(value, str) and not value.strip()):
                if field.required:
                    raise InvalidFindings(f"{field.en} is missing.", "field.missing", name=field.zh)
                continue
            checked[name] = self._value(field, value, today)
            if field.at_most and (most := checked.get(field.at_most)) is not None and checked[name] > most:
                whole = self.findings[field.at_most]
                raise InvalidFindings(
                    f"{field.en}: {checked[name]:g} is more than {whole.en}: {most:g}.",
                    "field.more_than_whole",
                    name=field.zh,
                    part=f"{checked[name]:g}",
                    whole=whole.zh,
                    most=f"{most:g}",
                )
        return checked

    @staticmethod
    def _value(field: FindingField, value: Any, today: dt.date) -> Any:
        if field.kind == "choice" and value in field.choices:
            return value
        if field.kind == "flag" and isinstance(value, bool):
            return value
        if field.kind == "text" and isinstance(value, str) and len(value) <= MAX_TEXT and "\x00" not in value:
            return value.strip()
        if field.kind == "number" and _is_number(value) and 0 <= value <= _MAX_MU:
            return round(float(value), 4)
        if field.kind == "date" and isinstance(value, str):
            day = _parse_day(value)
            if day is not None and dt.date(1949, 10, 1) <= day <= today:
                return day.isoformat()
        expected = {
            "choice": ", ".join(choice.en for choice in field.choices.values()),
            "flag": "yes or no",
            "text": f"at most {MAX_TEXT} characters",
            "number": f"a number from 0 to {_MAX_MU:g}",
            "date": f"a day up to {today}",
        }[field.kind]
        given = str(value)[:60]
        raise InvalidFindings(
            f"{field.en}: {given!r} is not allowed; expected {expected}.",
            f"field.expected_{field.kind}",
            name=field.zh,
            given=given,
            today=today.isoformat(),
            most=MAX_TEXT,
        )

    def rows(self, findings: Mapping[str, Any], language: str) -> list[tuple[str, str]]:
        """Return stored findings as label and value in a language, in the order of the form."""
        rows = []
        for name, field in self.findings.items():
            if name not in findings:
                continue
            value = findings[name]
            if field.kind == "choice":
                words = str(getattr(field.choices[value], language)) if value in field.choices else str(value)
            elif field.kind == "flag":
                words = {"zh": "是" if value else "否", "en": "yes" if value else "no"}[language]
            else:
                words = f"{value:g}" if field.kind == "number" else str(value)
            rows.append((str(getattr(field, language)), words))
        return rows


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _parse_day(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None


@cache
def read_field_form(path: Path = Path("field.yaml")) -> FieldForm:
    """Read ``configs/field.yaml``, once per process.

    Raises:
        SettingsError: the file is invalid.
    """
    return read_settings(path, FieldForm)
