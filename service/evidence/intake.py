"""Receive an evidence file: check its content in a sandbox, keep the original bytes, make a copy for browsers.

Used by the alert's page, the API, phones (after their resumable upload) and tips. Order: bytes first, then the row, so
that a row never refers to bytes that are missing; bytes without a row are removed by :func:`discard_objects` or by the
check of stored objects.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from errors import ImageError, TubanError
from imagery.files.evidence_content import EXTENSIONS, check_content
from imagery.limits import GIB
from imagery.sandbox import ResourceLimits, SandboxError, run_sandboxed
from service.context import Context
from store.evidence.evidence_files import ReceivedFile, file_by_uid, new_uid, object_key, shown_key
from store.objects.object_store import file_digest

_LIMITS = ResourceLimits(wall_seconds=60, memory_bytes=3 * GIB, cpu_seconds=60, file_bytes=64 * 2**20)
_FUNCTION = f"{check_content.__module__}:{check_content.__name__}"


class FileRefused(TubanError):  # noqa: N818  (a finding about the file)
    """The file is not accepted: its format, size or checksum; the message says what is expected."""


def receive_file(
    context: Context,
    path: Path,
    *,
    name: str,
    uid: str = "",
    sha256: str = "",
    accept: Literal["photo", "any"] = "any",
    max_bytes: int,
    record: Mapping[str, Any] | None = None,
) -> ReceivedFile:
    """Check a received file and store its bytes; the caller adds the row with ``store.evidence.add_file``.

    Args:
        context: object store, settings.
        path: the complete file, outside of the object store; it is not changed.
        name: original name, for display.
        uid: id made by the sender; "": a new one.
        sha256: announced by the sender; "": not announced.
        accept: ``photo`` or ``any``.
        max_bytes: largest accepted size.
        record: the photo's own record by the sender; what the camera wrote is added under ``exif``.

    Raises:
        FileRefused: too large, empty, other bytes than announced, not an accepted format, or damaged.
        ObjectStoreUnavailable: the bytes cannot be stored now.
    """
    size, shown_name = path.stat().st_size, name.replace("\\", "/").rpartition("/")[2].strip()[:200] or "file"
    if size == 0:
        raise FileRefused(f"{shown_name} is empty. Send it again.", "evidence.empty", name=shown_name)
    if size > max_bytes:
        raise FileRefused(
            f"{shown_name} has {size / 2**20:.1f} MB; expected at most {max_bytes / 2**20:.0f} MB.",
            "evidence.too_large",
            name=shown_name,
            size=f"{size / 2**20:.1f}",
            most=f"{max_bytes / 2**20:.0f}",
        )
    digest = file_digest(path)
    if sha256 and sha256.lower() != digest:
        message = f"{shown_name} arrived with other bytes than were sent. Send it again."
        raise FileRefused(message, "evidence.checksum", name=shown_name)
    uid = uid or new_uid()
    with tempfile.TemporaryDirectory(prefix="tuban-evidence-") as folder:
        shown = Path(folder) / "shown.jpg"
        task = {"path": str(path.resolve()), "shown": str(shown), "name": shown_name}
        try:
            found = run_sandboxed(_FUNCTION, task, limits=_LIMITS, workdir=Path(folder))
        except ImageError as error:
            raise FileRefused(error.reason) from error
        except SandboxError as error:
            raise FileRefused(
                f"{shown_name} cannot be opened safely. Save it again in a usual format.",
                "evidence.unsafe",
                name=shown_name,
            ) from error
        if accept == "photo" and found["kind"] != "photo":
            raise FileRefused(f"{shown_name} is a document; expected a photo.", "evidence.not_a_photo", name=shown_name)
        key = object_key(uid, digest, EXTENSIONS[found["media_type"]])
        copy = shown_key(uid, digest) if shown.exists() else ""
        context.objects.put(key, path)
        if copy:
            context.objects.put(copy, shown)
    own = dict(record or {})
    own |= {name: found[name] for name in ("width", "height", "pages", "exif") if found.get(name)}
    return ReceivedFile(
        uid=uid,
        kind=found["kind"],
        object_key=key,
        sha256=digest,
        size=size,
        media_type=found["media_type"],
        name=shown_name,
        shown_key=copy,
        record=own,
        taken_at=_taken_at(own, context.settings.zone),
    )


def discard_objects(context: Context, received: ReceivedFile) -> None:
    """Delete the bytes of a file whose row was refused, unless another row refers to them."""
    with context.database.read() as session:
        stored = file_by_uid(session, received.uid)
    if stored is None or stored.object_key != received.object_key:
        for key in (received.object_key, received.shown_key):
            if key:
                context.objects.delete(key)


def _taken_at(record: Mapping[str, Any], zone: ZoneInfo) -> dt.datetime | None:
    """Return the best known time of capture: by GPS, by the page, else by the camera, in the bureau's time zone."""
    exif = record.get("exif")
    times = (record.get("gps_time"), record.get("device_time"), (exif or {}).get("device_time"))
    for written in times:
        try:
            moment = dt.datetime.fromisoformat(str(written))
        except ValueError:
            continue
        return moment if moment.tzinfo else moment.replace(tzinfo=zone)
    return None
