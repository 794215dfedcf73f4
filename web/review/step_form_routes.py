"""The form of a step: its fields with labels, limits and choices, files that wait, and images of a recheck."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse

from configs.texts import text
from enforcement.chain_settings import ChainValues
from enforcement.field_check.form import read_field_form
from enforcement.offered_steps import offered_step, offered_steps
from enforcement.settings import BilingualName
from enforcement.states import read_states
from enforcement.steps.evidence_form import (
    AREAS,
    FILE_KINDS,
    FINDINGS,
    FINDINGS_STATE,
    EvidenceField,
    read_evidence_form,
    works_choices,
)
from enforcement.units import mu
from store.access.rights import Viewer
from store.alerts.transitions import steps_of
from store.chain_settings import read_chain_values
from store.evidence.evidence_files import pending_files
from store.evidence.step_evidence import later_images, photos_least
from store.schema.database import Session
from store.schema.tables import AlertRow
from web.auth.authentication import CurrentUser, Service
from web.auth.authorized_lookup import alert_of
from web.documents.document_view import suggested_evidence
from web.http_errors import NotFound
from web.page import language_of
from web.review.evidence_file_routes import file_info
from web.review.place_image_routes import image_data

router = APIRouter(include_in_schema=False)


class _Step(NamedTuple):
    """The states that a step enters, the evidence that it requires, and whether the areas have to balance."""

    states: tuple[str, ...]
    evidence: tuple[str, ...]
    balanced: bool


@router.get("/alerts/{number}/form")
def step_form(
    request: Request, context: Service, viewer: CurrentUser, number: str, to: Annotated[str, Query(max_length=20)] = ""
) -> JSONResponse:
    """Return the form of a step that the user may take now, without ``to`` the steps; 404: the step is not offered."""
    language, zone = language_of(request), context.settings.zone
    root, today = context.settings.path_prefix, context.clock().astimezone(context.settings.zone).date()
    with context.database.read() as session:
        alert = alert_of(session, viewer, number)
        if not to:
            return JSONResponse({"steps": _steps(session, alert, viewer)})
        step = _offered(session, alert, viewer, to)
        values = read_chain_values(session)
        images = later_images(session, alert, zone) if "later_image" in step.evidence else []
        pending = pending_files(session, alert.id, viewer.login)
        latest = _latest_areas(session, alert)
        documents = suggested_evidence(session, alert)
        files = [file_info(root, number, file).model_dump(mode="json") for file in pending]
        fields = [
            _field(name, name in step.evidence, language, today, values, can_choose=bool(images))
            for name in _names(step)
        ]
    if FINDINGS_STATE in step.states:
        for field in fields:
            if field and field["name"] == "photos":
                field["least"] = photos_least(values)
    if step.balanced:
        fields = [*_areas(alert, latest, language), *fields]
    return JSONResponse(
        {
            "to": to,
            "title": read_states().verb(alert.state, to, language),
            "fields": [field for field in fields if field],
            "findings": _findings(language, today) if FINDINGS_STATE in step.states else [],
            "images": [image_data(image, root, number, language) for image in images],
            "pending": files,
            "upload": f"{root}/api/alerts/{number}/files",
            "file_bytes": values.whole("evidence.file_mib") * 2**20,
            "files_most": values.whole("evidence.files_most"),
            "documents": documents,
            "alert": {"number": number, "area_m2": round(alert.area_m2, 1), "mu": round(mu(alert.area_m2), 2)},
            "area_factor": values.number("evidence.area_factor"),
        }
    )


def _steps(session: Session, alert: AlertRow, viewer: Viewer) -> list[str]:
    history = [(step.to_state, step.who) for step in steps_of(session, alert)]
    return [step.to for step in offered_steps(read_states(), alert.state, viewer.roles, viewer.login, history)]


def _offered(session: Session, alert: AlertRow, viewer: Viewer, to: str) -> _Step:
    table, history = read_states(), [(step.to_state, step.who) for step in steps_of(session, alert)]
    states = offered_step(table, alert.state, to, viewer.roles, viewer.login, history)
    if states is None:
        raise NotFound
    rules = [table.rule(*pair) for pair in zip((alert.state, *states), states, strict=False)]
    names = dict.fromkeys(name for rule in rules if rule for name in rule.evidence)
    return _Step(states, tuple(names), any(rule.balanced for rule in rules if rule))


def _names(step: _Step) -> list[str]:
    form = read_evidence_form()
    optional = [name for state in step.states for name in form.optional(state)]
    names = dict.fromkeys([*step.evidence, *optional])
    if FINDINGS_STATE in step.states:  # part of the findings
        names.pop("works", None)
        names.pop(FINDINGS, None)
    attachments = names.pop("attachments", ...)
    return [*names, *(["attachments"] if attachments is None else [])]


def _field(
    name: str, required: bool, language: str, today: dt.date, values: ChainValues, *, can_choose: bool
) -> dict[str, Any] | None:
    field = read_evidence_form().fields.get(name)
    if field is None:
        return {"name": name, "label": name, "kind": "text", "required": required, "most": 300} if required else None
    kind, hint = str(field.kind), str(getattr(field, f"hint_{language}"))
    if kind == "image" and not can_choose:
        instead = values.flag("evidence.recheck_photos")
        hint = text("evidence.no_image_photos_hint" if instead else "evidence.no_image_hint", language)
        kind = "photos" if instead else "nothing"
    found: dict[str, Any] = {
        "name": name,
        "label": str(getattr(field, language)),
        "hint": hint,
        "kind": kind,
        "required": required,
        "least": field.least,
        "most": field.most,
    }
    if kind in FILE_KINDS:
        found["most"] = values.whole("evidence.files_most")
    if kind == "choice":
        found["choices"] = _choices(works_choices(), language)
    return found | _range(field, today, values)


def _range(field: EvidenceField, today: dt.date, values: ChainValues) -> dict[str, str]:
    if field.when == "past":
        return {"max": today.isoformat()}
    if field.when == "future":
        last = today + dt.timedelta(days=values.whole("evidence.correct_days_most"))
        return {"min": today.isoformat(), "max": last.isoformat()}
    return {}


def _choices(choices: dict[str, BilingualName], language: str) -> list[dict[str, str]]:
    return [{"value": value, "words": str(getattr(words, language))} for value, words in choices.items()]


def _findings(language: str, today: dt.date) -> list[dict[str, Any]]:
    """Return the card of the check on the ground (``configs/field.yaml``), for the desk."""
    return [
        {
            "name": name,
            "group": FINDINGS,
            "label": str(getattr(field, language)),
            "hint": str(getattr(field, f"hint_{language}")),
            "kind": field.kind,
            "required": field.required,
            "choices": _choices(dict(field.choices), language),
            "at_most": field.at_most,
            "only_if": field.only_if,
            **({"max": today.isoformat()} if field.kind == "date" else {}),
        }
        for name, field in read_field_form().findings.items()
    ]


def _latest_areas(session: Session, alert: AlertRow) -> dict[str, float]:
    found: dict[str, float] = {}
    for step in steps_of(session, alert):
        for name in AREAS:
            if isinstance(step.evidence.get(name), int | float):
                found[name] = float(step.evidence[name])
    return found


def _areas(alert: AlertRow, latest: dict[str, float], language: str) -> Sequence[dict[str, Any]]:
    proposed = {"total_m2": round(alert.area_m2, 2)} | latest
    areas = [
        {
            "name": name,
            "label": text(f"evidence.{name}", language),
            "hint": text("evidence.area_hint", language) if name == "total_m2" else "",
            "kind": "area",
            "required": True,
            "value": proposed.get(name),
        }
        for name in AREAS
    ]
    agreed = {"name": "agreed", "label": text("alert.agreed", language), "kind": "flag", "required": True, "hint": ""}
    return [*areas, agreed]
