"""The outbox of a phone: checks announced with their steps, as often as it likes, and the state of each step.

Each step is answered by itself: an invalid or refused one blocks no other, and stays readable with its reason.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from configs.texts import translate
from errors import Reason
from service.context import Context
from service.evidence.field_photos import settle_waiting
from store.access.rights import Viewer
from store.chain_settings import read_chain_values
from store.field.announced_steps import (
    NEEDS_FILE,
    REFUSED,
    AnnouncedStep,
    StepRefused,
    announce,
    steps_of_check,
    stored_sha256,
)
from store.field.takes import alert_for_check
from store.schema.chain.field_tables import FieldStep
from store.schema.database import Session
from store.schema.database_errors import CONCURRENT_CHANGE
from store.schema.tables import AlertRow
from web.auth.audit_log import log_action
from web.auth.authentication import CurrentUser, Service
from web.field.photo_uploads import finish_photo, photo_upload, received_bytes, remove_abandoned
from web.http_errors import Conflict

router = APIRouter(prefix="/api/field", include_in_schema=False)

_ATTEMPTS = 3  # of a transaction that another phone interrupts


class CheckInput(BaseModel):
    """A check as the phone holds it; ``steps`` are validated one by one."""

    model_config = ConfigDict(extra="forbid")

    uid: UUID
    alert: Annotated[str, Field(max_length=40)]
    device_time: AwareDatetime
    steps: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=100)]


class StepInput(BaseModel):
    """A step of a check (:class:`store.field.announced_steps.AnnouncedStep`)."""

    model_config = ConfigDict(extra="forbid")

    uid: UUID
    kind: Literal["accept", "photo", "findings", "report"]
    after: Annotated[list[UUID], Field(max_length=100)] = []
    content: Annotated[dict[str, Any], Field(max_length=60)] = {}
    device_time: AwareDatetime | None = None


@router.post("/checks")
def send_check(request: Request, context: Service, viewer: CurrentUser, check: CheckInput) -> dict[str, Any]:
    """Announce a check or ask for its state: both are the same request, which may be repeated.

    Photos whose bytes arrived, but could not be stored then (a full disk), are stored now.
    """
    now = context.clock()
    offset_s = round((now - check.device_time).total_seconds(), 1)
    language = _language_of_phone(request)
    for attempt in range(_ATTEMPTS):
        try:
            answers = _announce(request, context, viewer, check, offset_s, now, language)
            break
        except CONCURRENT_CHANGE:
            if attempt == _ATTEMPTS - 1:
                raise Conflict("review.conflict") from None
    remove_abandoned(context.settings, now)
    answers = _store_arrived(context, viewer, check, answers, language)
    return {"server_time": now.isoformat(), "offset_s": offset_s, "steps": answers}


def _language_of_phone(request: Request) -> str:
    """Return the language chosen on the phone, which may differ from that of the desk pages."""
    return "en" if request.headers.get("accept-language", "").lower().startswith("en") else "zh"


def _announce(
    request: Request,
    context: Context,
    viewer: Viewer,
    check: CheckInput,
    offset_s: float,
    now: dt.datetime,
    language: str,
) -> list[dict[str, Any]]:
    with context.database.write() as session:
        alert = alert_for_check(session, viewer, check.alert)
        if alert is None:
            missing = Reason(f"{check.alert} is not among your alerts.", "field.not_yours", alert=check.alert)
            return [_refused(step, missing, language) for step in check.steps]
        if not steps_of_check(session, str(check.uid), alert.id):
            detail = {"check": str(check.uid), "steps": len(check.steps), "clock_offset_s": offset_s}
            log_action(request, session, viewer, "sent_check", about=alert.number, code=alert.grid_code, detail=detail)
        values, today = read_chain_values(session), now.astimezone(context.settings.zone).date()
        stored: list[FieldStep | dict[str, Any]] = []
        for raw in check.steps:
            try:
                step = _parse(raw)
                stored.append(
                    announce(
                        session, viewer, alert, str(check.uid), step,
                        values=values, offset_s=offset_s, today=today, now=now,
                    )
                )  # fmt: skip
            except (ValidationError, StepRefused) as error:
                stored.append(_refused(raw, _reason_of(error), language))
        settle_waiting(context, session, viewer, alert)
        return [step if isinstance(step, dict) else _answer(context, session, step, alert, language) for step in stored]


def _store_arrived(
    context: Context, viewer: Viewer, check: CheckInput, answers: list[dict[str, Any]], language: str
) -> list[dict[str, Any]]:
    whole = {
        answer["uid"] for answer in answers if answer["state"] == NEEDS_FILE and answer["offset"] >= answer["size"]
    }
    if not whole:
        return answers
    with context.database.read() as session:
        alert = alert_for_check(session, viewer, check.alert)
        steps = steps_of_check(session, str(check.uid), alert.id) if alert else []
    for step in steps:
        if step.uid in whole:
            finish_photo(context, viewer, photo_upload(context.settings, step))
    with context.database.read() as session:
        alert = alert_for_check(session, viewer, check.alert)
        if alert is None:
            return answers
        fresh = {
            step.uid: _answer(context, session, step, alert, language)
            for step in steps_of_check(session, str(check.uid), alert.id)
        }
    return [fresh.get(answer["uid"], answer) for answer in answers]


def _parse(raw: dict[str, Any]) -> AnnouncedStep:
    step = StepInput.model_validate(raw)
    after = [str(uid) for uid in step.after]
    return AnnouncedStep(str(step.uid), step.kind, after, step.content, step.device_time)


def _reason_of(error: ValidationError | StepRefused) -> Reason:
    if isinstance(error, StepRefused):
        return error.reason
    names = ", ".join(".".join(map(str, fault["loc"])) for fault in error.errors())[:200]
    return Reason(f"The step is invalid: {names}.", "field.bad_step", names=names)


def _refused(raw: dict[str, Any], reason: Reason, language: str) -> dict[str, Any]:
    uid = str(raw.get("uid", ""))[:36]
    return {
        "uid": uid,
        "state": REFUSED,
        "reason": translate(reason, language),
        "notes": [],
        "sha256": "",
        "stored": False,
    }


def _answer(context: Context, session: Session, step: FieldStep, alert: AlertRow, language: str) -> dict[str, Any]:
    """Return the state of a step; ``sha256`` of a photo is that of the stored original, which the phone compares."""
    answer = {
        "uid": step.uid,
        "state": step.state,
        "reason": translate(Reason.from_json(step.reason, step.why), language),
        "notes": [translate(note_reason(note), language) for note in step.notes],
        "sha256": stored_sha256(session, step),
        "stored": True,
    }
    if step.state == NEEDS_FILE:
        answer |= {"offset": received_bytes(context.settings, step), "size": int(step.content["size"])}
    return answer


def note_reason(note: dict[str, Any]) -> Reason:
    """Return the reason that a note of a step was stored as."""
    values = dict(note)
    return Reason.from_json(str(values.pop("words", "")), values)
