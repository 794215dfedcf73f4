"""Files of photos in progress, in ``home/uploads/field/``: as of other uploads, but named by the photo's id."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from configs.service import ServiceSettings
from service.context import Context
from service.evidence.field_photos import store_photo
from store.access.rights import Viewer
from store.field.announced_steps import NEEDS_FILE
from store.schema.chain.field_tables import FieldStep
from web.uploads.upload_files import LOCK_SUFFIX, Upload, remove_upload

FOLDER = "field"
"""Beside the folders of batches, whose names are numbers."""

ABANDONED_AFTER = dt.timedelta(days=90)
"""A phone may be without a network for weeks; after this, what arrived of a photo is deleted."""


def photo_upload(settings: ServiceSettings, step: FieldStep) -> Upload:
    """Return the upload of an announced photo; its file is created if its bytes are still missing."""
    part = _folder(settings) / f"{step.uid}.part"
    size = int(step.content["size"]) if step.state == NEEDS_FILE else 0
    if step.state == NEEDS_FILE and not part.exists():
        part.parent.mkdir(parents=True, exist_ok=True)
        part.touch()
    return Upload(0, step.uid, str(step.content.get("name", "")), size, str(step.content.get("sha256", "")), "", part)


def finish_photo(context: Context, viewer: Viewer, upload: Upload) -> None:
    """Store a completely received photo; other bytes than announced are dropped, and sent again by the phone."""
    store_photo(context, viewer, upload.key, upload.part)
    remove_upload(upload)


def received_bytes(settings: ServiceSettings, step: FieldStep) -> int:
    """Return how many bytes of an announced photo have arrived."""
    try:
        return (_folder(settings) / f"{step.uid}.part").stat().st_size
    except FileNotFoundError:
        return 0


def remove_abandoned(settings: ServiceSettings, now: dt.datetime) -> None:
    """Delete partial photos that got no bytes for :data:`ABANDONED_AFTER`; their phones begin again at 0."""
    for path in _folder(settings).glob("*.part"):
        if now - dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC) > ABANDONED_AFTER:
            for name in (path, path.with_suffix(LOCK_SUFFIX)):
                name.unlink(missing_ok=True)


def _folder(settings: ServiceSettings) -> Path:
    return settings.home.resolve() / "uploads" / FOLDER
