"""Resumable upload by tus 1.0.0: its core, creation and termination (https://tus.io/protocols/resumable-upload).

An upload belongs to the person who began its batch; for everybody else there is none.
"""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import Response

from errors import Reason
from imagery.files.limits import GIB
from service.context import Context
from store.access.rights import Viewer
from store.views.batch_view import open_upload_batch
from web.api.schemas import CLASH, FORBIDDEN, NOT_THEIRS, REFUSED, Refused
from web.auth.authentication import CurrentUser, Service
from web.http_errors import Clash, Invalid, NotFound, Refusal
from web.uploads.tus_body import TooMuch, take_over, write_body
from web.uploads.upload_files import (
    Upload,
    batch_of,
    begin_upload,
    clean_name,
    count_uploads,
    find_upload,
    is_complete,
    remove_upload,
)

_REFUSED_BY_TUS = {
    412: "Another version of tus than 1.0.0.",
    413: "More than is taken, or than was announced.",
    415: "Another content type than `application/offset+octet-stream`.",
}
router = APIRouter(
    prefix="/api/uploads",
    tags=["uploads"],
    responses=REFUSED
    | NOT_THEIRS
    | CLASH
    | FORBIDDEN
    | {status: {"model": Refused, "description": why} for status, why in _REFUSED_BY_TUS.items()},
)

VERSION = "1.0.0"
BYTES = "application/offset+octet-stream"
_LONGEST_HEADER = 8000


class _WrongVersion(Refusal):
    status = 412


class _WrongType(Refusal):
    status = 415


def _of_version(tus_resumable: Annotated[str, Header()] = "") -> None:
    if tus_resumable != VERSION:
        raise _WrongVersion(f"Tus-Resumable is {tus_resumable!r}; expected {VERSION}.")


def own_batch(context: Context, viewer: Viewer, batch: int) -> None:
    """Refuse a batch that is not this person's, or takes no more files.

    Raises:
        NotFound: it is not theirs.
        Clash: it is complete.
    """
    with context.database.read() as session:
        row = open_upload_batch(session, viewer, batch)
        if row is None:
            raise NotFound
        if row.state != "receiving" or is_complete(context.settings, batch):
            raise Clash("upload.complete")


def _own_upload(upload_id: str, viewer: CurrentUser, context: Service) -> Upload:
    batch = batch_of(upload_id)
    if batch is None:
        raise NotFound
    own_batch(context, viewer, batch)
    upload = find_upload(context.settings, upload_id)
    if upload is None:
        raise NotFound
    return upload


OwnUpload = Annotated[Upload, Depends(_own_upload)]


def _answer(status: int, **headers: str | int) -> Response:
    told = {name.replace("_", "-"): str(value) for name, value in headers.items()}
    return Response(status_code=status, headers={"tus-resumable": VERSION} | told)


@router.options("", status_code=204)
def capabilities(viewer: CurrentUser, context: Service) -> Response:
    """What of tus is spoken here."""
    most = int(context.settings.web.max_upload_gib * GIB)
    return _answer(204, tus_version=VERSION, tus_extension="creation,termination", tus_max_size=most)


@router.post("", status_code=201, dependencies=[Depends(_of_version)])
def begin(
    viewer: CurrentUser,
    context: Service,
    upload_length: Annotated[int, Header(ge=0)],
    upload_metadata: Annotated[str, Header(max_length=_LONGEST_HEADER)],
) -> Response:
    """Announce a file. Metadata: ``batch``, ``filename``, and if known ``sha256`` and ``modified``."""
    said = _metadata(upload_metadata)
    batch = batch_of(f"{said.get('batch', '')}-{'0' * 48}")
    if batch is None:
        raise NotFound
    own_batch(context, viewer, batch)
    settings = context.settings
    if upload_length > settings.web.max_upload_gib * GIB:
        given, most = upload_length / GIB, settings.web.max_upload_gib
        words = f"The file has {given:.1f} GiB; at most {most:g} are taken."
        raise TooMuch(Reason(words, "sent.too_large", gib=given, most=most))
    name = clean_name(said.get("filename", ""))
    if not name:
        raise Invalid("upload.no_name")
    sha256 = said.get("sha256", "").lower()
    if sha256 and not (len(sha256) == 64 and set(sha256) <= set("0123456789abcdef")):
        raise Invalid("upload.no_checksum")
    if count_uploads(settings, batch) >= settings.batch.max_files:
        words = f"A batch holds at most {settings.batch.max_files:,} files. Divide them."
        raise Invalid(Reason(words, "sent.too_many", most=settings.batch.max_files))
    upload = begin_upload(settings, batch, name, upload_length, sha256, said.get("modified", ""))
    return _answer(201, location=f"{router.prefix}/{upload.id}", upload_offset=0)


@router.head("/{upload_id}", dependencies=[Depends(_of_version)])
async def how_far(upload: OwnUpload) -> Response:
    """Where an upload stands; who asks goes on with it, so another connection that holds it ends."""
    await take_over(upload)
    offset = await run_sync(lambda: upload.offset)
    return _answer(200, upload_offset=offset, upload_length=upload.size)


@router.patch("/{upload_id}", status_code=204, dependencies=[Depends(_of_version)])
async def go_on(
    request: Request,
    context: Service,
    upload: OwnUpload,
    upload_offset: Annotated[int, Header(ge=0)],
    content_type: Annotated[str, Header()] = "",
) -> Response:
    """Bytes of a file from ``Upload-Offset`` on."""
    if content_type != BYTES:
        raise _WrongType(f"Content-Type is {content_type!r}; expected {BYTES}.")
    offset = await write_body(request, context.settings, upload, upload_offset)
    return _answer(204, upload_offset=offset)


@router.delete("/{upload_id}", status_code=204, dependencies=[Depends(_of_version)])
async def leave_out(upload: OwnUpload) -> Response:
    """Give a file up."""
    await take_over(upload)
    await run_sync(remove_upload, upload)
    return _answer(204)


def _metadata(header: str) -> dict[str, str]:
    said = {}
    for pair in header.split(","):
        name, _, value = pair.strip().partition(" ")
        try:
            said[name] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise Invalid(f"Upload-Metadata: {name!r} is no UTF-8 in base64.") from None
    return said
