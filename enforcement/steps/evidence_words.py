"""Evidence of steps in words: label, value and files of each entry, for the log, the evidence sheet and exports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from configs.texts import text, texts_under
from enforcement.field_check.form import read_field_form
from enforcement.steps.evidence_form import AREAS, FILE_KINDS, FINDINGS, read_evidence_form, works_choices
from enforcement.units import mu

_INTERNAL = (
    *("verdict", "place", "why", "undoes", "into", "from", "into_was", "check", "scan", "change", "agreed"),
    *("together", "drawn", "image"),
)
"""Keys that the service writes for itself, or that the log shows in its own words."""


@dataclass(frozen=True)
class EvidenceWords:
    """One entry of the evidence of a step.

    Attributes:
        name: key in the evidence.
        label: in the reader's language.
        words: value in words; "" if it consists of files only.
        files: ``{"file", "sha256", "name", "type", "size"}`` of each file.
        image: ``{"image", "date", "source", "name", "sha256"}`` of a later image; None: there is none.
    """

    name: str
    label: str
    words: str
    files: tuple[Mapping[str, Any], ...] = ()
    image: Mapping[str, Any] | None = None


def evidence_in_words(evidence: Mapping[str, Any], language: str, *, reason_shown: bool = True) -> list[EvidenceWords]:
    """Return the entries of a transition's evidence in the order of ``configs/evidence.yaml``.

    Args:
        evidence: of the transition.
        language: ``zh`` or ``en``.
        reason_shown: whether the reason is left out, because the log shows it with the step.
    """
    form = read_evidence_form()
    entries = []
    for name, field in form.fields.items():
        value = evidence.get(name)
        if value in (None, "", [], {}) or (name == "reason" and reason_shown):
            continue
        label = str(getattr(field, language))
        if field.kind in FILE_KINDS:
            entries.append(_files(name, label, value))
        elif field.kind == "image":
            entries.append(_image(name, label, value, language))
        elif field.kind == "choice":
            choice = works_choices().get(str(value).replace(" ", "_"))
            entries.append(EvidenceWords(name, label, str(getattr(choice, language)) if choice else str(value)))
        else:
            entries.append(EvidenceWords(name, label, str(value)))
    entries += _areas(evidence, language)
    findings = evidence.get(FINDINGS)
    if isinstance(findings, Mapping):
        rows = read_field_form().rows({k: v for k, v in findings.items() if k != "works"}, language)
        entries += [EvidenceWords(FINDINGS, label, words) for label, words in rows]
    known = {*form.fields, *AREAS, FINDINGS, *_INTERNAL}
    others = [(name, value) for name, value in evidence.items() if name not in known]
    return entries + [
        EvidenceWords(name, _label(name, language), str(value)[:300])
        for name, value in others
        if value not in (None, "")
    ]


def latest_evidence(steps: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the latest value of each entry of several steps, oldest first, without what the service writes."""
    latest: dict[str, Any] = {}
    for evidence in steps:
        latest |= {name: value for name, value in evidence.items() if name not in _INTERNAL}
    return latest


def _label(name: str, language: str) -> str:
    """Return the label of a fact that the service recorded; the name itself where there is none."""
    return texts_under("evidence.fact", language).get(name, name)


def _files(name: str, label: str, value: Any) -> EvidenceWords:
    listed = value if isinstance(value, list) else [value]
    files = tuple(entry for entry in listed if isinstance(entry, Mapping) and "file" in entry)
    # names that earlier versions stored as text
    words = "; ".join(str(entry) for entry in listed if not isinstance(entry, Mapping))
    return EvidenceWords(name, label, words[:500], files)


def _image(name: str, label: str, value: Any, language: str) -> EvidenceWords:
    if isinstance(value, Mapping) and "photos" in value:
        words = text("evidence.photos_instead", language)
        return EvidenceWords(name, label, words, tuple(value["photos"]))
    if not isinstance(value, Mapping):
        return EvidenceWords(name, label, str(value)[:300])
    source = str(value.get("source") or "")
    parts = (value.get("date"), text(f"review.source.{source}", language) if source else "", value.get("name"))
    return EvidenceWords(name, label, " · ".join(str(part) for part in parts if part), (), value)


def _areas(evidence: Mapping[str, Any], language: str) -> list[EvidenceWords]:
    unit = text("alert.mu", language)
    return [
        EvidenceWords(name, text(f"evidence.{name}", language), f"{value:,.2f} m² ({mu(float(value)):,.2f} {unit})")
        for name in AREAS
        if isinstance(value := evidence.get(name), int | float) and not isinstance(value, bool)
    ]
