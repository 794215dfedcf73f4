"""Steps shared by the ingest of images, zip files and photos: load a received file, locate it, record its outcome."""

from __future__ import annotations

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
from enforcement.overlap_ratio import overlap_ratios
from errors import Reason
from imagery.conversion.given_metadata import NOTHING_GIVEN, GivenMetadata
from imagery.ellipsoid import ELLIPSOID
from imagery.limits import Limits
from imagery.set_operations import make_valid
from service.context import Commit, Context, JobRun
from store.objects.object_store import ObjectStoreUnavailable
from store.scenes.batches import Outcome, close_batch_if_finished, set_outcome
from store.scenes.scenes import find_area, smallest_area_at
from store.schema.database import Session, after_commit
from store.schema.tables import Batch, BatchFile

MIN_OVERLAP = 0.01
"""Minimum overlap of an image with its area, as a share of the smaller of the two."""

OBJECT_MISSING = Reason("its received content no longer exists; submit the file again", "received.gone")

logger = structlog.get_logger("tuban.ingest")


@dataclass(frozen=True)
class ReceivedFile:
    """A received file that waits for its outcome.

    Attributes:
        file: its row.
        batch: its batch.
        given: what a person stated about it.
        sidecars: suffixes of its sidecar files.
    """

    file: BatchFile
    batch: Batch
    given: GivenMetadata = NOTHING_GIVEN
    sidecars: tuple[str, ...] = ()

    @property
    def keys(self) -> list[str]:
        """Keys of its objects."""
        return [self.file.received, *(f"{self.file.received}.{suffix}" for suffix in self.sidecars)]


def load_waiting_file(context: Context, job: JobRun) -> ReceivedFile | None:
    """Return the file of a job; None if it already has an outcome."""
    with context.database.read() as session:
        file = session.get(BatchFile, job.payload["file"])
        batch = session.get(Batch, file.batch_id) if file else None
    if file is None or batch is None or file.state != "waiting":
        return None
    given = job.payload.get("given") or {"date": job.payload.get("date")}  # the latter: added by an earlier version
    return ReceivedFile(file, batch, GivenMetadata.from_json(given), tuple(job.payload["beside"]))


@contextmanager
def work_folder(context: Context, job: JobRun) -> Iterator[Path]:
    """Create a folder for this attempt, and remove those of earlier attempts that were killed."""
    parent = context.settings.home.resolve() / "work"
    for stale in parent.glob(f"ingest-{job.job_id}-*"):
        shutil.rmtree(stale, ignore_errors=True)
    folder = parent / f"ingest-{job.job_id}-{job.attempt}"
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def ingest_limits(settings: LimitSettings) -> Limits:
    """Return decoding limits; the sandboxed process is stopped before the job is, so that its file gets an outcome."""
    limits = Limits()
    return replace(limits, rewrite_seconds=max(1, int(0.9 * 60 * settings.ingest_minutes)))


def check_location(session: Session, code: str, footprint: BaseGeometry) -> tuple[Reason, Reason]:
    """Check that an image lies in the area with that code.

    Args:
        session: for reading.
        code: administrative code of the batch.
        footprint: of the image, in longitude and latitude (EPSG:4490).

    Returns:
        The reason why the image is not in the area ("": it is), and a remark to record with it.
    """
    area = find_area(session, code)
    if area is None:
        return Reason(""), Reason("no area of its code is loaded, so its place was not checked", "area.unchecked")
    ground = make_valid(footprint)
    if overlap_ratios(ground, area.outline).of_smaller >= MIN_OVERLAP:
        return Reason(""), Reason("")
    centre = ground.representative_point()
    here, there = (point.coords[0] for point in nearest_points(ground, area.outline))
    distance = ELLIPSOID.inv(*here, *there)[2]
    where = f"It lies at {centre.x:.5f}, {centre.y:.5f} (longitude, latitude)"
    lies_in = smallest_area_at(session, centre)
    if lies_in is not None:
        where += f" in {lies_in.code} {lies_in.name}"
    distance_text = f"{distance / 1000:,.1f} km from" if distance >= 100 else "at the edge of"
    expected = f"{code} {area.name}".strip()
    mismatch = Reason(
        f"{where}, {distance_text} {expected}. Submit it with the code of its own area.",
        "area.elsewhere",
        lon=centre.x,
        lat=centre.y,
        lies_in=f"（{lies_in.code} {lies_in.name}）" if lies_in is not None else "",
        area=expected,
        km=distance / 1000,
    )
    return mismatch, Reason("")


def file_ended(
    context: Context, received: ReceivedFile, outcome: Outcome, reason: str, scene_id: int | None = None
) -> Commit:
    """Return a commit function that records the outcome of a file."""
    return lambda session: record_outcome(context, session, received, outcome, reason, scene_id)


class FileOutcome(NamedTuple):
    """Outcome of a received file, with the reason and its scene."""

    received: ReceivedFile
    outcome: Outcome
    reason: str
    scene_id: int | None = None


def record_outcome(
    context: Context, session: Session, received: ReceivedFile, outcome: Outcome, reason: str, scene_id: int | None
) -> None:
    """Record the outcome of a file; its received objects are deleted after the commit."""
    record_outcomes(context, session, received.batch.id, [FileOutcome(received, outcome, reason, scene_id)])


def record_outcomes(context: Context, session: Session, batch_id: int, outcomes: Sequence[FileOutcome]) -> None:
    """Record the outcomes of files of one batch; their received objects are deleted after the commit."""
    now = context.clock()
    for one in outcomes:
        set_outcome(session, one.received.file.id, one.outcome, one.reason, now, one.scene_id)
    close_batch_if_finished(session, batch_id, now)
    delete_after_commit(context, session, [key for one in outcomes for key in one.received.keys])


def delete_after_commit(context: Context, session: Session, keys: list[str]) -> None:
    """Delete objects once the transaction is committed."""

    def delete(_: Session) -> None:
        try:
            for key in keys:
                context.objects.delete(key)
        except ObjectStoreUnavailable as error:
            logger.warning("an unused object could not be deleted", error=str(error))

    after_commit(session, delete)
