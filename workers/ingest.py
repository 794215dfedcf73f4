"""Jobs of the queue ``ingest``: a received file becomes a scene, a received zip file becomes further files.

An image that cannot be used is an outcome of its file, with the reason; the job itself is done then. A job fails only
where another attempt may go well: no room, no object store, a killed process. From the second attempt on a file is
worked on in a process of its own, so that one that brings down its reader gets an outcome too.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import structlog
from shapely.geometry.base import BaseGeometry
from shapely.ops import nearest_points
from sqlalchemy import event
from sqlalchemy.orm import Session

from configs.service import LimitSettings
from enforcement.shares import ELLIPSOID, overlap, sound
from errors import ImageError, Reason
from imagery.archive import Archive, Member
from imagery.ingest import IngestedImage, ingest_image
from imagery.limits import GIB, Limits
from imagery.sidecars import hidden, sort_out
from store.batches import Outcome, close_batch_if_finished, file_names, set_outcome
from store.objects import ObjectMissing, Objects, ObjectsUnavailable
from store.scenes import add_scene, known_area, scene_by_sha256, smallest_area_at
from store.tables import Batch, BatchFile
from workers.brought import distinct, read_sidecar
from workers.context import Commit, Context, Work
from workers.kinds import GiveBack, Kind
from workers.receive import Desk, same_as

LEAST_SHARE = 0.01
"""Of the smaller of an image's ground and its area, from which the image lies in the area."""

_GONE = Reason("what was received is not there any more; give the file again", "received.gone")
_DAMAGED = Reason("it was damaged after it was received; give the file again", "received.damaged")

logger = structlog.get_logger("tuban.ingest")


@dataclass(frozen=True)
class _Received:
    """A file that waits, and what of its batch matters."""

    file: BatchFile
    batch: Batch
    date: dt.date | None
    beside: tuple[str, ...]

    @property
    def keys(self) -> list[str]:
        """Of all its objects."""
        return [self.file.received, *(f"{self.file.received}.{suffix}" for suffix in self.beside)]


def ingest_file(context: Context, work: Work) -> Commit | None:
    """Check one received file, rewrite it as a COG and make a scene of it."""
    received = _waiting(context, work)
    if received is None:
        return None
    file = received.file
    with context.database.read() as session:
        known = scene_by_sha256(session, file.sha256 or "")
    if known is not None:
        return _ended(context, received, "duplicate", same_as(known), known.id)
    with _folder(context, work) as folder:
        cog = folder / "scene.tif"
        try:
            image = _ingested(context, work, received, folder, cog)
        except (ImageError, ObjectMissing) as error:
            reason = _GONE if isinstance(error, ObjectMissing) else error.reason
            return _ended(context, received, "failed", reason)
        if image.sha256 != file.sha256:
            return _ended(context, received, "failed", _DAMAGED)
        with context.database.read() as session:
            fault, remark = _whereabouts(session, received.batch.area_code, image.footprint)
        if fault:
            return _ended(context, received, "failed", fault)
        key = f"scenes/{image.object_sha256[:2]}/{image.object_sha256}.tif"
        context.objects.put(key, cog)
    remarks = Reason.all([*image.remarks, *([remark] if remark else [])])
    return _placed(context, received, image, key, remarks)


def ingest_zip(context: Context, work: Work) -> Commit | None:
    """Unpack a received zip file: each file in it becomes a file of the batch."""
    received = _waiting(context, work)
    if received is None:
        return None
    file, limits = received.file, context.settings.batch
    desk = Desk(context, received.batch.id, received.date)
    try:
        with (
            context.objects.local(file.received) as path,
            Archive(
                path,
                file.name,
                max_files=limits.max_files,
                max_bytes=limits.max_unpacked_gib * GIB,
                max_ratio=limits.max_ratio,
            ) as archive,
            _folder(context, work) as folder,
        ):
            number = _unpack(desk, work, archive, file.name, folder)
    except (ImageError, ObjectMissing) as error:
        reason = _GONE if isinstance(error, ObjectMissing) else error.reason
        return _ended(context, received, "failed", reason)
    unpacked = Reason(f"unpacked: {number} {'file' if number == 1 else 'files'}", "zip.unpacked", number=number)
    return _ended(context, received, "used", unpacked)


KINDS = (Kind("ingest.file", "ingest", ingest_file), Kind("ingest.zip", "ingest", ingest_zip))


def _waiting(context: Context, work: Work) -> _Received | None:
    """The file of a job, unless it has its outcome already."""
    with context.database.read() as session:
        file = session.get(BatchFile, work.payload["file"])
        batch = session.get(Batch, file.batch_id) if file else None
    if file is None or batch is None or file.state != "waiting":
        return None
    date = work.payload["date"] and dt.date.fromisoformat(work.payload["date"])
    return _Received(file, batch, date, tuple(work.payload["beside"]))


@contextmanager
def _folder(context: Context, work: Work) -> Iterator[Path]:
    """A folder for this attempt; what an earlier one, that was killed, left behind is removed."""
    above = context.settings.home.resolve() / "work"
    for left in above.glob(f"ingest-{work.job_id}-*"):
        shutil.rmtree(left, ignore_errors=True)
    folder = above / f"ingest-{work.job_id}-{work.attempt}"
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _ingested(context: Context, work: Work, received: _Received, folder: Path, cog: Path) -> IngestedImage:
    file = received.file
    with context.objects.local(file.received) as path:
        if received.beside:
            path = _laid(context.objects, received, path, folder)
        return ingest_image(
            path,
            file.name,
            cog,
            limits=_limits(context.settings.limits),
            today=context.today,
            workdir=folder,
            default_date=received.date,
            apart=work.attempt > 1,
        )


def _laid(objects: Objects, received: _Received, path: Path, folder: Path) -> Path:
    """The image under a name of ours with its world file and .prj beside it."""
    image = folder / "image"
    try:
        os.link(path, image)
    except OSError:  # another disk
        shutil.copyfile(path, image)
    for suffix in received.beside:
        image.with_suffix(f".{suffix}").write_bytes(objects.read(f"{received.file.received}.{suffix}"))
    return image


def _limits(settings: LimitSettings) -> Limits:
    """A process of its own is ended before the job is, so that its file gets an outcome."""
    limits = Limits()
    return replace(limits, rewrite_seconds=max(1, int(0.9 * 60 * settings.ingest_minutes)))


def _whereabouts(session: Session, code: str, footprint: BaseGeometry) -> tuple[Reason, Reason]:
    """Why an image cannot be of the area with that code ("": it can), and a remark for people."""
    area = known_area(session, code)
    if area is None:
        return Reason(""), Reason("no area of its code is loaded, so its place was not checked", "area.unchecked")
    ground = sound(footprint)
    if overlap(ground, area.outline).of_smaller >= LEAST_SHARE:
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


def _placed(context: Context, received: _Received, image: IngestedImage, key: str, remarks: str) -> Commit:
    def commit(session: Session) -> None:
        now = context.clock()
        scene_id = add_scene(
            session,
            image,
            area_code=received.batch.area_code,
            name=received.file.name,
            source=received.batch.source,
            object_key=key,
            now=now,
        )
        if scene_id is not None:
            _end(context, session, received, "placed", remarks, scene_id)
            return
        known = scene_by_sha256(session, image.sha256)  # another file of the same content was faster
        assert known is not None
        if known.object_key != key:  # ours has another date in it
            _delete_afterwards(context, session, [key])
        _end(context, session, received, "duplicate", same_as(known), known.id)

    return commit


def _ended(context: Context, received: _Received, outcome: Outcome, reason: str, scene_id: int | None = None) -> Commit:
    return lambda session: _end(context, session, received, outcome, reason, scene_id)


def _end(
    context: Context, session: Session, received: _Received, outcome: Outcome, reason: str, scene_id: int | None
) -> None:
    """Write down the outcome; what was received is removed once that stands."""
    now = context.clock()
    set_outcome(session, received.file.id, outcome, reason, now, scene_id)
    close_batch_if_finished(session, received.batch.id, now)
    _delete_afterwards(context, session, received.keys)


def _delete_afterwards(context: Context, session: Session, keys: list[str]) -> None:
    def delete(_: Session) -> None:
        try:
            for key in keys:
                context.objects.delete(key)
        except ObjectsUnavailable as error:
            logger.warning("an object that is not needed any more could not be removed", error=str(error))

    event.listen(session, "after_commit", delete, once=True)


def _unpack(desk: Desk, work: Work, archive: Archive, zip_name: str, folder: Path) -> int:
    """Hand in every member; returns how many files there are, refused ones included."""
    with desk.context.database.read() as session:
        have = file_names(session, desk.batch_id)
    shown_members = [member for member in archive.members if not hidden(member.name)]
    names = distinct(f"{zip_name}/{member.name.lstrip('/')}" for member in shown_members)
    members = dict(zip(names, shown_members, strict=True))
    entries = sort_out(name for name, member in members.items() if not member.fault)
    for name, member in members.items():
        if member.fault and name not in have:
            fault = Reason.of(f"{member.fault[0].upper()}{member.fault[1:]}.", member.fault.told())
            desk.failed(name, member.size, fault)
    for done, entry in enumerate(entries):
        work.progress(done / len(entries))
        if work.stopping():
            raise GiveBack
        member = members[entry.name]
        if entry.name in have:
            continue
        if entry.role != "image":
            desk.beside(entry, member.size)
            continue
        beside = {"wld": entry.world, "prj": entry.prj}
        _unpack_image(desk, archive, entry.name, member, {s: members[n] for s, n in beside.items() if n}, folder)
    return len(members)


def _unpack_image(
    desk: Desk, archive: Archive, name: str, member: Member, beside: dict[str, Member], folder: Path
) -> None:
    at = folder / "member"
    try:
        sidecars = {}
        for suffix, sidecar in beside.items():
            archive.extract(sidecar, at)
            sidecars[suffix] = read_sidecar(at)
        sha256 = archive.extract(member, at)
    except ImageError as error:
        desk.failed(name, member.size, error.reason)
        return
    desk.image(name, at, member.size, sha256, sidecars)
    at.unlink()
