"""Attachments of tips: upload by the desk, quarantine of those from the public, release and refusal."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, File, Request, UploadFile
from fastapi.responses import Response

from service.context import Context
from service.evidence.intake import discard_objects, receive_file
from store.access.rights import Viewer
from store.evidence.evidence_files import (
    KEPT,
    QUARANTINE,
    Owner,
    accept_quarantined,
    add_file,
    file_by_uid,
    files_of_owner,
    remove_file,
)
from store.objects.object_store import ObjectNotFound
from store.schema.chain.evidence_tables import EvidenceFile
from store.schema.database import Session
from store.tips.tip_steps import add_step, may_register
from web.auth.audit_log import log_action
from web.auth.authentication import CurrentUser, Service
from web.http_errors import Conflict, Forbidden, NotFound
from web.limits.file_bodies import DESK_FILE_BYTES
from web.row_ids import Id
from web.tips.tip_access import check_reader, tip_of

router = APIRouter(include_in_schema=False)

KIND = "tip"
MOST_FILES = 30


@router.post("/tips/{tip_id}/files")
def upload(
    request: Request, context: Service, viewer: CurrentUser, tip_id: Id, file: Annotated[UploadFile, File()]
) -> Response:
    """Add an attachment, checked by its content.

    Raises:
        Conflict: there are too many.
    """
    with context.database.read() as session:
        tip = tip_of(session, viewer, tip_id)
        if not may_register(viewer, check_reader(session, viewer)):
            raise Forbidden("tips.not_yours")
    keep_upload(request, context, file, tip.id, most_bytes=DESK_FILE_BYTES, most_files=MOST_FILES, who=viewer)
    return Response(headers={"hx-refresh": "true"})


def keep_upload(
    request: Request,
    context: Context,
    file: UploadFile,
    tip_id: int,
    *,
    most_bytes: int,
    most_files: int,
    who: Viewer | None,
) -> None:
    """Check an uploaded file in the sandbox and add it to a tip; without a user it is in quarantine.

    Raises:
        Conflict: there are too many.
        FileRefused: the file is not accepted.
    """
    with tempfile.TemporaryDirectory(prefix="tuban-tip-") as folder:
        path = Path(folder) / "received"
        with path.open("wb") as target:
            shutil.copyfileobj(file.file, target)
        received = receive_file(context, path, name=file.filename or "", max_bytes=most_bytes)
    try:
        with context.database.write() as session:
            if len(files_of_owner(session, KIND, tip_id)) >= most_files:
                raise Conflict("tips.too_many_files")
            state = KEPT if who is not None else QUARANTINE
            login = who.login if who is not None else ""
            owner = Owner(kind=KIND, id=tip_id)
            add_file(session, received, owner, who=login, now=context.clock(), state=state)
            if who is not None:
                log_action(
                    request, session, who, "added_tip_file", about=str(tip_id), detail={"sha256": received.sha256}
                )
    except Conflict:
        discard_objects(context, received)
        raise


@router.get("/tips/{tip_id}/files/{file_uid}")
def download(context: Service, viewer: CurrentUser, tip_id: Id, file_uid: str, copy: bool = False) -> Response:
    """Return an attachment; ``copy``: its picture for browsers, made by this service."""
    with context.database.read() as session:
        file = _file_of(session, viewer, tip_id, file_uid)
        if file.state == QUARANTINE and not may_register(viewer, check_reader(session, viewer)):
            raise NotFound
    key = file.shown_key if copy else file.object_key
    if not key:
        raise NotFound
    try:
        content = context.objects.read(key)
    except ObjectNotFound:
        raise NotFound from None
    if copy:
        return Response(content, media_type="image/jpeg", headers={"cache-control": "private, no-store"})
    name = quote(file.name or file.uid, safe="")
    headers = {
        "content-disposition": f"attachment; filename*=UTF-8''{name}",
        "cache-control": "private, no-store",
        "content-security-policy": "sandbox",
    }
    return Response(content, media_type=file.media_type, headers=headers)


@router.post("/tips/{tip_id}/files/{file_uid}/release")
def release(request: Request, context: Service, viewer: CurrentUser, tip_id: Id, file_uid: str) -> Response:
    """Take an attachment of the public form out of quarantine, after a person has looked at it."""
    with context.database.write() as session:
        tip = tip_of(session, viewer, tip_id, lock=True)
        file = _changeable(session, viewer, tip_id, file_uid)
        accept_quarantined(session, file)
        add_step(session, tip, "released", viewer.login, context.clock(), file.name[:100])
        log_action(
            request, session, viewer, "released_file", about=tip.number, code=tip.area_code, detail={"file": file_uid}
        )
    return Response(headers={"hx-refresh": "true"})


@router.post("/tips/{tip_id}/files/{file_uid}/refuse")
def refuse(request: Request, context: Service, viewer: CurrentUser, tip_id: Id, file_uid: str) -> Response:
    """Delete an attachment of the public form."""
    with context.database.write() as session:
        tip = tip_of(session, viewer, tip_id, lock=True)
        file = _changeable(session, viewer, tip_id, file_uid)
        add_step(session, tip, "refused", viewer.login, context.clock(), file.name[:100])
        detail = {"file": file_uid}
        log_action(request, session, viewer, "refused_file", about=tip.number, code=tip.area_code, detail=detail)
        keys = remove_file(session, file)
    for key in keys:
        context.objects.delete(key)
    return Response(headers={"hx-refresh": "true"})


def _file_of(session: Session, viewer: Viewer, tip_id: int, uid: str) -> EvidenceFile:
    tip = tip_of(session, viewer, tip_id)
    file = file_by_uid(session, uid)
    if file is None or (file.owner_kind, file.owner_id) != (KIND, tip.id):
        raise NotFound
    return file


def _changeable(session: Session, viewer: Viewer, tip_id: int, uid: str) -> EvidenceFile:
    file = _file_of(session, viewer, tip_id, uid)
    if not may_register(viewer, check_reader(session, viewer)):
        raise Forbidden("tips.not_yours")
    if file.state != QUARANTINE:
        raise Conflict("tips.not_quarantined")
    return file
