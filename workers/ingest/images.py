"""Jobs of the queue ``ingest``: a received file becomes a scene, a received zip file becomes further files.

An image that cannot be used is an outcome of its file, with the reason; the job itself is done then. A job fails only
where another attempt may go well: no room, no object store, a killed process. From the second attempt on a file is
worked on in a process of its own, so that one that brings down its reader gets an outcome too.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from errors import ImageError, Reason
from imagery.conversion.ingest import ingest_image
from imagery.conversion.ingested_image import IngestedImage
from imagery.drone.photo import Photo
from imagery.files.file_roles import SHOTS_SUFFIX, assign_file_roles, is_hidden
from imagery.files.odm import flight_day
from imagery.files.zip_archive import Archive, Member
from imagery.limits import GIB
from service.batch_writer import BatchWriter, duplicate_of
from service.context import Commit, Context, JobRun
from service.file_discovery import read_sidecar, unique_names
from service.job_registry import JobKind, ReleaseJob
from store.objects.object_store import ObjectNotFound, ObjectStore
from store.scenes.batches import file_names
from store.scenes.scenes import add_scene, scene_by_sha256
from store.schema.database import Session
from workers.ingest.intake_outcome import (
    GONE,
    Received,
    check_location,
    delete_afterwards,
    end,
    ended,
    limits_of,
    waiting_file,
    work_folder,
)
from workers.ingest.photos import JOB_KINDS as OF_PHOTOS
from workers.ingest.photos import as_photo, checked

_DAMAGED = Reason("it was damaged after it was received; give the file again", "received.damaged")


def ingest_file(context: Context, job: JobRun) -> Commit | None:
    """Check one received file, rewrite it as a COG and make a scene of it."""
    received = waiting_file(context, job)
    if received is None:
        return None
    file = received.file
    with context.database.read() as session:
        known = scene_by_sha256(session, file.sha256 or "")
    if known is not None:
        return ended(context, received, "duplicate", duplicate_of(known), known.id)
    with work_folder(context, job) as folder:
        cog = folder / "scene.tif"
        try:
            photo = _photo(context, job, received, folder)
            if photo is not None:
                return checked(context, received, photo)
            image = _ingested(context, job, received, folder, cog)
        except (ImageError, ObjectNotFound) as error:
            reason = GONE if isinstance(error, ObjectNotFound) else error.reason
            return ended(context, received, "failed", reason)
        if image.sha256 != file.sha256:
            return ended(context, received, "failed", _DAMAGED)
        with context.database.read() as session:
            fault, remark = check_location(session, received.batch.area_code, image.footprint)
        if fault:
            return ended(context, received, "failed", fault)
        key = f"scenes/{image.object_sha256[:2]}/{image.object_sha256}.tif"
        context.objects.put(key, cog)
    remarks = Reason.combine([*image.remarks, *([remark] if remark else [])])
    return _placed(context, received, image, key, remarks)


def ingest_zip(context: Context, job: JobRun) -> Commit | None:
    """Unpack a received zip file: each file in it becomes a file of the batch."""
    received = waiting_file(context, job)
    if received is None:
        return None
    file, limits = received.file, context.settings.batch
    writer = BatchWriter(context, received.batch.id, received.date)
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
            work_folder(context, job) as folder,
        ):
            number = _unpack(writer, job, archive, file.name, folder)
    except (ImageError, ObjectNotFound) as error:
        reason = GONE if isinstance(error, ObjectNotFound) else error.reason
        return ended(context, received, "failed", reason)
    unpacked = Reason(f"unpacked: {number} {'file' if number == 1 else 'files'}", "zip.unpacked", number=number)
    return ended(context, received, "used", unpacked)


JOB_KINDS = (JobKind("ingest.file", "ingest", ingest_file), JobKind("ingest.zip", "ingest", ingest_zip), *OF_PHOTOS)


def _ingested(context: Context, job: JobRun, received: Received, folder: Path, cog: Path) -> IngestedImage:
    file, date = received.file, received.date
    with context.objects.local(file.received) as path:
        if SHOTS_SUFFIX in received.beside:
            shots = context.objects.read(f"{file.received}.{SHOTS_SUFFIX}")
            date = flight_day(shots, context.settings.zone) or date
        if received.beside:
            path = _laid(context.objects, received, path, folder)
        return ingest_image(
            path,
            file.name,
            cog,
            limits=limits_of(context.settings.limits),
            today=context.today,
            workdir=folder,
            default_date=date,
            sandboxed=job.attempt > 1,
        )


def _photo(context: Context, job: JobRun, received: Received, folder: Path) -> Photo | None:
    """The raw photo of a drone that the file is, if it is one."""
    with context.objects.local(received.file.received) as path:
        return as_photo(context, job, received, path, folder)


def _laid(objects: ObjectStore, received: Received, path: Path, folder: Path) -> Path:
    """The image under a name of ours with its world file and .prj beside it."""
    image = folder / "image"
    try:
        os.link(path, image)
    except OSError:  # another disk
        shutil.copyfile(path, image)
    for suffix in received.beside:
        image.with_suffix(f".{suffix}").write_bytes(objects.read(f"{received.file.received}.{suffix}"))
    return image


def _placed(context: Context, received: Received, image: IngestedImage, key: str, remarks: str) -> Commit:
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
            end(context, session, received, "placed", remarks, scene_id)
            return
        known = scene_by_sha256(session, image.sha256)  # another file of the same content was faster
        assert known is not None
        if known.object_key != key:  # ours has another date in it
            delete_afterwards(context, session, [key])
        end(context, session, received, "duplicate", duplicate_of(known), known.id)

    return commit


def _unpack(writer: BatchWriter, job: JobRun, archive: Archive, zip_name: str, folder: Path) -> int:
    """Hand in every member; returns how many files there are, refused ones included."""
    with writer.context.database.read() as session:
        have = file_names(session, writer.batch_id)
    shown_members = [member for member in archive.members if not is_hidden(member.name)]
    names = unique_names(f"{zip_name}/{member.name.lstrip('/')}" for member in shown_members)
    members = dict(zip(names, shown_members, strict=True))
    entries = assign_file_roles(name for name, member in members.items() if not member.fault)
    for name, member in members.items():
        if member.fault and name not in have:
            fault = Reason.from_json(f"{member.fault[0].upper()}{member.fault[1:]}.", member.fault.to_json())
            writer.record_failed(name, member.size, fault)
    for done, entry in enumerate(entries):
        job.progress(done / len(entries))
        if job.should_stop():
            raise ReleaseJob
        member = members[entry.name]
        if entry.name in have:
            continue
        if entry.role != "image":
            writer.record_unused(entry, member.size)
            continue
        beside = {suffix: members[name] for suffix, name in entry.sidecars.items()}
        _unpack_image(writer, archive, entry.name, member, beside, folder)
    return len(members)


def _unpack_image(
    writer: BatchWriter, archive: Archive, name: str, member: Member, beside: dict[str, Member], folder: Path
) -> None:
    at = folder / "member"
    try:
        sidecars = {}
        for suffix, sidecar in beside.items():
            archive.extract(sidecar, at)
            sidecars[suffix] = read_sidecar(at)
        sha256 = archive.extract(member, at)
    except ImageError as error:
        writer.record_failed(name, member.size, error.reason)
        return
    writer.queue_file(name, at, member.size, sha256, sidecars)
    at.unlink()
