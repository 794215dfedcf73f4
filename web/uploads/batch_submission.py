"""Submit uploaded files to their batch.

Submission may take long, so one thread for each batch does it beside the requests, and again after a server was killed:
files that the batch has are not submitted twice, and a file leaves the disk only when the batch has it.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from errors import Reason, TubanError
from imagery.files.file_roles import FileRole
from service.batch_writer import BatchWriter, SubmittedFile, submit_files
from service.context import Context
from store.scenes.batches import file_names, finish_receiving
from store.schema.tables import Batch
from web.uploads.upload_files import (
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

INCOMPLETE = Reason("it was not sent completely", "sent.not_whole")

logger = structlog.get_logger("tuban.uploads")
_running: set[tuple[str, int]] = set()
_lock = threading.Lock()


def start_submission(context: Context, batch: int) -> None:
    """Hand a complete batch over in a thread of its own, unless that is being done."""
    key = (str(context.settings.home.resolve()), batch)
    with _lock:
        if key in _running:
            return
        _running.add(key)

    def work() -> None:
        try:
            submit_batch(context, batch)
        except (TubanError, OSError) as error:  # no room, no store: whoever looks at the batch begins it again
            logger.warning("a batch could not be handed over", batch=batch, error=str(error))
        finally:
            with _lock:
                _running.discard(key)

    threading.Thread(target=work, name=f"hand-over-{batch}", daemon=True).start()


def submit_batch(context: Context, batch: int) -> bool:
    """Hand in what is uploaded of a batch, and close its receiving. False: another process does it.

    Raises:
        OutputError: the object store cannot take the files now; to be called again.
    """
    with _exclusive(context, batch) as alone:
        if not alone:
            return False
        with context.database.read() as session:
            row = session.get(Batch, batch)
            present = file_names(session, batch)
        if row is None or row.state != "receiving":
            forget_batch(context.settings, batch)
            return True
        writer = BatchWriter(context, batch, date_of_batch(context.settings, batch))
        uploads = {upload.name: upload for upload in list_uploads(context.settings, batch)}
        complete = {name: upload for name, upload in uploads.items() if upload.whole}
        for name in uploads.keys() - complete.keys() - present:
            writer.add_failed(name, uploads[name].offset, INCOMPLETE)
        files = {name: SubmittedFile(name, one.part, one.size, one.sha256) for name, one in complete.items()}

        def delete_part(role: FileRole) -> None:
            if role.role in ("image", "zip"):  # a sidecar stays until its image has been submitted
                files[role.name].path.unlink(missing_ok=True)

        submit_files(writer, files, submitted=delete_part)
        with writer.writing() as session:
            finish_receiving(session, batch, context.clock())
        forget_batch(context.settings, batch)
        return True


def resume_submissions(context: Context) -> None:
    """Go on with batches that are complete, close those that were left, and remove what belongs to none."""
    for batch, last in list(batches_on_disk(context.settings)):
        if not is_complete(context.settings, batch) and context.clock() - last > OLD:
            logger.info("nothing came for an upload any more", batch=batch)
            mark_complete(context.settings, batch)
        if is_complete(context.settings, batch):
            start_submission(context, batch)


@contextmanager
def _exclusive(context: Context, batch: int) -> Iterator[bool]:
    folder = folder_of(context.settings, batch)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
