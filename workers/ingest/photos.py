"""Jobs for drone photos: check each photo, then build one mosaic per flight of a batch.

A checked photo waits until all other files of its batch are checked. Then ``ingest.mosaic`` orients the photos,
registered to the newest suitable reference image if there is one, and records each mosaic as a scene.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

from errors import ImageError, Reason
from imagery.conversion.ingested_image import IngestedImage
from imagery.drone.orientation import sensor_footprint
from imagery.drone.photo import Photo, is_photo
from imagery.drone.photo_check import check_photo
from imagery.drone.settings import drone_settings
from imagery.files.formats import JPEG
from imagery.files.inspection import inspect_file
from imagery.files.safe_file import check_regular_file
from imagery.limits import GIB, MIB
from imagery.sandbox import SandboxError, decoding_limits, run_sandboxed
from imagery.set_operations import intersection, make_valid, union_all
from service.context import Commit, Context, JobRun
from service.images.duplicates import duplicate_of
from service.intact_image import intact_image
from service.job_registry import JobKind
from store.integrity.damage import DamagedObjectError
from store.objects.object_store import ObjectNotFound
from store.scenes.batches import Outcome, close_batch_if_finished
from store.scenes.photos import add_photo, place_photo, reference_scenes, scene_of_photo, waiting_photos
from store.scenes.scenes import add_scene, scene_by_sha256
from store.schema.database import Session
from store.schema.tables import Batch, BatchFile
from workers.ingest.intake_outcome import (
    OBJECT_MISSING,
    FileOutcome,
    ReceivedFile,
    check_location,
    delete_after_commit,
    file_ended,
    ingest_limits,
    record_outcomes,
    work_folder,
)

_TASK = "workers.ingest.photos_sandboxed:run_task"
CHECKED = Reason("checked; waits for the other files of its batch", "photo.checked")
MAX_REFERENCE_GSD_M = 1.0
"""Coarsest ground sample distance of a reference image, in metres per pixel."""

_MAX_IN_PROCESS_PX = 64_000_000  # larger photos are checked in a sandboxed process
_MIN_REFERENCE_COVER = 0.5  # share of the photos' ground that a reference image should cover


def read_photo(context: Context, job: JobRun, received: ReceivedFile, path: Path, folder: Path) -> Photo | None:
    """Return a received file as a drone photo; None: it is something else.

    Raises:
        ImageError: it is a photo that cannot be oriented.
    """
    file = replace(check_regular_file(path), name=received.file.name)
    if (
        received.batch.source != "drone"
        or {"wld", "prj"} & set(received.sidecars)
        or not file.head.startswith(b"\xff\xd8\xff")
    ):
        return None
    limits = ingest_limits(context.settings.limits)
    file_format, declared = inspect_file(file, limits)
    if file_format != JPEG or not is_photo(file, file_format):
        return None
    request = _photo_request(context, received.file, received.given.date, path, received.given.folder)
    if job.attempt == 1 and declared.width * declared.height <= _MAX_IN_PROCESS_PX:
        return check_photo(
            path, request["name"], drone_settings(), limits=limits, today=context.today,
            default_date=received.given.date, sha256=request["sha256"],
        )  # fmt: skip
    task = request | {"what": "check", "limits": asdict(limits)}
    try:
        return Photo.from_json(
            run_sandboxed(_TASK, task, limits=decoding_limits(limits, file_bytes=64 * MIB), workdir=folder)
        )
    except SandboxError:
        raise ImageError(
            f"{file.name} could not be decoded within the limits. Save it again as JPEG.",
            "photo.undecodable",
            name=file.name,
        ) from None


def photo_checked(context: Context, received: ReceivedFile, photo: Photo) -> Commit:
    """Return a commit function that records a checked photo, or its outcome if it is a duplicate or elsewhere."""
    outline, error_m = sensor_footprint(photo)
    with context.database.read() as session:
        known = scene_of_photo(session, received.file.sha256 or "")
        mismatch, _ = check_location(session, received.batch.area_code, outline)
    if known is not None:
        return file_ended(context, received, "duplicate", duplicate_of(known), known.id)
    if mismatch:
        return file_ended(context, received, "failed", mismatch)
    taken = photo.taken.isoformat(" ") if photo.taken else ""

    def commit(session: Session) -> None:
        file = session.get(BatchFile, received.file.id)
        if file is not None and file.state == "waiting":
            add_photo(session, file.id, outline, error_m, taken, photo.date, photo.camera)
            words = Reason.combine([CHECKED, *photo.remarks])
            file.reason, file.why = str(words), words.to_json()
            session.flush()
        close_batch_if_finished(session, received.batch.id, context.clock())

    return commit


def build_mosaics(context: Context, job: JobRun) -> Commit | None:
    """Build mosaics of a batch's checked photos, one per flight, and record each as a scene."""
    with context.database.read() as session:
        batch = session.get(Batch, job.payload["batch"])
        waiting = waiting_photos(session, job.payload["files"])
    if batch is None or not waiting:
        return None
    files, photos = [file for file, _ in waiting], {file.id: photo for file, photo in waiting}
    received = {file.id: ReceivedFile(file, batch) for file in files}
    twins = _find_twins(files)
    with work_folder(context, job) as folder, ExitStack() as opened:
        requests, missing = [], []
        for file in files:
            try:
                path = opened.enter_context(context.objects.local(file.received))
            except ObjectNotFound:
                missing.append(file.id)
                continue
            if file.id not in twins:
                requests.append(_photo_request(context, file, photos[file.id].date, path))
        reference = _find_reference(context, [photos[request["file"]].outline for request in requests], opened)
        result = _run_mosaics(context, batch, requests, reference, folder)
        for flight in result["flights"]:
            flight["image"]["sha256"] = _checksum([file.sha256 or "" for file in files if file.id in _used(flight)])
            flight["key"] = _scene_key(flight["image"]["object_sha256"])
            context.objects.put(flight["key"], Path(flight["cog"]))
    failed = {one["file"]: Reason.from_json(*one["reason"]) for one in result["failed"]}
    failed |= dict.fromkeys(missing, OBJECT_MISSING)

    def commit(session: Session) -> None:
        outcomes = []
        for number, flight in enumerate(result["flights"], start=1):
            name = batch.name if len(result["flights"]) == 1 else f"{batch.name} ({number})"
            outcomes += _record_flight(context, session, flight, batch, name, received)
        outcomes += [FileOutcome(received[file], "failed", reason) for file, reason in failed.items()]
        by_file = {one.received.file.id: one for one in outcomes}
        for file, first in twins.items():
            name = received[first].file.name
            reason = Reason(f"the same content as {name}", "photo.twin", name=name)
            outcomes.append(FileOutcome(received[file], "duplicate", reason, by_file[first].scene_id))
        record_outcomes(context, session, batch.id, outcomes)

    return commit


JOB_KINDS = (JobKind("ingest.mosaic", "ingest", build_mosaics),)


def _photo_request(
    context: Context, file: BatchFile, date: dt.date | None, path: Path, folder: str = ""
) -> dict[str, Any]:
    """Return the part of a sandbox task that describes a photo."""
    return {
        "file": file.id,
        "path": str(path.absolute()),
        "name": f"{folder}/{file.name}" if folder else file.name,  # the folder may hold the day
        "sha256": file.sha256 or "",
        "today": context.today.isoformat(),
        "default_date": date and date.isoformat(),
    }


def _run_mosaics(
    context: Context,
    batch: Batch,
    requests: Sequence[dict[str, Any]],
    reference: dict[str, str] | None,
    folder: Path,
) -> dict[str, Any]:
    """Build the mosaics in a sandboxed process; return the result of :func:`workers.ingest.photos_sandboxed.mosaic`."""
    limits = ingest_limits(context.settings.limits)
    task = {
        "what": "mosaic", "photos": requests, "reference": reference, "workdir": str(folder), "name": batch.name,
        "today": context.today.isoformat(), "elevation": context.settings.photos.elevation,
        "limits": asdict(limits),
    }  # fmt: skip
    process_limits = decoding_limits(limits, file_bytes=limits.rewrite_file_bytes)
    try:
        result: dict[str, Any] = run_sandboxed(_TASK, task, limits=process_limits, workdir=folder)
    except SandboxError:
        reason = Reason(
            f"no mosaic of the {len(requests)} photos could be built within {limits.rewrite_seconds:,} s and "
            f"{limits.rewrite_memory_bytes / GIB:.1f} GiB of memory; submit them in smaller batches",
            "photo.too_many",
            photos=len(requests),
        )
        failed = [{"file": request["file"], "reason": [str(reason), reason.to_json()]} for request in requests]
        return {"flights": [], "failed": failed}
    return result


def _find_twins(files: Sequence[BatchFile]) -> dict[int, int]:
    """Map each file to the first file of the same content."""
    first: dict[str, int] = {}
    return {
        file.id: first[file.sha256 or ""] for file in files if first.setdefault(file.sha256 or "", file.id) != file.id
    }


def _used(flight: dict[str, Any]) -> set[int]:
    """Return the files of the photos that the mosaic shows."""
    return {photo["file"] for photo in flight["photos"] if not photo["exclusion"]}


def _checksum(sha256_of_photos: Sequence[str]) -> str:
    """Return the checksum that identifies a mosaic: the same photos are the same mosaic."""
    return hashlib.sha256("\n".join(sorted(sha256_of_photos)).encode()).hexdigest()


def _scene_key(sha256: str) -> str:
    return f"scenes/{sha256[:2]}/{sha256}.tif"


def _find_reference(context: Context, footprints: Sequence[BaseGeometry], opened: ExitStack) -> dict[str, str] | None:
    """Return path and name of the reference image: the newest that covers enough, else the one that covers most."""
    if not footprints:
        return None
    ground = make_valid(union_all(footprints))
    with context.database.read() as session:
        scenes = reference_scenes(session, ground, MAX_REFERENCE_GSD_M)
        covers = [intersection(ground, make_valid(scene.outline)).area / ground.area for scene in scenes]
    sufficient = [scene for scene, cover in zip(scenes, covers, strict=True) if cover >= _MIN_REFERENCE_COVER]
    if not scenes:
        return None
    best = sufficient[0] if sufficient else max(zip(covers, scenes, strict=True), key=lambda pair: pair[0])[1]
    try:
        path = opened.enter_context(intact_image(context, best))
    except DamagedObjectError:
        return None
    return {"path": str(path), "name": best.name}


def _record_flight(
    context: Context,
    session: Session,
    flight: dict[str, Any],
    batch: Batch,
    name: str,
    received: dict[int, ReceivedFile],
) -> list[FileOutcome]:
    """Record a mosaic as a scene; return the outcomes of its photos."""
    image = replace(IngestedImage.from_json(flight["image"]), date_source=flight["date_source"])
    mismatch, remark = check_location(session, batch.area_code, image.footprint)
    outcome: Outcome = "failed"
    scene_id = None
    if not mismatch:
        outcome, scene_id = _add_scene(context, session, image, batch, name, flight["key"])
    outcomes = []
    for photo in flight["photos"]:
        outline = shapely.from_wkb(photo["outline"])
        if not outline.is_empty:
            place_photo(session, photo["file"], outline, photo["tied_to"], photo["error_m"], photo["residual_m"])
        reason = mismatch or Reason.combine([Reason.from_json(*photo["reason"]), *([remark] if remark else [])])
        file = received[photo["file"]]
        excluded = bool(photo["exclusion"])
        outcomes.append(
            FileOutcome(file, "failed", reason) if excluded else FileOutcome(file, outcome, reason, scene_id)
        )
    return outcomes + [
        FileOutcome(received[photo["file"]], "failed", Reason.from_json(*photo["reason"]))
        for photo in flight["unplaced"]
    ]


def _add_scene(
    context: Context, session: Session, image: IngestedImage, batch: Batch, name: str, key: str
) -> tuple[Outcome, int]:
    """Add the mosaic's scene, or return the known scene of the same photos."""
    scene_id = add_scene(
        session, image, area_code=batch.area_code, name=name, source=batch.source, object_key=key, now=context.clock()
    )
    if scene_id is not None:
        return "placed", scene_id
    known = scene_by_sha256(session, image.sha256)
    assert known is not None
    if known.object_key != key:
        delete_after_commit(context, session, [key])
    return "duplicate", known.id
