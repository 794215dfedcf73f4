"""A received file on its way to an outcome: what is common to images, zip files and photos."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import structlog
from shapely.geometry.base import BaseGeometry
from shapely.ops import nearest_points

from configs.service import LimitSettings
from enforcement.overlap_ratio import make_valid, overlap_ratios
from errors import Reason
from imagery.ellipsoid import ELLIPSOID
from imagery.limits import Limits
from service.context import Commit, Context, JobRun
from store.objects.object_store import ObjectStoreUnavailable
from store.scenes.batches import Outcome, close_batch_if_finished, set_outcome
from store.scenes.scenes import find_area, smallest_area_at
from store.schema.database import Session, after_commit
from store.schema.tables import Batch, BatchFile

LEAST_SHARE = 0.01
"""Of the smaller of an image's ground and its area, from which the image lies in the area."""

GONE = Reason("what was received is not there any more; give the file again", "received.gone")

logger = structlog.get_logger("tuban.ingest")


@dataclass(frozen=True)
class Received:
    """A file that waits, and what of its batch matters."""

    file: BatchFile
    batch: Batch
    date: dt.date | None
    beside: tuple[str, ...]

    @property
    def keys(self) -> list[str]:
        """Of all its objects."""
        return [self.file.received, *(f"{self.file.received}.{suffix}" for suffix in self.beside)]


def waiting_file(context: Context, job: JobRun) -> Received | None:
    """The file of a job, unless it has its outcome already."""
    with context.database.read() as session:
        file = session.get(BatchFile, job.payload["file"])
        batch = session.get(Batch, file.batch_id) if file else None
    if file is None or batch is None or file.state != "waiting":
        return None
    date = job.payload["date"] and dt.date.fromisoformat(job.payload["date"])
    return Received(file, batch, date, tuple(job.payload["beside"]))


@contextmanager
def work_folder(context: Context, job: JobRun) -> Iterator[Path]:
    """A folder for this attempt; what an earlier one, that was killed, left behind is removed."""
    above = context.settings.home.resolve() / "work"
    for left in above.glob(f"ingest-{job.job_id}-*"):
        shutil.rmtree(left, ignore_errors=True)
    folder = above / f"ingest-{job.job_id}-{job.attempt}"
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def limits_of(settings: LimitSettings) -> Limits:
    """A process of its own is ended before the job is, so that its file gets an outcome."""
    limits = Limits()
    return replace(limits, rewrite_seconds=max(1, int(0.9 * 60 * settings.ingest_minutes)))


def check_location(session: Session, code: str, footprint: BaseGeometry) -> tuple[Reason, Reason]:
    """Why an image cannot be of the area with that code ("": it can), and a remark for people."""
    area = find_area(session, code)
    if area is None:
        return Reason(""), Reason("no area of its code is loaded, so its place was not checked", "area.unchecked")
    ground = make_valid(footprint)
    if overlap_ratios(ground, area.outline).of_smaller >= LEAST_SHARE:
        return Reason(""), Reason("")
    at = ground.representative_point()
    here, there = (point.coords[0] for point in nearest_points(ground, area.outline))
    distance = ELLIPSOID.inv(*here, *there)[2]
    where = f"It lies at {at.x:.5f}, {at.y:.5f} (longitude, latitude)"
    lies_in = smallest_area_at(session, at)
    if lies_in is not None:
        where += f" in {lies_in.code} {lies_in.name}"
    far = f"{distance / 1000:,.1f} km from" if distance >= 100 else "at the edge of"
    wanted = f"{code} {area.name}".strip()
    fault = Reason(
        f"{where}, {far} {wanted}. Give it with the code of its own area.",
        "area.elsewhere",
        lon=at.x,
        lat=at.y,
        lies_in=f"（{lies_in.code} {lies_in.name}）" if lies_in is not None else "",
        area=wanted,
        km=distance / 1000,
    )
    return fault, Reason("")


def ended(context: Context, received: Received, outcome: Outcome, reason: str, scene_id: int | None = None) -> Commit:
    """How to write down the outcome of a file."""
    return lambda session: end(context, session, received, outcome, reason, scene_id)


class End(NamedTuple):
    """What becomes of a file."""

    received: Received
    outcome: Outcome
    reason: str
    scene_id: int | None = None


def end(
    context: Context, session: Session, received: Received, outcome: Outcome, reason: str, scene_id: int | None
) -> None:
    """Write down the outcome of a file; what was received is removed once that stands."""
    end_all(context, session, received.batch.id, [End(received, outcome, reason, scene_id)])


def end_all(context: Context, session: Session, batch_id: int, ends: Sequence[End]) -> None:
    """The same for files of one batch at once."""
    now = context.clock()
    for one in ends:
        set_outcome(session, one.received.file.id, one.outcome, one.reason, now, one.scene_id)
    close_batch_if_finished(session, batch_id, now)
    delete_afterwards(context, session, [key for one in ends for key in one.received.keys])


def delete_afterwards(context: Context, session: Session, keys: list[str]) -> None:
    """Remove objects once the transaction stands."""

    def delete(_: Session) -> None:
        try:
            for key in keys:
                context.objects.delete(key)
        except ObjectStoreUnavailable as error:
            logger.warning("an object that is not needed any more could not be removed", error=str(error))

    after_commit(session, delete)
