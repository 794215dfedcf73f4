"""Jobs of photos of drones: each is checked by itself, and those of a batch then become mosaics, one for each flight.

A photo that was checked waits until its batch has nothing else to check. Then ``ingest.mosaic`` places them, by the
newest fitting image of the ground if there is one, and a mosaic is a scene like any other.
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

from enforcement.overlap_ratio import make_valid
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
from service.batch_writer import duplicate_of
from service.context import Commit, Context, JobRun
from service.job_registry import JobKind
from store.objects.object_store import ObjectNotFound
from store.scenes.batches import Outcome, close_batch_if_finished
from store.scenes.photos import add_photo, place_photo, reference_scenes, scene_of_photo, waiting_photos
from store.scenes.scenes import add_scene, scene_by_sha256
from store.schema.database import Session
from store.schema.tables import Batch, BatchFile
from workers.ingest.intake_outcome import (
    GONE,
    End,
    Received,
    check_location,
    delete_afterwards,
    end_all,
    ended,
    limits_of,
    work_folder,
)

_TASK = "workers.ingest.photos_sandboxed:run_task"
CHECKED = Reason("checked; waits for the other files of its batch", "photo.checked")
COARSEST_REFERENCE_M = 1.0
"""Metres per pixel up to which an image of the ground may serve to place photos."""

_LARGEST_HERE = 64_000_000  # pixels of a photo that is checked in this process
_LEAST_COVER = 0.5  # share of the photos' ground that a reference should show


def as_photo(context: Context, job: JobRun, received: Received, path: Path, folder: Path) -> Photo | None:
    """The photo that a received file is; None: it is something else.

    Raises:
        ImageError: it is a photo that cannot be placed.
    """
    file = replace(check_regular_file(path), name=received.file.name)
    if received.batch.source != "drone" or received.beside or not file.head.startswith(b"\xff\xd8\xff"):
        return None
    limits = limits_of(context.settings.limits)
    file_format, declared = inspect_file(file, limits)
    if file_format != JPEG or not is_photo(file, file_format):
        return None
    asked = _asked(context, received.file, received.date, path)
    if job.attempt == 1 and declared.width * declared.height <= _LARGEST_HERE:
        return check_photo(
            path, asked["name"], drone_settings(), limits=limits, today=context.today,
            default_date=received.date, sha256=asked["sha256"],
        )  # fmt: skip
    task = asked | {"what": "check", "limits": asdict(limits)}
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


def checked(context: Context, received: Received, photo: Photo) -> Commit:
    """How to write down that a file is a photo that can be placed."""
    outline, error_m = sensor_footprint(photo)
    with context.database.read() as session:
        known = scene_of_photo(session, received.file.sha256 or "")
        fault, _ = check_location(session, received.batch.area_code, outline)
    if known is not None:
        return ended(context, received, "duplicate", duplicate_of(known), known.id)
    if fault:
        return ended(context, received, "failed", fault)
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
    """Place the photos of a batch, and make a scene of each flight."""
    with context.database.read() as session:
        batch = session.get(Batch, job.payload["batch"])
        waiting = waiting_photos(session, job.payload["files"])
    if batch is None or not waiting:
        return None
    files, photos = [file for file, _ in waiting], {file.id: photo for file, photo in waiting}
    received = {file.id: Received(file, batch, None, ()) for file in files}
    same = _same(files)
    limits = limits_of(context.settings.limits)
    with work_folder(context, job) as folder, ExitStack() as opened:
        asked, gone = [], []
        for file in files:
            try:
                path = opened.enter_context(context.objects.local(file.received))
            except ObjectNotFound:
                gone.append(file.id)
                continue
            if file.id not in same:
                asked.append(_asked(context, file, photos[file.id].date, path))
        reference = _reference(context, [photos[one["file"]].outline for one in asked], opened)
        task = {
            "what": "mosaic", "photos": asked, "reference": reference, "workdir": str(folder), "name": batch.name,
            "today": context.today.isoformat(), "elevation": context.settings.photos.elevation,
            "limits": asdict(limits),
        }  # fmt: skip
        process_limits = decoding_limits(limits, file_bytes=limits.rewrite_file_bytes)
        try:
            told = run_sandboxed(_TASK, task, limits=process_limits, workdir=folder)
        except SandboxError:
            words = (
                f"the {len(asked)} photos could not be laid into a mosaic within {limits.rewrite_seconds:,} s and "
                f"{limits.rewrite_memory_bytes / GIB:.1f} GiB of memory; give them in smaller batches"
            )
            reason = Reason(words, "photo.too_many", photos=len(asked))
            told = {
                "flights": [],
                "failed": [{"file": one["file"], "reason": [words, reason.to_json()]} for one in asked],
            }
        for flight in told["flights"]:
            flight["image"]["sha256"] = _checksum([file.sha256 or "" for file in files if file.id in _of(flight)])
            flight["key"] = _key(flight["image"]["object_sha256"])
            context.objects.put(flight["key"], Path(flight["cog"]))
    failed = {one["file"]: Reason.from_json(*one["reason"]) for one in told["failed"]} | dict.fromkeys(gone, GONE)

    def commit(session: Session) -> None:
        ends = []
        for number, flight in enumerate(told["flights"], start=1):
            name = batch.name if len(told["flights"]) == 1 else f"{batch.name} ({number})"
            ends += _write_down(context, session, flight, batch, name, received)
        ends += [End(received[file], "failed", reason) for file, reason in failed.items()]
        of_file = {one.received.file.id: one for one in ends}
        for file, first in same.items():
            name = received[first].file.name
            words = Reason(f"the same content as {name}", "photo.twin", name=name)
            ends.append(End(received[file], "duplicate", words, of_file[first].scene_id))
        end_all(context, session, batch.id, ends)

    return commit


JOB_KINDS = (JobKind("ingest.mosaic", "ingest", build_mosaics),)


def _asked(context: Context, file: BatchFile, date: dt.date | None, path: Path) -> dict[str, Any]:
    """What the program is told of a photo."""
    return {
        "file": file.id,
        "path": str(path.absolute()),
        "name": file.name,
        "sha256": file.sha256 or "",
        "today": context.today.isoformat(),
        "default_date": date and date.isoformat(),
    }


def _same(files: Sequence[BatchFile]) -> dict[int, int]:
    """Photos that are another one's twin, and which."""
    first: dict[str, int] = {}
    return {
        file.id: first[file.sha256 or ""] for file in files if first.setdefault(file.sha256 or "", file.id) != file.id
    }


def _of(flight: dict[str, Any]) -> set[int]:
    return {photo["file"] for photo in flight["photos"] if not photo["left_out"]}


def _checksum(of_photos: Sequence[str]) -> str:
    """Stands for the file that a mosaic came as: the same photos are the same mosaic."""
    return hashlib.sha256("\n".join(sorted(of_photos)).encode()).hexdigest()


def _key(sha256: str) -> str:
    return f"scenes/{sha256[:2]}/{sha256}.tif"


def _reference(context: Context, grounds: Sequence[BaseGeometry], opened: ExitStack) -> dict[str, str] | None:
    """The newest image that shows most of the photos' ground, else the one that shows most of it."""
    if not grounds:
        return None
    ground = make_valid(shapely.union_all(grounds))
    with context.database.read() as session:
        scenes = reference_scenes(session, ground, COARSEST_REFERENCE_M)
        covers = [ground.intersection(make_valid(scene.outline)).area / ground.area for scene in scenes]
    fitting = [scene for scene, cover in zip(scenes, covers, strict=True) if cover >= _LEAST_COVER]
    best = (
        fitting[0] if fitting else max(zip(covers, scenes, strict=True), key=lambda one: one[0], default=(0, None))[1]
    )
    if best is None:
        return None
    try:
        path = opened.enter_context(context.objects.local(best.object_key))
    except ObjectNotFound:
        return None
    return {"path": str(path), "name": best.name}


def _write_down(
    context: Context,
    session: Session,
    flight: dict[str, Any],
    batch: Batch,
    name: str,
    received: dict[int, Received],
) -> list[End]:
    """A mosaic becomes a scene; returns what becomes of its photos."""
    image = replace(IngestedImage.from_json(flight["image"]), date_source=flight["date_source"])
    fault, remark = check_location(session, batch.area_code, image.footprint)
    outcome: Outcome = "failed"
    scene_id = None
    if not fault:
        outcome, scene_id = _scene(context, session, image, batch, name, flight["key"])
    ends = []
    for photo in flight["photos"]:
        outline = shapely.from_wkb(photo["outline"])
        if not outline.is_empty:
            place_photo(session, photo["file"], outline, photo["tied"], photo["error_m"], photo["residual_m"])
        words = fault or Reason.combine([Reason.from_json(*photo["words"]), *([remark] if remark else [])])
        of_file = received[photo["file"]]
        ends.append(End(of_file, "failed", words) if photo["left_out"] else End(of_file, outcome, words, scene_id))
    return ends + [End(received[one["file"]], "failed", Reason.from_json(*one["reason"])) for one in flight["unplaced"]]


def _scene(
    context: Context, session: Session, image: IngestedImage, batch: Batch, name: str, key: str
) -> tuple[Outcome, int]:
    """The mosaic's scene, new or known."""
    scene_id = add_scene(
        session, image, area_code=batch.area_code, name=name, source=batch.source, object_key=key, now=context.clock()
    )
    if scene_id is not None:
        return "placed", scene_id
    known = scene_by_sha256(session, image.sha256)
    assert known is not None
    if known.object_key != key:
        delete_afterwards(context, session, [key])
    return "duplicate", known.id
