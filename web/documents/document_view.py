"""A document as the pages show it: fields with labels, the checklist, what may be done with it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from enforcement.documents.kinds import DocumentKind, read_documents
from enforcement.documents.values import alert_values
from enforcement.offered_steps import offered_steps
from enforcement.states import read_states
from store.access.rights import Viewer
from store.alerts.transitions import steps_of
from store.documents.alert_words import ISSUED, alert_facts, alert_words, bureau_of
from store.documents.found import Found, as_found, documents_of, may_act, step_evidence
from store.documents.steps import FILLED
from store.schema.database import Session
from store.schema.tables import AlertRow

FIELD, ENCLOSURE = "f_", "e_"
"""Prefixes of the names of inputs: fields, and entries of the checklist (``e_0_name``)."""

SPARE_ENCLOSURES = 2
"""Empty lines of the checklist for further enclosures."""


def form_fields(kind: DocumentKind, data: Mapping[str, Any], language: str) -> list[dict[str, Any]]:
    """Return the inputs of a kind with their labels and values."""
    settings = read_documents()
    return [
        {
            "name": name,
            "input": f"{FIELD}{name}",
            "label": str(getattr(settings.fields[name], language)),
            "kind": settings.fields[name].kind,
            "most": settings.fields[name].most,
            "required": name in kind.required,
            "value": data.get(name, ""),
        }
        for name in kind.fields
    ]


def read_form(form: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data of a sent form, as :func:`enforcement.documents.values.check_data` expects them."""
    given: dict[str, Any] = {name[len(FIELD) :]: str(value) for name, value in form.items() if name.startswith(FIELD)}
    numbers = sorted({int(parts[1]) for name in form if (parts := name.split("_")) and _is_entry(parts)})
    if numbers:
        given["enclosures"] = [
            {
                "name": form.get(f"e_{number}_name", ""),
                "copies": form.get(f"e_{number}_copies", 1),
                "remark": form.get(f"e_{number}_remark", ""),
                "ticked": f"e_{number}_ticked" in form,
            }
            for number in numbers
        ]
    return given


def _is_entry(parts: list[str]) -> bool:
    return len(parts) == 3 and parts[0] == "e" and parts[1].isascii() and parts[1].isdigit() and len(parts[1]) < 4


def enclosure_lines(data: Mapping[str, Any], *, editable: bool) -> list[dict[str, Any]]:
    """Return the lines of the checklist, with empty ones at the end if it can be changed."""
    lines = [dict(entry) for entry in data.get("enclosures", ())]
    empty = {"name": "", "copies": 1, "remark": "", "ticked": False, "required": False}
    return lines + [dict(empty) for _ in range(SPARE_ENCLOSURES if editable else 0)]


def filled_in(session: Session, found: Found, zone: dt.tzinfo, language: str) -> list[tuple[str, str]]:
    """Return label and value of what the program fills in: of an issued document as it was at issue."""
    settings = read_documents()
    values = found.row.data.get(FILLED)
    if values is None:
        words = alert_words(session, found.alert, alert_facts(session, found.alert, zone))
        values = alert_values(settings, words, bureau_of(session, settings, found.alert.county_code))
    return [
        (str(getattr(label, language)), str(values[name]))
        for name, label in settings.values.items()
        if isinstance(values.get(name), str) and values[name].strip()
    ]


def possible_steps(found: Found, viewer: Viewer) -> list[str]:
    """List the steps that a viewer may take: save, check, issue, serve, reply, void."""
    row = found.row
    if not may_act(found, viewer):
        return []
    own = viewer.login in (row.drafted_by, row.changed_by)
    steps = {
        "draft": ["save", *([] if own else ["check"]), "void"],
        "checked": ["save", "issue", "void"],
        "issued": ["serve", *(["reply"] if found.kind.reply else []), "void"],
        "served": [*(["reply"] if found.kind.reply else []), "void"],
        "replied": ["void"],
    }
    return steps.get(row.state, [])


def alert_step(session: Session, found: Found, viewer: Viewer, language: str) -> dict[str, Any] | None:
    """Return the step of the alert that an issued document serves as evidence of, if the viewer may take it now.

    Returns:
        ``to``, ``verb``, and ``complete``: whether the document holds all evidence that the step requires.
    """
    evidence, table = step_evidence(found), read_states()
    if not evidence:
        return None
    alert = found.alert
    history = [(step.to_state, step.who) for step in steps_of(session, alert)]
    for step in offered_steps(table, alert.state, viewer.roles, viewer.login, history):
        rule = table.rule(alert.state, step.to)
        if rule is not None and set(rule.evidence) & set(evidence):
            complete = set(rule.evidence) <= set(evidence) and not rule.balanced
            return {"to": step.to, "verb": table.verb(alert.state, step.to, language), "complete": complete}
    return None


def suggested_evidence(session: Session, alert: AlertRow) -> list[dict[str, str]]:
    """Return the evidence that the issued documents of an alert hold, newest first, for the form of a step."""
    kinds = read_documents().kinds
    rows = [row for row in documents_of(session, alert.id) if row.state in ISSUED and row.kind in kinds]
    return [evidence for row in rows if (evidence := step_evidence(as_found(row, alert)))]
