"""Evidence that people enter with a step: fields of its form (``configs/evidence.yaml``) and checks of the values."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from enforcement.field_check.form import read_field_form
from enforcement.settings import BilingualName, StrictModel, read_settings
from enforcement.states import NotAllowed
from enforcement.units import mu
from errors import Reason

FieldKind = Literal["text", "long", "number_of", "date", "choice", "photos", "files", "image"]
FILE_KINDS = ("photos", "files")
AREAS = ("total_m2", "demolished_m2", "regularised_m2")
FINDINGS = "findings"
"""Evidence of the check on the ground: the card of ``configs/field.yaml``."""

FINDINGS_STATE = "field_checked"
"""State that the step with the findings enters."""

_MAX_TEXT = 1500
_LEAST_MU = 1.0
"""Areas up to this are never called implausible: outlines of small alerts are not exact."""
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


class EvidenceRejected(NotAllowed):
    """A value of the evidence is missing or not plausible; the message names each field."""


class EvidenceField(BilingualName):
    """One field; described in ``configs/evidence.yaml``."""

    kind: FieldKind
    least: Annotated[int, Field(ge=0)] = 0
    most: Annotated[int, Field(ge=1)] = _MAX_TEXT
    when: Literal["past", "future", ""] = ""
    hint_zh: str = ""
    hint_en: str = ""


class EvidenceForm(StrictModel):
    """All of ``configs/evidence.yaml``."""

    fields: dict[str, EvidenceField]
    steps: dict[str, tuple[str, ...]]
    every_step: tuple[str, ...]
    empty_words: tuple[str, ...]
    outline_by: tuple[str, ...]

    def optional(self, state: str) -> tuple[str, ...]:
        """Return the fields that the form of a step to ``state`` offers besides the required ones."""
        return (*self.steps.get(state, ()), *self.every_step)

    def says_nothing(self, text: str) -> bool:
        """Whether a text is one of the empty words, or repeats one character."""
        plain = re.sub(r"[\W_]+", "", text.casefold())
        words = {re.sub(r"[\W_]+", "", word.casefold()) for word in self.empty_words}
        return plain in words or len(set(plain)) < 2


@cache
def read_evidence_form(path: Path = Path("evidence.yaml")) -> EvidenceForm:
    """Read ``configs/evidence.yaml``, once per process.

    Raises:
        SettingsError: the file is invalid.
    """
    return read_settings(path, EvidenceForm)


def works_choices() -> dict[str, BilingualName]:
    """Return the states of works by name, as in the findings of ``configs/field.yaml``."""
    return dict(read_field_form().findings["works"].choices)


@dataclass(frozen=True)
class EvidenceLimits:
    """What values are plausible.

    Attributes:
        today: local day.
        area_m2: of the alert.
        area_factor: largest accepted multiple of it.
        correct_days_most: longest time for a correction.
        files_most: largest number of files of one field.
    """

    today: dt.date
    area_m2: float
    area_factor: float = 10.0
    correct_days_most: int = 365
    files_most: int = 20


def check_values(evidence: Mapping[str, Any], limits: EvidenceLimits) -> dict[str, Any]:
    """Return the evidence with its values checked and normalised; files and images are checked where they are stored.

    Empty values are left out: whether a required one is missing says the state table.

    Raises:
        EvidenceRejected: the message names each field, what was found and what is expected.
    """
    form, checked, faults = read_evidence_form(), {}, []
    for name, value in evidence.items():
        if value in (None, "", [], {}) or (isinstance(value, str) and not value.strip()):
            continue
        field = form.fields.get(name)
        if name in AREAS:
            checked[name], fault = _area(name, value, limits)
        elif field is None:
            checked[name], fault = value, None
        else:
            checked[name], fault = _value(form, field, value, limits)
        if fault is not None:
            faults.append(fault)
    if FINDINGS in checked:
        given = checked[FINDINGS]
        checked[FINDINGS] = read_field_form().check(given if isinstance(given, Mapping) else {}, limits.today)
        faults += _findings_areas(checked[FINDINGS], limits)
    faults += _parts(checked)
    if faults:
        raise EvidenceRejected(Reason.combine(faults))
    return checked


def _value(form: EvidenceForm, field: EvidenceField, value: Any, limits: EvidenceLimits) -> tuple[Any, Reason | None]:
    if field.kind in FILE_KINDS or field.kind == "image":
        if field.kind in FILE_KINDS and isinstance(value, Sequence) and len(value) > limits.files_most:
            return value, _fault(field, str(len(value)), f"at most {limits.files_most} files", "files_most", limits)
        return value, None
    if not isinstance(value, str):
        return value, _fault(field, str(value)[:60], "a text", "text", limits)
    text = value if isinstance(value, Reason) else value.strip()
    if field.kind == "choice":
        plain, choices = text.replace(" ", "_"), works_choices()
        expected = ", ".join(choice.en for choice in choices.values())
        return plain, None if plain in choices else _fault(field, text[:60], expected, "choice", limits)
    if field.kind == "date":
        return text, _date_fault(field, text, limits)
    if len(text) > field.most or "\x00" in text:
        return text, _fault(field, text[:20] + "…", f"at most {field.most} characters", "long", limits)
    if isinstance(text, Reason) and text.code:  # chosen from a list
        return text, None
    if len(text) < field.least or form.says_nothing(text):
        return text, _fault(field, text[:60], "words that a reader can check", "words", limits)
    if field.kind == "number_of" and not any(letter.isdigit() for letter in text):
        return text, _fault(field, text[:60], "a number with digits", "number", limits)
    return text, None


def _date_fault(field: EvidenceField, text: str, limits: EvidenceLimits) -> Reason | None:
    try:
        day = dt.date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None:
        return _fault(field, text[:60], "a date like 2026-12-31", "date", limits)
    if field.when == "past" and not limits.today - dt.timedelta(days=3650) <= day <= limits.today:
        return _fault(field, text, f"a day up to today, {limits.today}", "past", limits)
    last = limits.today + dt.timedelta(days=limits.correct_days_most)
    if field.when == "future" and not limits.today <= day <= last:
        return _fault(field, text, f"a day from {limits.today} to {last}", "future", limits, last=last.isoformat())
    return None


def _area(name: str, value: Any, limits: EvidenceLimits) -> tuple[Any, Reason | None]:
    label = {
        "total_m2": ("应整改面积", "Area to be corrected"),
        "demolished_m2": ("已拆除恢复面积", "Area demolished and restored"),
        "regularised_m2": ("已补办手续面积", "Area regularised"),
    }[name]
    field = EvidenceField(zh=label[0], en=label[1], kind="text")
    numeric = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not numeric or value < 0:
        return value, _fault(field, str(value)[:60], "an area in m², not negative", "area", limits)
    most = limits.area_factor * limits.area_m2
    if value > most:
        expected = f"at most {limits.area_factor:g} times the area of the alert, {limits.area_m2:.0f} m²"
        return value, _fault(field, f"{value:g} m²", expected, "area_most", limits, area=f"{limits.area_m2:.0f}")
    return value, None


def _findings_areas(findings: Mapping[str, Any], limits: EvidenceLimits) -> list[Reason]:
    """Return a fault for each area of the findings that is implausibly larger than the alert."""
    most = max(limits.area_factor * mu(limits.area_m2), _LEAST_MU)
    return [
        Reason(
            f"{field.en}: {findings[name]:g} mu is more than {limits.area_factor:g} times the alert, "
            f"{mu(limits.area_m2):.2f} mu; check the unit.",
            "evidence.findings_area",
            name=field.zh,
            found=f"{findings[name]:g}",
            factor=f"{limits.area_factor:g}",
            area=f"{mu(limits.area_m2):.2f}",
        )
        for name, field in read_field_form().findings.items()
        if field.kind == "number" and findings.get(name, 0.0) > most
    ]


def _parts(checked: Mapping[str, Any]) -> list[Reason]:
    total, *parts = (checked.get(name) for name in AREAS)
    numbers = [part for part in parts if isinstance(part, int | float) and not isinstance(part, bool)]
    if not isinstance(total, int | float) or not numbers or round(sum(numbers) - total, 2) <= 0:
        return []
    corrected = round(sum(numbers), 2)
    message = f"{corrected:g} m² are corrected, more than the whole, {total:g} m²."
    return [Reason(message, "evidence.parts", corrected=corrected, total=total)]


def _fault(field: EvidenceField, found: str, expected: str, code: str, limits: EvidenceLimits, **values: Any) -> Reason:
    return Reason(
        f"{field.en}: found {found!r}, expected {expected}.",
        f"evidence.value_{code}",
        name=field.zh,
        found=found,
        most=field.most if code == "long" else limits.files_most,
        today=limits.today.isoformat(),
        factor=f"{limits.area_factor:g}",
        **values,
    )
