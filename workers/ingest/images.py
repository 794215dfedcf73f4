"""Jobs of the queue ``ingest``: turn a received file into a scene, and unpack a received zip file into further files.

An unusable image is an outcome of its file, with the reason, and the job is done. A job fails only if a retry may
succeed: full disk, unavailable object store, killed process. From the second attempt on, a file is decoded in a
sandboxed process, so that a file that crashes its decoder gets an outcome too.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

from errors import ImageError, Reason
from imagery.conversion.ingest import ingest_image
from imagery.conversion.ingested_image import IngestedImage
from imagery.drone.photo import Photo
from imagery.files.file_roles import SHOTS_SUFFIX, assign_file_roles, is_hidden
from imagery.files.odm import flight_day
from imagery.files.zip_archive import Archive, Member
from imagery.limits import GIB
from service.batch_writer import BatchWriter
from service.context import Commit, Context, JobRun
from service.file_discovery import read_sidecar, unique_names
from service.images.duplicates import duplicate_of
from service.images.requests import Actor
from service.images.rewrite import is_replaced, replace_pixels
from service.job_registry import JobKind, ReleaseJob
from store.objects.object_store import ObjectNotFound, ObjectStore
from store.scenes.batches import Outcome, file_names
from store.scenes.corrections import locked_scene
from store.scenes.scenes import add_scene, scene_by_sha256
from store.schema.database import Session
from workers.ingest.intake_outcome import (
    OBJECT_MISSING,
    ReceivedFile,
    check_location,
    delete_after_commit,
    file_ended,
    ingest_limits,
    load_waiting_file,
    record_outcome,
    work_folder,
)
from workers.ingest.photos import JOB_KINDS as PHOTO_JOB_KINDS
from workers.ingest.photos import photo_checked, read_photo
from workers.ingest.rewrite import JOB_KINDS as REWRITE_JOB_KINDS

_DAMAGED = Reason("it was damaged after it was received; submit the file again", "received.damaged")


def ingest_file(context: Context, job: JobRun) -> Commit | None:
    """Check a received file, rewrite it as a COG and record it as a scene."""
    received = load_waiting_file(context, job)
    if received is None:
        return None
    file = received.file
    with context.database.read() as session:
        known = scene_by_sha256(session, file.sha256 or "")
    replaced = known is not None and is_replaced(known, received.given, received.batch.area_code)
    if known is not None and not replaced:
        return file_ended(context, received, "duplicate", duplicate_of(known), known.id)
    with work_folder(context, job) as folder:
        cog = folder / "scene.tif"
        try:
            photo = None if replaced else _read_photo(context, job, received, folder)
            if photo is not None:
                return photo_checked(context, received, photo)
            image = _ingest_image(context, job, received, folder, cog)
        except (ImageError, ObjectNotFound) as error:
            reason = OBJECT_MISSING if isinstance(error, ObjectNotFound) else error.reason
            # a raster that is no picture belongs to its delivery: nobody needs to act
            outcome: Outcome = "ignored" if reason.code.startswith("kind.") else "failed"
            return file_ended(context, received, outcome, reason)
        if image.sha256 != file.sha256:
            return file_ended(context, received, "failed", _DAMAGED)
        with context.database.read() as session:
            mismatch, remark = check_location(session, received.batch.area_code, image.footprint)
        if mismatch:
            return file_ended(context, received, "failed", mismatch)
        key = f"scenes/{image.object_sha256[:2]}/{image.object_sha256}.tif"
        context.objects.put(key, cog)
    remarks = Reason.combine([*image.remarks, *([remark] if remark else [])])
    return _add_scene(context, received, image, key, remarks)


def ingest_zip(context: Context, job: JobRun) -> Commit | None:
    """Unpack a received zip file; its members become files of the batch."""
    received = load_waiting_file(context, job)
    if received is None:
        return None
    file, limits = received.file, context.settings.batch
    writer = BatchWriter(context, received.batch.id, received.given)
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
        reason = OBJECT_MISSING if isinstance(error, ObjectNotFound) else error.reason
        return file_ended(context, received, "failed", reason)
    unpacked = Reason(f"unpacked: {number} {'file' if number == 1 else 'files'}", "zip.unpacked", number=number)
    return file_ended(context, received, "used", unpacked)


JOB_KINDS = (
    JobKind("ingest.file", "ingest", ingest_file),
    JobKind("ingest.zip", "ingest", ingest_zip),
    *PHOTO_JOB_KINDS,
    *REWRITE_JOB_KINDS,
)


def _ingest_image(context: Context, job: JobRun, received: ReceivedFile, folder: Path, cog: Path) -> IngestedImage:
    file, given = received.file, received.given
    with context.objects.local(file.received) as path:
        if SHOTS_SUFFIX in received.sidecars:
            shots = context.objects.read(f"{file.received}.{SHOTS_SUFFIX}")
            given = replace(given, photos=flight_day(shots, context.settings.zone))
        if received.sidecars:
            path = _place_sidecars(context.objects, received, path, folder)
        return ingest_image(
            path,
            file.name,
            cog,
            limits=ingest_limits(context.settings.limits),
            today=context.today,
            workdir=folder,
            given=given,
            sandboxed=job.attempt > 1,
        )


def _read_photo(context: Context, job: JobRun, received: ReceivedFile, folder: Path) -> Photo | None:
    """Return the file as a raw drone photo; None if it is something else."""
    with context.objects.local(received.file.received) as path:
        return read_photo(context, job, received, path, folder)


def _place_sidecars(objects: ObjectStore, received: ReceivedFile, path: Path, folder: Path) -> Path:
    """Link the image into ``folder`` with its world file and .prj next to it; return the link."""
    image = folder / "image"
    try:
        os.link(path, image)
    except OSError:  # on another file system
        shutil.copyfile(path, image)
    for suffix in received.sidecars:
        image.with_suffix(f".{suffix}").write_bytes(objects.read(f"{received.file.received}.{suffix}"))
    return image


def _add_scene(context: Context, received: ReceivedFile, image: IngestedImage, key: str, remarks: str) -> Commit:
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
            record_outcome(context, session, received, "placed", remarks, scene_id)
            return
        known = scene_by_sha256(session, image.sha256)
        assert known is not None
        if is_replaced(known, received.given, received.batch.area_code):
            scene = locked_scene(session, known.id)
            assert scene is not None
            actor = Actor(received.batch.created_by, received.batch.area_code)
            why, unused = replace_pixels(session, context, scene, image, key, actor)
            delete_after_commit(context, session, unused)
            reasons = Reason.combine([why, *([remarks] if remarks else [])])
            record_outcome(context, session, received, "placed", reasons, scene.id)
            return
        # another file of the same content was faster
        if known.object_key != key:  # this COG contains another date
            delete_after_commit(context, session, [key])
        record_outcome(context, session, received, "duplicate", duplicate_of(known), known.id)

    return commit


def _unpack(writer: BatchWriter, job: JobRun, archive: Archive, zip_name: str, folder: Path) -> int:
    """Add all members to the batch; return the number of files, including refused ones."""
    with writer.context.database.read() as session:
        present = file_names(session, writer.batch_id)
    visible = [member for member in archive.members if not is_hidden(member.name)]
    names = unique_names(f"{zip_name}/{member.name.lstrip('/')}" for member in visible)
    members = dict(zip(names, visible, strict=True))
    entries = assign_file_roles(name for name, member in members.items() if not member.fault)
    for name, member in members.items():
        if member.fault and name not in present:
            fault = Reason.from_json(f"{member.fault[0].upper()}{member.fault[1:]}.", member.fault.to_json())
            writer.record_failed(name, member.size, fault)
    for done, entry in enumerate(entries):
        job.progress(done / len(entries))
        if job.should_stop():
            raise ReleaseJob
        member = members[entry.name]
        if entry.name in present:
            continue
        if entry.role == "refused":
            writer.record_failed(entry.name, member.size, entry.reason)
            continue
        if entry.role != "image":
            writer.record_unused(entry, member.size)
            continue
        sidecars = {suffix: members[name] for suffix, name in entry.sidecars.items()}
        _unpack_image(writer, archive, entry.name, member, sidecars, folder)
    return len(members)


def _unpack_image(
    writer: BatchWriter, archive: Archive, name: str, member: Member, sidecars: dict[str, Member], folder: Path
) -> None:
    path = folder / "member"
    try:
        contents = {}
        for suffix, sidecar in sidecars.items():
            archive.extract(sidecar, path)
            contents[suffix] = read_sidecar(path, suffix)
        sha256 = archive.extract(member, path)
    except ImageError as error:
        writer.record_failed(name, member.size, error.reason)
        return
    writer.queue_file(name, path, member.size, sha256, contents)
    path.unlink()
