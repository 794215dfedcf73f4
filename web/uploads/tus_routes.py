"""Resumable uploads: tus 1.0.0 with the extensions creation, termination, checksum, expiration and concatenation.

The protocol: https://tus.io/protocols/resumable-upload.

An upload belongs to the user who created its batch; for all others it does not exist.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from email.utils import format_datetime
from typing import Annotated
from urllib.parse import urlsplit

from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import Response

from configs.service import ServiceSettings
from errors import Reason
from imagery.limits import GIB
from service.context import Context
from store.access.rights import Viewer
from store.views.batch_view import open_upload_batch
from web.api.schemas import COMMON_ERRORS, CONFLICT, FORBIDDEN, NOT_FOUND, ErrorResponse
from web.auth.authentication import CurrentUser, Service
from web.http_errors import Conflict, HttpError, InvalidInput, NotFound
from web.uploads.batch_submission import ABANDONED_AFTER
from web.uploads.tus_body import CHECKSUM_ALGORITHMS, Checksum, ContentTooLarge, interrupt_writer, write_body
from web.uploads.upload_files import (
    Upload,
    add_upload,
    batch_of,
    clean_name,
    concatenate,
    count_uploads,
    find_upload,
    is_complete,
    remove_upload,
)

_TUS_ERRORS = {
    412: "The tus version is not 1.0.0.",
    413: "The file is too large, or the body exceeds the announced size; nothing of it is kept.",
    460: "The body has another checksum than `Upload-Checksum`; nothing of it is kept.",
    415: "The content type is not `application/offset+octet-stream`.",
}
router = APIRouter(
    prefix="/api/uploads",
    tags=["uploads"],
    responses=COMMON_ERRORS
    | NOT_FOUND
    | CONFLICT
    | FORBIDDEN
    | {status: {"model": ErrorResponse, "description": text} for status, text in _TUS_ERRORS.items()},
)

VERSION = "1.0.0"
BODY_TYPE = "application/offset+octet-stream"
_MAX_METADATA_LENGTH = 8000


class _PreconditionFailed(HttpError):  # noqa: N818
    status = 412


class UnsupportedMediaType(HttpError):  # noqa: N818
    """415 Unsupported Media Type: a PATCH request without the content type of tus."""

    status = 415


def check_version(tus_resumable: Annotated[str, Header()] = "") -> None:
    """Check the version of tus that a request speaks.

    Raises:
        HttpError: 412, it is another one.
    """
    if tus_resumable != VERSION:
        raise _PreconditionFailed(f"Tus-Resumable is {tus_resumable!r}; expected {VERSION}.")


def require_open_batch(context: Context, viewer: Viewer, batch: int) -> None:
    """Check that a batch was created by the user and still accepts files.

    Raises:
        NotFound: it does not exist, or another user created it.
        Conflict: it is complete.
    """
    with context.database.read() as session:
        row = open_upload_batch(session, viewer, batch)
        if row is None:
            raise NotFound
        if row.state != "receiving" or is_complete(context.settings, batch):
            raise Conflict("upload.complete")


def _own_upload(upload_id: str, viewer: CurrentUser, context: Service) -> Upload:
    batch = batch_of(upload_id)
    if batch is None:
        raise NotFound
    require_open_batch(context, viewer, batch)
    upload = find_upload(context.settings, upload_id)
    if upload is None:
        raise NotFound
    return upload


OwnUpload = Annotated[Upload, Depends(_own_upload)]


def tus_response(status: int, **headers: str | int) -> Response:
    """Return a response with headers of tus; ``_`` in their names stands for ``-``."""
    named = {name.replace("_", "-"): str(value) for name, value in headers.items()}
    return Response(status_code=status, headers={"tus-resumable": VERSION} | named)


@router.options("", status_code=204)
def capabilities(viewer: CurrentUser, context: Service) -> Response:
    """Return the supported tus version, extensions and maximum file size."""
    max_size = int(context.settings.web.max_upload_gib * GIB)
    return tus_response(
        204,
        tus_version=VERSION,
        tus_extension="creation,termination,checksum,expiration,concatenation",
        tus_max_size=max_size,
        tus_checksum_algorithm=",".join(CHECKSUM_ALGORITHMS),
    )


@router.post("", status_code=201, dependencies=[Depends(check_version)])
async def create_upload(
    viewer: CurrentUser,
    context: Service,
    upload_metadata: Annotated[str, Header(max_length=_MAX_METADATA_LENGTH)] = "",
    upload_length: Annotated[int | None, Header(ge=0)] = None,
    upload_concat: Annotated[str, Header(max_length=_MAX_METADATA_LENGTH)] = "",
) -> Response:
    """Create an upload. Metadata: ``batch``, ``filename``, and if known ``sha256`` and ``modified``.

    A part of a file (``Upload-Concat: partial``) needs ``batch`` only; its concatenation names the parts and has no
    length.
    """
    return await run_sync(_create, viewer, context, upload_metadata, upload_length, upload_concat)


def _create(viewer: Viewer, context: Context, upload_metadata: str, length: int | None, concat: str) -> Response:
    settings, metadata = context.settings, _parse_metadata(upload_metadata)
    batch = batch_of(f"{metadata.get('batch', '')}-{'0' * 48}")
    if batch is None:
        raise NotFound("upload.no_batch")
    require_open_batch(context, viewer, batch)
    is_partial, parts = concat == "partial", []
    if concat.startswith("final;"):
        parts = _parts(settings, batch, concat.removeprefix("final;"))
        length = sum(part.size for part in parts)
    elif concat and not is_partial:
        raise InvalidInput("upload.concat")
    if length is None:
        raise InvalidInput("upload.no_length")
    if length > settings.web.max_upload_gib * GIB:
        size, limit = length / GIB, settings.web.max_upload_gib
        message = f"The file has {size:.1f} GiB; the maximum is {limit:g} GiB."
        raise ContentTooLarge(Reason(message, "sent.too_large", gib=size, most=limit))
    name = "part" if is_partial else clean_name(metadata.get("filename", ""))
    if not name:
        raise InvalidInput("upload.no_name")
    sha256 = metadata.get("sha256", "").lower()
    if sha256 and not (len(sha256) == 64 and set(sha256) <= set("0123456789abcdef")):
        raise InvalidInput("upload.no_checksum")
    if count_uploads(settings, batch) >= settings.batch.max_files:
        message = f"A batch can have at most {settings.batch.max_files:,} files. Use several batches."
        raise InvalidInput(Reason(message, "sent.too_many", most=settings.batch.max_files))
    upload = add_upload(settings, batch, name, length, sha256, metadata.get("modified", ""), is_partial)
    if parts:
        concatenate(upload, parts)
    location = f"{router.prefix}/{upload.id}"
    return tus_response(201, location=location, upload_offset=upload.offset, **_expiry(context, upload))


def _parts(settings: ServiceSettings, batch: int, addresses: str) -> list[Upload]:
    parts = []
    for address in addresses.split():
        part_id = urlsplit(address).path.rpartition("/")[2]
        part = find_upload(settings, part_id) if batch_of(part_id) == batch else None
        if part is None or not part.is_partial:
            raise NotFound("upload.no_part")
        if not part.complete:
            raise Conflict("upload.part_incomplete")
        parts.append(part)
    if not parts:
        raise InvalidInput("upload.concat")
    return parts


def _expiry(context: Context, upload: Upload) -> dict[str, str]:
    """Return when an unfinished upload will be given up."""
    if upload.complete:
        return {}
    return {"upload_expires": format_datetime(context.clock().astimezone(dt.UTC) + ABANDONED_AFTER, usegmt=True)}


@router.head("/{upload_id}", dependencies=[Depends(check_version)])
async def upload_offset(context: Service, upload: OwnUpload) -> Response:
    """Return the offset of an upload. A request that still writes to it is stopped, because the client resumes."""
    await interrupt_writer(upload)
    offset = await run_sync(lambda: upload.offset)
    described = {"batch": str(upload.batch), "filename": upload.name, "sha256": upload.sha256}
    described |= {"modified": upload.modified}
    pairs = (f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in described.items() if value)
    concat = {"upload_concat": "partial"} if upload.is_partial else {}
    return tus_response(
        200,
        upload_offset=offset,
        upload_length=upload.size,
        upload_metadata=",".join(pairs),
        **concat,
        **_expiry(context, upload),
    )


@router.patch("/{upload_id}", status_code=204, dependencies=[Depends(check_version)])
async def resume(
    request: Request,
    context: Service,
    upload: OwnUpload,
    upload_offset: Annotated[int, Header(ge=0)],
    content_type: Annotated[str, Header()] = "",
    upload_checksum: Annotated[str, Header(max_length=200)] = "",
) -> Response:
    """Append bytes to an upload, starting at ``Upload-Offset``."""
    if content_type != BODY_TYPE:
        raise UnsupportedMediaType(f"Content-Type is {content_type!r}; expected {BODY_TYPE}.")
    checksum = Checksum.from_header(upload_checksum)
    offset = await write_body(request, context.settings, upload, upload_offset, checksum)
    return tus_response(204, upload_offset=offset, **_expiry(context, upload))


@router.delete("/{upload_id}", status_code=204, dependencies=[Depends(check_version)])
async def delete_upload(upload: OwnUpload) -> Response:
    """Delete an upload."""
    await interrupt_writer(upload)
    await run_sync(remove_upload, upload)
    return tus_response(204)


def _parse_metadata(header: str) -> dict[str, str]:
    metadata = {}
    for pair in header.split(","):
        name, _, value = pair.strip().partition(" ")
        try:
            metadata[name] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise InvalidInput(f"Upload-Metadata: {name!r} is not base64 of UTF-8 text.") from None
    return metadata
