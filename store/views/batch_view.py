"""Batches of the viewer's area, with the scenes made from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from errors import Reason
from store.access.rights import Viewer, may_see, scene_visible_to, visible_to
from store.scenes.batches import BatchReport, batch_report, count_files, unfinished_jobs
from store.schema.tables import Batch, BatchFile, SceneRow

FOREIGN = Reason("the same content as an image of another area", "duplicate.foreign")
"""Reason shown for a duplicate of a scene that the viewer may not see."""


class BatchProgress(NamedTuple):
    """State of a batch, number of its files by state, and number of waiting files whose job is dead."""

    state: str
    counts: dict[str, int]
    dead: int

    @property
    def mark(self) -> str:
        """A version mark that changes with every processed file."""
        return "-".join(
            [self.state, *(f"{state}{number}" for state, number in sorted(self.counts.items())), str(self.dead)]
        )


def visible_batches(
    session: Session, viewer: Viewer, *, before_id: int | None = None, limit: int = 50
) -> list[tuple[Batch, dict[str, int]]]:
    """List the batches of the viewer's area, newest first, each with its number of files by state.

    Args:
        session: a read transaction.
        viewer: the current user.
        before_id: only batches with a smaller id (keyset pagination).
        limit: maximum number of batches.
    """
    query = select(Batch).where(visible_to(Batch.area_code, viewer)).order_by(Batch.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(Batch.id < before_id)
    batches = list(session.scalars(query))
    counts = count_files(session, [batch.id for batch in batches])
    return [(batch, counts[batch.id]) for batch in batches]


def visible_batch(
    session: Session, viewer: Viewer, batch_id: int, *, state: str = "", skip: int = 0, limit: int | None = None
) -> BatchReport | None:
    """Return the status of a batch; None: it does not exist, or the viewer may not see it.

    Duplicates of another area's scene do not reveal that scene.

    ``state``, ``skip``, ``limit``: as of :func:`store.scenes.batches.batch_report`.
    """
    report = batch_report(session, batch_id, state=state, offset=skip, limit=limit)
    if report is None or not may_see(viewer, report.area_code):
        return None
    named = {file.scene_id for file in report.files if file.scene_id is not None}
    own = set(session.scalars(select(SceneRow.id).where(SceneRow.id.in_(named), scene_visible_to(viewer))))
    files = tuple(
        file
        if file.scene_id is None or file.scene_id in own
        else replace(file, scene_id=None, date=None, reason=FOREIGN)
        for file in report.files
    )
    return replace(report, files=files)


def batch_progress(session: Session, viewer: Viewer, batch_id: int) -> BatchProgress | None:
    """Return the progress of a batch; None: it does not exist, or the viewer may not see it."""
    batch = session.get(Batch, batch_id)
    if batch is None or not may_see(viewer, batch.area_code):
        return None
    dead = sum(job.state == "dead" for job in unfinished_jobs(session, batch_id)) if batch.state != "done" else 0
    return BatchProgress(batch.state, count_files(session, [batch_id])[batch_id], dead)


def scenes_of_batch(session: Session, viewer: Viewer, batch_id: int) -> Sequence[SceneRow]:
    """List the viewer's scenes that a batch's files became or duplicate, by id, each once."""
    ids = select(BatchFile.scene_id).where(BatchFile.batch_id == batch_id, BatchFile.scene_id.is_not(None))
    query = select(SceneRow).where(SceneRow.id.in_(ids), scene_visible_to(viewer)).order_by(SceneRow.id)
    return session.scalars(query).all()


def open_upload_batch(session: Session, viewer: Viewer, batch_id: int) -> Batch | None:
    """Return the viewer's own upload batch; None: it does not exist, or another user created it."""
    batch = session.get(Batch, batch_id)
    if batch is None or batch.origin != "upload" or batch.created_by != viewer.login:
        return None
    return batch if may_see(viewer, batch.area_code) else None
