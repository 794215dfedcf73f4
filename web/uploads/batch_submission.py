"""Submit uploaded files to their batch.

Submission can take long, so each batch is submitted in a background thread, and again after a crash: files that the
batch already has are not submitted twice, and a file is deleted from the disk only when the batch has it.
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
    folder_of,
    given_for_batch,
    is_complete,
    list_uploads,
    mark_complete,
    remove_batch_folder,
)

ABANDONED_AFTER = dt.timedelta(days=7)
"""A batch without new data for this long is submitted as it is; its incomplete files fail and are deleted."""

INCOMPLETE = Reason("it was not sent completely", "sent.not_whole")

logger = structlog.get_logger("tuban.uploads")
_running: set[tuple[str, int]] = set()
_lock = threading.Lock()


def start_submission(context: Context, batch: int) -> None:
    """Submit a complete batch in a background thread, unless one already does."""
    key = (str(context.settings.home.resolve()), batch)
    with _lock:
        if key in _running:
            return
        _running.add(key)

    def work() -> None:
        try:
            submit_batch(context, batch)
        except (TubanError, OSError) as error:  # disk full, store unavailable: retried when the batch is next requested
            logger.warning("batch submission failed", batch=batch, error=str(error))
        finally:
            with _lock:
                _running.discard(key)

    threading.Thread(target=work, name=f"submit-batch-{batch}", daemon=True).start()


def submit_batch(context: Context, batch: int) -> bool:
    """Submit the uploads of a batch, and close it for further files.

    Returns:
        False if another process is doing it.

    Raises:
        OutputError: the object store cannot store the files now; call again later.
    """
    with _batch_lock(context, batch) as acquired:
        if not acquired:
            return False
        with context.database.read() as session:
            row = session.get(Batch, batch)
            present = file_names(session, batch)
        if row is None or row.state != "receiving":
            remove_batch_folder(context.settings, batch)
            return True
        writer = BatchWriter(context, batch, given_for_batch(context.settings, batch))
        uploads = {upload.name: upload for upload in list_uploads(context.settings, batch)}
        complete = {name: upload for name, upload in uploads.items() if upload.complete}
        for name in uploads.keys() - complete.keys() - present:
            writer.record_failed(name, uploads[name].offset, INCOMPLETE)
        files = {
            name: SubmittedFile(name, upload.part, upload.size, upload.sha256) for name, upload in complete.items()
        }

        def delete_part(role: FileRole) -> None:
            if role.role in ("image", "zip"):  # a sidecar stays until its image has been submitted
                files[role.name].path.unlink(missing_ok=True)

        submit_files(writer, files, submitted=delete_part)
        with writer.transaction() as session:
            finish_receiving(session, batch, context.clock())
        remove_batch_folder(context.settings, batch)
        return True


def resume_submissions(context: Context) -> None:
    """Submit complete and abandoned batches, and delete folders that no open batch owns."""
    for batch, last_data in list(batches_on_disk(context.settings)):
        if not is_complete(context.settings, batch) and context.clock() - last_data > ABANDONED_AFTER:
            logger.info("abandoned batch is submitted", batch=batch)
            mark_complete(context.settings, batch)
        if is_complete(context.settings, batch):
            start_submission(context, batch)


@contextmanager
def _batch_lock(context: Context, batch: int) -> Iterator[bool]:
    folder = folder_of(context.settings, batch)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
