"""Receipts and scans of documents: the signed proof of service, the sealed document, the reply slip."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, File, Request, UploadFile
from fastapi.responses import Response

from service.evidence.intake import discard_objects, receive_file
from store.chain_settings import read_chain_values
from store.documents.found import add_entry, may_act
from store.evidence.evidence_files import Owner, add_file, file_by_uid, files_of_owner
from web.auth.authentication import CurrentUser, Service
from web.documents.document_access import document_of, file_response, log_document
from web.http_errors import Conflict, Forbidden, NotFound
from web.row_ids import Id

router = APIRouter(include_in_schema=False)

OWNER = "document"
"""Kind of owner of the files."""

MOST_FILES = 30


@router.post("/documents/{document_id}/receipts")
def upload(
    request: Request, context: Service, viewer: CurrentUser, document_id: Id, file: Annotated[UploadFile, File()]
) -> Response:
    """Add a scan, checked by its content: a photo, PDF or DOCX.

    Raises:
        Conflict: there are too many.
    """
    with context.database.read() as session:
        found = document_of(session, viewer, document_id)
        most = read_chain_values(session).whole("evidence.file_mib") * 2**20
        if not may_act(found, viewer):
            raise Forbidden
    with tempfile.TemporaryDirectory(prefix="tuban-receipt-") as folder:
        path = Path(folder) / "received"
        with path.open("wb") as target:
            shutil.copyfileobj(file.file, target)
        received = receive_file(context, path, name=file.filename or "", max_bytes=most)
    try:
        with context.database.write() as session:
            found = document_of(session, viewer, document_id, lock=True)
            if len(files_of_owner(session, OWNER, found.row.id)) >= MOST_FILES:
                raise Conflict("documents.too_many_files")
            owner, now = Owner(kind=OWNER, id=found.row.id), context.clock()
            added = add_file(session, received, owner, who=viewer.login, now=now)
            detail = {"file": added.uid, "sha256": added.sha256, "name": added.name}
            add_entry(session, found.row, viewer.login, "receipt", now, detail)
            log_document(request, session, viewer, "added_receipt", found)
    except BaseException:
        discard_objects(context, received)
        raise
    return Response(headers={"hx-refresh": "true"})


@router.get("/documents/{document_id}/receipts/{uid}")
def download(context: Service, viewer: CurrentUser, document_id: Id, uid: str) -> Response:
    """Download a scan."""
    with context.database.read() as session:
        found = document_of(session, viewer, document_id)
        file = file_by_uid(session, uid)
        if file is None or (file.owner_kind, file.owner_id) != (OWNER, found.row.id):
            raise NotFound
    return file_response(context, file.object_key, file.name or file.uid, file.media_type)
