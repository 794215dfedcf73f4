"""Resumable uploads of photos of checks: tus 1.0.0, core. The announcement of the photo has created the upload.

A photo belongs to the person who announced it; for all others it does not exist.
"""

from __future__ import annotations

from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import Response

from store.field.announced_steps import NEEDS_FILE, REFUSED, own_photo_step
from web.auth.authentication import CurrentUser, Service
from web.field.photo_uploads import finish_photo, photo_upload
from web.http_errors import NotFound
from web.uploads.tus_body import interrupt_writer, write_body
from web.uploads.tus_routes import BODY_TYPE, UnsupportedMediaType, check_version, tus_response
from web.uploads.upload_files import Upload

router = APIRouter(prefix="/api/uploads/field", include_in_schema=False, dependencies=[Depends(check_version)])


def _own_photo(uid: str, viewer: CurrentUser, context: Service) -> Upload:
    with context.database.read() as session:
        step = own_photo_step(session, viewer, uid)
        if step is None or step.state == REFUSED:
            raise NotFound
        upload = photo_upload(context.settings, step)
        return upload if step.state == NEEDS_FILE else _complete(upload, int(step.content.get("size", 0)))


def _complete(upload: Upload, size: int) -> Upload:
    """Return an upload whose bytes were stored already: its offset is its size."""
    return Upload(0, upload.key, upload.name, size, upload.sha256, "", upload.part)


OwnPhoto = Annotated[Upload, Depends(_own_photo)]


@router.head("/{uid}")
async def photo_offset(context: Service, viewer: CurrentUser, upload: OwnPhoto) -> Response:
    """Return the offset of a photo. A request that still writes to it is stopped, because the phone resumes."""
    await interrupt_writer(upload)
    offset = await run_sync(lambda: upload.offset)
    return tus_response(200, upload_offset=offset, upload_length=upload.size)


@router.patch("/{uid}", status_code=204)
async def resume_photo(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    upload: OwnPhoto,
    upload_offset: Annotated[int, Header(ge=0)],
    content_type: Annotated[str, Header()] = "",
) -> Response:
    """Append bytes to a photo; the last ones store it as evidence and apply the steps that waited for it."""
    if content_type != BODY_TYPE:
        raise UnsupportedMediaType(f"Content-Type is {content_type!r}; expected {BODY_TYPE}.")
    offset = await write_body(request, context.settings, upload, upload_offset)
    if offset >= upload.size and upload.part.exists():
        await run_sync(finish_photo, context, viewer, upload)
    return tus_response(204, upload_offset=offset)
