"""Evidence files of an alert: upload, list, show, download, delete. The pages and programs use the same routes.

Originals are only sent as downloads; a browser shows the copy that the service made of a photo.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import AwareDatetime, BaseModel, Field
from starlette.requests import ClientDisconnect

from enforcement.steps.evidence_form import read_evidence_form
from service.context import Context
from service.evidence.intake import FileRefused, discard_objects, receive_file
from service.home import require_intake_space
from store.access.rights import Viewer
from store.chain_settings import read_chain_values
from store.evidence.evidence_files import (
    EvidenceConflict,
    Owner,
    add_file,
    file_by_uid,
    files_of_alert,
    parse_uid,
    pending_files,
    remove_file,
    visible_file,
)
from store.evidence.shown_copies import DESK_ROLES, blacked_out_boxes
from store.objects.object_store import ObjectNotFound
from store.schema.chain.evidence_tables import EvidenceFile
from store.schema.database import Session
from store.schema.tables import AlertRow
from web.api.parameters import Number
from web.api.schemas import COMMON_ERRORS, CONFLICT, FORBIDDEN, NOT_FOUND, ErrorResponse
from web.auth.audit_log import log_action
from web.auth.authentication import CurrentUser, Service
from web.auth.authorized_lookup import alert_of
from web.etags import content_tag, image_response, is_cached, not_modified
from web.http_errors import Conflict, Forbidden, HttpError, InvalidInput, NotFound

router = APIRouter(prefix="/api/alerts/{number}/files", tags=["evidence"], responses=COMMON_ERRORS | NOT_FOUND)

SILENT_SECONDS = 60.0
"""An upload without data for this long is ended; the sender repeats it under the same id."""

_TOTAL_SECONDS = 1200.0
_IMMUTABLE = "private, max-age=31536000, immutable"
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_UPLOAD_ERRORS: dict[int | str, dict[str, Any]] = {
    413: {"model": ErrorResponse, "description": "The file is too large."}
}
_BODY: dict[str, Any] = {"requestBody": {"required": True, "content": {"application/octet-stream": _BINARY}}}
Uid = Annotated[str, Field(max_length=36)]


class _TooLarge(HttpError):  # noqa: N818
    status = 413


class EvidenceFileInfo(BaseModel):
    """One evidence file."""

    file: Annotated[str, Field(description="Its id; the evidence of a step refers to it.")]
    kind: Literal["photo", "document"]
    name: str
    media_type: str
    size: int
    sha256: str
    who: str
    received_at: AwareDatetime
    taken_at: AwareDatetime | None
    step: Annotated[str, Field(description="State that the step enters; empty: not submitted yet.")]
    evidence_field: str
    submitted: bool
    record: Annotated[dict[str, object], Field(description="Position, heading and times of a photo.")]
    address: str
    shown: Annotated[str | None, Field(description="Copy that browsers can show; null for documents.")]


class EvidenceFileList(BaseModel):
    """Files of an alert, oldest first."""

    number: str
    files: list[EvidenceFileInfo]


def file_info(root: str, number: str, file: EvidenceFile) -> EvidenceFileInfo:
    """Return a file as programs and pages see it; ``root`` is the path under which the pages are served."""
    address = f"{root}/api/alerts/{quote(number, safe='')}/files/{file.uid}"
    return EvidenceFileInfo(
        file=file.uid,
        kind="photo" if file.kind == "photo" else "document",
        name=file.name,
        media_type=file.media_type,
        size=file.size,
        sha256=file.sha256,
        who=file.who,
        received_at=file.received_at,
        taken_at=file.taken_at,
        step=file.step,
        evidence_field=file.field,
        submitted=file.transition_id is not None,
        record=dict(file.record),
        address=address,
        shown=f"{address}/shown" if file.shown_key else None,
    )


@router.get("")
def list_files(context: Service, viewer: CurrentUser, number: Number) -> EvidenceFileList:
    """List the evidence files of an alert."""
    with context.database.read() as session:
        alert = alert_of(session, viewer, number)
        files = files_of_alert(session, alert.id)
    root = context.settings.path_prefix
    return EvidenceFileList(number=number, files=[file_info(root, number, file) for file in files])


@router.post(
    "",
    status_code=201,
    openapi_extra=_BODY,
    responses=CONFLICT | FORBIDDEN | _UPLOAD_ERRORS,
)
async def upload_file(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    number: Number,
    name: Annotated[str, Query(description="Original file name.", min_length=1, max_length=400)],
    field: Annotated[str, Query(description="Evidence name, as `photos` or `attachments`.", max_length=40)],
    to: Annotated[str, Query(description="State that the step enters.", max_length=20)] = "",
    file: Annotated[str, Query(description="UUID made by the sender, so that a repetition adds nothing.")] = "",
    sha256: Annotated[str, Query(pattern="^([0-9a-fA-F]{64})?$")] = "",
) -> EvidenceFileInfo:
    """Upload one file, the body, for the next step of an alert: JPEG, PNG, WebP, HEIC, PDF or DOCX."""
    uid = parse_uid(file) if file else ""
    if uid is None:
        raise InvalidInput("evidence.invalid_id")
    most = await run_sync(_check_upload, context, viewer, number, field)
    with tempfile.TemporaryDirectory(prefix="tuban-evidence-") as folder:
        path = Path(folder) / "received"
        await _write(request, path, most)
        return await run_sync(_store, context, viewer, number, path, name, uid, sha256, field, to, most)


def _check_upload(context: Context, viewer: Viewer, number: str, field: str) -> int:
    """Return the largest accepted size in bytes."""
    known = read_evidence_form().fields.get(field)
    if known is None or known.kind not in ("photos", "files", "image"):
        raise InvalidInput("evidence.unknown_field")
    if viewer.views_only:
        raise Forbidden
    require_intake_space(context.settings)
    with context.database.read() as session:
        alert = alert_of(session, viewer, number)
        values = read_chain_values(session)
        if len(pending_files(session, alert.id, viewer.login)) >= 2 * values.whole("evidence.files_most"):
            raise Conflict("evidence.too_many_pending")
    return values.whole("evidence.file_mib") * 2**20


async def _write(request: Request, path: Path, most: int) -> None:
    deadline, size = time.monotonic() + _TOTAL_SECONDS, 0
    stream = aiter(request.stream())
    try:
        with path.open("wb") as out:
            while True:
                left = min(SILENT_SECONDS, deadline - time.monotonic())
                async with asyncio.timeout(left):
                    chunk = await anext(stream, None)
                if chunk is None:
                    return
                size += len(chunk)
                if size > most:
                    raise _TooLarge("evidence.body_too_large")
                await run_sync(out.write, chunk)
    except (TimeoutError, ClientDisconnect):
        raise InvalidInput("evidence.interrupted") from None


def _store(
    context: Context,
    viewer: Viewer,
    number: str,
    path: Path,
    name: str,
    uid: str,
    sha256: str,
    field: str,
    to: str,
    most: int,
) -> EvidenceFileInfo:
    photos = read_evidence_form().fields[field].kind in ("photos", "image")
    try:
        received = receive_file(
            context, path, name=name, uid=uid, sha256=sha256, accept="photo" if photos else "any", max_bytes=most
        )
    except FileRefused as error:
        raise InvalidInput(error.reason) from error
    try:
        with context.database.write() as session:
            alert = alert_of(session, viewer, number)
            owner, now = Owner(alert.id), context.clock()
            row = add_file(session, received, owner, who=viewer.login, now=now, step=to, evidence_field=field)
            return file_info(context.settings.path_prefix, number, row)
    except EvidenceConflict as error:
        discard_objects(context, received)
        raise Conflict(error.reason) from error
    except BaseException:
        discard_objects(context, received)
        raise


@router.get("/{uid}", response_class=Response, responses={200: {"content": {"application/octet-stream": _BINARY}}})
def original(request: Request, context: Service, viewer: CurrentUser, number: Number, uid: Uid) -> Response:
    """Download the original bytes of a file; of a photo with blacked-out parts only as an officer of the desk."""
    file = _file(context, viewer, number, uid)
    if blacked_out_boxes(file) and not set(DESK_ROLES) & set(viewer.roles):
        raise Forbidden("field.original_desk_only")
    tag = content_tag(file.sha256)
    if is_cached(request, tag):
        return not_modified(tag, _IMMUTABLE)
    try:
        content = context.objects.read(file.object_key)
    except ObjectNotFound:
        raise NotFound from None
    response = image_response(content, tag, _IMMUTABLE, file.media_type)
    response.headers["content-disposition"] = f"attachment; filename*=UTF-8''{quote(file.name or file.uid)}"
    response.headers["x-content-type-options"] = "nosniff"
    return response


@router.get("/{uid}/shown", response_class=Response, responses={200: {"content": {"image/jpeg": _BINARY}}})
def shown_copy(request: Request, context: Service, viewer: CurrentUser, number: Number, uid: Uid) -> Response:
    """Return the copy of a photo that browsers can show: upright, at most 2048 pixels wide, without metadata."""
    file = _file(context, viewer, number, uid)
    tag, revalidated = content_tag(file.shown_key), "private, no-cache"  # parts may be blacked out later
    if not file.shown_key:
        raise NotFound
    if is_cached(request, tag):
        return not_modified(tag, revalidated)
    try:
        return image_response(context.objects.read(file.shown_key), tag, revalidated, "image/jpeg")
    except ObjectNotFound:
        raise NotFound from None


@router.delete("/{uid}", status_code=204, responses=CONFLICT | FORBIDDEN)
def delete_file(request: Request, context: Service, viewer: CurrentUser, number: Number, uid: Uid) -> Response:
    """Delete a file that the user uploaded and did not submit with a step."""
    with context.database.write() as session:
        file, alert = _visible(session, viewer, number, uid)
        if file.who != viewer.login:
            raise Forbidden("evidence.not_yours")
        try:
            keys = remove_file(session, file)
        except EvidenceConflict as error:
            raise Conflict(error.reason) from error
        detail = {"file": file.uid, "name": file.name, "sha256": file.sha256}
        log_action(request, session, viewer, "removed_file", about=alert.number, code=alert.grid_code, detail=detail)
    with context.database.read() as session:
        if file_by_uid(session, uid) is None:
            for key in keys:
                context.objects.delete(key)
    return Response(status_code=204)


def _file(context: Context, viewer: Viewer, number: str, uid: str) -> EvidenceFile:
    with context.database.read() as session:
        return _visible(session, viewer, number, uid)[0]


def _visible(session: Session, viewer: Viewer, number: str, uid: str) -> tuple[EvidenceFile, AlertRow]:
    found = visible_file(session, viewer, uid)
    if found is None or found[1].number != number:
        raise NotFound
    return found
