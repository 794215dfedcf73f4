"""What the desk sees of checks: progress and findings on the alert's page, stamped photos, the black-out page."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from configs.texts import text, translate
from enforcement.field_check.form import read_field_form
from errors import Reason, TubanError
from service.context import Context
from service.evidence.black_out import replace_copy
from store.access.rights import Viewer
from store.chain_settings import read_chain_values
from store.evidence.evidence_files import visible_file
from store.evidence.shown_copies import DESK_ROLES, blacked_out_boxes, set_shown_copy
from store.field.announced_steps import KEPT, NEEDS_FILE, WAITING
from store.field.apply_kept import MAX_WHY, NotKept, apply_kept_findings, may_apply_kept
from store.field.check_progress import CheckProgress, checks_of_alert
from store.objects.object_store import ObjectNotFound
from store.schema.chain.evidence_tables import EvidenceFile
from store.schema.chain.field_tables import FieldStep
from store.schema.database import Session
from store.schema.database_errors import CONCURRENT_CHANGE
from store.schema.tables import AlertRow
from store.views.alert_view import user_names
from web.auth.audit_log import log_action
from web.auth.authentication import CurrentUser, Service
from web.auth.authorized_lookup import alert_of
from web.etags import content_tag, image_response, is_cached, not_modified
from web.field.outbox_routes import note_reason
from web.field.photo_copies import Box, black_out, stamp, stamp_lines
from web.http_errors import Conflict, Forbidden, NotFound
from web.page import language_of, page
from web.review.review_errors import review_error

router = APIRouter(prefix="/alerts/{number}", include_in_schema=False)

_CACHED = "private, max-age=86400"
Share = Annotated[float, Field(ge=0, le=1)]


class BlackOut(BaseModel):
    """All parts to be blacked out; none: the copy shows the whole photo again."""

    model_config = ConfigDict(extra="forbid")

    boxes: Annotated[list[tuple[Share, Share, Share, Share]], Field(max_length=100)]


class Apply(BaseModel):
    """Why kept findings are applied."""

    model_config = ConfigDict(extra="forbid")

    why: Annotated[str, Field(max_length=MAX_WHY)]


@router.get("/checks")
def checks(request: Request, context: Service, viewer: CurrentUser, number: str) -> JSONResponse:
    """Return the checks of an alert: how much arrived, findings, photos with their records, what was kept and why."""
    language = language_of(request)
    with context.database.read() as session:
        alert = alert_of(session, viewer, number)
        found = checks_of_alert(session, alert.id)
        names = user_names(session, {check.who for check in found})
        shown = _ShownChecks(context, viewer, alert, language)
        return JSONResponse({"checks": [shown.check(check, names.get(check.who, check.who)) for check in found]})


@router.get("/photos/{uid}/stamped.jpg")
def stamped(request: Request, context: Service, viewer: CurrentUser, number: str, uid: str) -> Response:
    """Return a copy of a photo with number, person, time, position and heading printed on it."""
    with context.database.read() as session:
        file = _photo_of(session, viewer, number, uid)
    lines = stamp_lines(number, file.who, file.record, file.taken_at, context.settings.zone)
    tag = content_tag(file.shown_key, *lines)
    if is_cached(request, tag):
        return not_modified(tag, _CACHED)
    try:
        return image_response(stamp(context.objects.read(file.shown_key), lines), tag, _CACHED, "image/jpeg")
    except ObjectNotFound:
        raise NotFound from None


@router.get("/photos/{uid}/black-out")
def black_out_page(request: Request, context: Service, viewer: CurrentUser, number: str, uid: str) -> Response:
    """Render the page on which faces and number plates of a photo are blacked out."""
    with context.database.read() as session:
        file = _photo_of(session, viewer, number, uid)
    boxes = blacked_out_boxes(file)
    allowed = bool(set(DESK_ROLES) & set(viewer.roles))
    picture = f"/alerts/{quote(number, safe='')}/photos/{uid}/shown.jpg?key={content_tag(file.shown_key)}"
    return page(request, "black_out.html", number=number, file=file, boxes=boxes, allowed=allowed, picture=picture)


@router.get("/photos/{uid}/shown.jpg")
def shown_photo(request: Request, context: Service, viewer: CurrentUser, number: str, uid: str) -> Response:
    """Return the copy of a photo for browsers, with its blacked-out parts."""
    with context.database.read() as session:
        file = _photo_of(session, viewer, number, uid)
    tag = content_tag(file.shown_key)
    if is_cached(request, tag):
        return not_modified(tag, "private, no-cache")
    try:
        return image_response(context.objects.read(file.shown_key), tag, "private, no-cache", "image/jpeg")
    except ObjectNotFound:
        raise NotFound from None


@router.post("/photos/{uid}/black-out", status_code=204)
def black_out_photo(
    request: Request, context: Service, viewer: CurrentUser, number: str, uid: str, body: BlackOut
) -> Response:
    """Replace the copy of a photo for browsers by one with these parts blacked out; the original stays as it is."""
    with context.database.read() as session:
        file = _photo_of(session, viewer, number, uid)
    if not set(DESK_ROLES) & set(viewer.roles):
        raise Forbidden("field.desk_only")
    boxes: list[Box] = list(body.boxes)
    mark = hashlib.sha256(repr(boxes).encode()).hexdigest()[:12]
    key = f"{file.object_key.rpartition('.')[0]}-copy-{mark}.jpg"
    replace_copy(context, file, key, lambda picture: black_out(picture, boxes))
    with context.database.write() as session:
        stored = _photo_of(session, viewer, number, uid)
        former = set_shown_copy(session, stored, key, boxes, viewer.login, context.clock())
        detail = {"photo": uid, "parts": len(boxes)}
        log_action(request, session, viewer, "blacked_out", about=number, detail=detail)
    if former:
        context.objects.delete(former)
    return Response(status_code=204)


def _photo_of(session: Session, viewer: Viewer, number: str, uid: str) -> EvidenceFile:
    """Return a photo of an alert with a copy for browsers.

    Raises:
        NotFound: there is none, or the viewer may not see the alert.
    """
    found = visible_file(session, viewer, uid)
    if found is None or found[1].number != number or not found[0].shown_key:
        raise NotFound
    return found[0]


@router.post("/checks/{check_uid}/apply", status_code=204)
def apply_findings(
    request: Request, context: Service, viewer: CurrentUser, number: str, check_uid: UUID, body: Apply
) -> Response:
    """Apply the kept findings of a check as the findings of its officer, if the state of the alert permits it now."""
    now = context.clock()
    try:
        with context.database.write() as session:
            alert = alert_of(session, viewer, number)
            step = apply_kept_findings(
                session, viewer, alert, str(check_uid), body.why,
                settings=context.settings, values=read_chain_values(session), now=now,
            )  # fmt: skip
            detail = {"check": str(check_uid), "officer": step.who, "why": body.why.strip()}
            log_action(request, session, viewer, "applied_findings", about=number, code=alert.grid_code, detail=detail)
    except NotKept as error:
        raise Conflict(error.reason) from error
    except TubanError as error:
        raise review_error(request, error) from error
    except CONCURRENT_CHANGE as error:
        raise Conflict("review.conflict") from error
    return Response(status_code=204)


class _ShownChecks:
    """Checks of one alert as JSON in the user's language."""

    def __init__(self, context: Context, viewer: Viewer, alert: AlertRow, language: str) -> None:
        self._zone, self._language, self._alert = context.settings.zone, language, alert
        self._address = f"{context.settings.path_prefix}/alerts/{quote(alert.number, safe='')}/photos"
        self._desk = bool(set(DESK_ROLES) & set(viewer.roles))
        self._form = read_field_form()
        self._may_apply = may_apply_kept(viewer, alert)

    def check(self, check: CheckProgress, name: str) -> dict[str, Any]:
        findings = check.findings
        open_steps = [step for step in check.steps if step.state in (NEEDS_FILE, WAITING) or step.reason]
        return {
            "uid": check.uid,
            "who": name,
            "at": f"{check.begun_at.astimezone(self._zone):%Y-%m-%d %H:%M}",
            "arrived": check.arrived,
            "total": check.total,
            "findings": self._form.rows(findings.content, self._language) if findings else [],
            "findings_state": findings.state if findings else "",
            "apply": self._may_apply and findings is not None and findings.state == KEPT,
            "steps": [self._step(step) for step in open_steps],
            "photos": [self._photo(step, check.photos[step.uid]) for step in check.steps if step.uid in check.photos],
        }

    def _step(self, step: FieldStep) -> dict[str, str]:
        reason = translate(Reason.from_json(step.reason, step.why), self._language)
        return {
            "kind": text(f"field.kind_{step.kind}", self._language),
            "state": step.state,
            "state_name": text(f"field.state_{step.state}", self._language),
            "reason": reason,
        }

    def _photo(self, step: FieldStep, file: EvidenceFile) -> dict[str, Any]:
        shot = self._form.shots.get(str(step.content.get("record", {}).get("shot")))
        address = f"{self._address}/{file.uid}"
        return {
            "shot": getattr(shot, self._language) if shot else "",
            "shown": f"{address}/shown.jpg?key={content_tag(file.shown_key)}" if file.shown_key else "",
            "stamped": f"{address}/stamped.jpg" if file.shown_key else "",
            "black_out": f"{address}/black-out" if file.shown_key and self._desk else "",
            "sha256": file.sha256,
            "record": self._record(file),
            "notes": [translate(note_reason(note), self._language) for note in step.notes],
        }

    def _record(self, file: EvidenceFile) -> list[str]:
        """Return the record of a photo in words."""
        record, language = file.record, self._language
        lines = []
        if file.taken_at:
            lines.append(f"{file.taken_at.astimezone(self._zone):%Y-%m-%d %H:%M:%S}")
        if record.get("lon") is not None and record.get("lat") is not None:
            accuracy = f" ± {record['accuracy_m']:.0f} m" if record.get("accuracy_m") is not None else ""
            lines.append(f"{record['lon']:.6f}, {record['lat']:.6f}{accuracy}")
        if record.get("heading_deg") is not None:
            north = text(f"field.north_{record.get('heading_north') or 'unknown'}", language)
            lines.append(text("field.heading", language, degrees=f"{record['heading_deg']:.0f}", north=north))
        else:
            lines.append(text("field.heading_unknown", language))
        lines.append(text(f"field.from_{record.get('source', 'camera')}", language))
        return lines
