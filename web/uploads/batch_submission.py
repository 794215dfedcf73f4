"""Uploaded files handed to the desk of their batch, which keeps them for the workers.

It may take long, so it is done beside the requests, by one thread for each batch, and again after a server was killed:
what is in the batch already is not handed in twice, and a file leaves the disk only when the batch has it.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from errors import ImageError, Reason, TubanError
from imagery.files.file_roles import Sorted, sort_out
from service.batch_intake import Desk
from service.context import Context
from service.file_discovery import checksum, read_sidecar, regular_file
from store.scenes.batches import end_receiving, file_names
from store.schema.tables import Batch
from web.uploads.upload_files import (
    Upload,
    batches_on_disk,
    date_of_batch,
    folder_of,
    forget_batch,
    is_complete,
    list_uploads,
    mark_complete,
)

OLD = dt.timedelta(days=7)
"""A batch to which nothing came for so long is handed over as it is, and what of it is not whole is removed."""

NOT_WHOLE = Reason("it was not sent completely", "sent.not_whole")
DAMAGED = Reason(
    "it was damaged on the way: its content is not that of the checksum that came with it; send it again",
    "sent.damaged",
)

logger = structlog.get_logger("tuban.uploads")
_running: set[tuple[str, int]] = set()
_lock = threading.Lock()


def begin_handing_over(context: Context, batch: int) -> None:
    """Hand a complete batch over in a thread of its own, unless that is being done."""
    key = (str(context.settings.home.resolve()), batch)
    with _lock:
        if key in _running:
            return
        _running.add(key)

    def work() -> None:
        try:
            hand_over(context, batch)
        except (TubanError, OSError) as error:  # no room, no store: whoever looks at the batch begins it again
            logger.warning("a batch could not be handed over", batch=batch, error=str(error))
        finally:
            with _lock:
                _running.discard(key)

    threading.Thread(target=work, name=f"hand-over-{batch}", daemon=True).start()


def hand_over(context: Context, batch: int) -> bool:
    """Hand in what is uploaded of a batch, and close its receiving. False: another process does it.

    Raises:
        OutputError: the object store cannot take the files now; to be called again.
    """
    with _alone(context, batch) as alone:
        if not alone:
            return False
        with context.database.read() as session:
            row = session.get(Batch, batch)
            have = file_names(session, batch)
        if row is None or row.state != "receiving":
            forget_batch(context.settings, batch)
            return True
        desk = Desk(context, batch, date_of_batch(context.settings, batch))
        uploads = {upload.name: upload for upload in list_uploads(context.settings, batch)}
        whole = {name: upload for name, upload in uploads.items() if upload.whole}
        for name in uploads.keys() - whole.keys() - have:
            desk.failed(name, uploads[name].offset, NOT_WHOLE)
        for entry in sort_out(whole):
            if entry.name not in have:
                _hand_in(desk, entry, whole)
            if entry.role in ("image", "zip"):  # a sidecar stays until its image has been handed in
                whole[entry.name].part.unlink(missing_ok=True)
        with desk.writing() as session:
            end_receiving(session, batch, context.clock())
        forget_batch(context.settings, batch)
        return True


def look_after_old_ones(context: Context) -> None:
    """Go on with batches that are complete, close those that were left, and remove what belongs to none."""
    for batch, last in list(batches_on_disk(context.settings)):
        if not is_complete(context.settings, batch) and context.clock() - last > OLD:
            logger.info("nothing came for an upload any more", batch=batch)
            mark_complete(context.settings, batch)
        if is_complete(context.settings, batch):
            begin_handing_over(context, batch)


def _hand_in(desk: Desk, entry: Sorted, whole: dict[str, Upload]) -> None:
    upload = whole[entry.name]
    if entry.role in ("sidecar", "ignored"):
        desk.beside(entry, upload.size)
        return
    try:
        file = regular_file(upload.part, upload.name)
        sha256 = checksum(file, upload.name, lambda _: None)
        if upload.sha256 not in ("", sha256):
            raise ImageError(DAMAGED)
        beside = {suffix: _sidecar(whole[name]) for suffix, name in entry.beside.items()}
    except ImageError as error:
        desk.failed(upload.name, upload.size, error.reason)
        return
    kind = "ingest.zip" if entry.role == "zip" else "ingest.file"
    desk.image(upload.name, upload.part, upload.size, sha256, beside, kind)


def _sidecar(upload: Upload) -> bytes:
    if upload.sha256 and checksum(regular_file(upload.part, upload.name), upload.name, lambda _: None) != upload.sha256:
        raise ImageError(
            f"{upload.name}, which lies beside it, was damaged on the way; send both again",
            "sent.damaged_beside",
            name=upload.name,
        )
    return read_sidecar(upload.part)


@contextmanager
def _alone(context: Context, batch: int) -> Iterator[bool]:
    folder = folder_of(context.settings, batch)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
