"""A capture compared with earlier ones of its view; what persists becomes alerts like any other change.

Both captures of a change become scenes, laid onto the ground, and their comparison a scan, so that an alert, its
pictures, the map and the reports are the same as of two orthophotos. Only its place is known less well, and the alert
says so.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import shapely

from configs.service import CameraSettings
from errors import ControlPointError, Reason
from imagery.cameras.camera import Calibration, Capture, Comparison, GroundChange, Preset
from imagery.cameras.illumination import similar_light
from imagery.cameras.rectification import write_rectified
from imagery.cameras.settings import CompareSettings
from imagery.conversion.ingest import ingest_image
from imagery.conversion.ingested_image import IngestedImage
from imagery.limits import Limits
from inference.cameras.compare import compare_captures
from service.camera_captures import read_frame
from service.context import Commit, Context, JobRun
from service.job_registry import JobKind
from store.alerts.placed_changes import DetectedChange, PlacedChange, place_changes
from store.alerts.recording import record_changes
from store.cameras.captures import capture_data, light_from_json, usable_captures
from store.cameras.changes import (
    ReportedChange,
    add_camera_scan,
    is_new_change,
    record_reported_change,
    reported_changes,
)
from store.cameras.presets import calibrate_preset, camera_area, preset_data
from store.objects.object_store import ObjectNotFound
from store.scenes.scenes import add_scene, scene_by_sha256
from store.schema.camera_tables import CameraRow, CaptureRow, PresetRow
from store.schema.database import Session
from workers.cameras.change_pictures import camera_picture

_MOST_A_DAY, _MOST = 3, 15  # captures of like light that are loaded, of one day and in all


@dataclass(frozen=True)
class _View:
    """A view with the captures that are compared."""

    camera: CameraRow
    row: PresetRow
    preset: Preset
    calibration: Calibration
    history: list[tuple[CaptureRow, Capture]]

    def at(self, moment: dt.datetime) -> tuple[CaptureRow, Capture]:
        """The capture that was taken then."""
        return next(one for one in self.history if one[0].taken_at == moment)


@dataclass(frozen=True)
class _Found:
    """Changes between the same two captures, as a scan tells them."""

    before: tuple[CaptureRow, IngestedImage, str]
    after: tuple[CaptureRow, IngestedImage, str]
    changes: list[GroundChange]
    seen: list[DetectedChange]
    sightings: list[PlacedChange]


def compare_capture(context: Context, job: JobRun) -> Commit | None:
    """Compare a capture with earlier ones of like light, and write down what persists and was not told yet."""
    with context.database.read() as session:
        latest = session.get(CaptureRow, int(job.payload["capture"]))
        row = session.get(PresetRow, latest.preset_id) if latest is not None and latest.preset_id else None
        if latest is None or row is None or not latest.usable:
            return None
        camera = session.get_one(CameraRow, row.camera_id)
        area, reported = camera_area(session, camera), reported_changes(session, row.id)
        since = latest.taken_at - dt.timedelta(days=context.settings.cameras.history_days)
        rows = _of_like_light(usable_captures(session, row.id, since, latest.taken_at), context)
    try:
        calibration = calibrate_preset(row, area)
    except ControlPointError as error:
        return partial(_note, latest.id, Comparison(not_compared=error.reason), 0)
    history = [(one, capture_data(one, frame, context.settings.zone)) for one, frame in _loaded(context, rows)]
    view = _View(camera, row, preset_data(row), calibration, history)
    settings = compare_settings(context.settings.cameras)
    captures = [capture for _, capture in history]
    told = compare_captures(captures, view.preset, calibration, settings, context.detector)
    news = [change for change in told.changes if is_new_change(change, reported)]
    found = [_found(context, view, latest.id, changes) for changes in _by_pair(news)]
    return partial(_write, context, view, latest.id, told, settings, found)


def compare_settings(settings: CameraSettings) -> CompareSettings:
    """When a difference is a change."""
    return CompareSettings(
        persist=settings.persist,
        persist_hours=settings.persist_hours,
        references=settings.references,
        min_area_m2=settings.min_area_m2,
        threshold=settings.threshold,
        sure=settings.sure,
        max_error_m=settings.max_error_m,
    )


def _of_like_light(rows: list[CaptureRow], context: Context) -> list[CaptureRow]:
    """Captures of light like that of the newest, which is the first of ``rows``: some of each day, the newest days."""
    chosen: list[CaptureRow] = []
    of_day: dict[dt.date, int] = {}
    like = set(similar_light(light_from_json(rows[0]), [light_from_json(row) for row in rows]))
    for number, row in enumerate(rows):
        day = row.taken_at.astimezone(context.settings.zone).date()
        if number in like and of_day.get(day, 0) < _MOST_A_DAY and len(chosen) < _MOST:
            of_day[day] = of_day.get(day, 0) + 1
            chosen.append(row)
    return chosen


def _loaded(context: Context, rows: Iterable[CaptureRow]) -> Iterable[tuple[CaptureRow, Any]]:
    for row in rows:
        try:
            yield row, read_frame(context, row.object_key)
        except ObjectNotFound:
            continue


def _by_pair(changes: list[GroundChange]) -> list[list[GroundChange]]:
    """Changes between the same two captures belong to one scan."""
    pairs: dict[tuple[dt.datetime, dt.datetime], list[GroundChange]] = {}
    for change in changes:
        pairs.setdefault((change.compared_with, change.last_seen), []).append(change)
    return list(pairs.values())


def _found(context: Context, view: _View, capture_id: int, changes: list[GroundChange]) -> _Found:
    """Scenes and pictures of changes between two captures; nothing is written to the database yet."""
    before, after = view.at(changes[0].compared_with), view.at(changes[0].last_seen)
    seen = []
    for number, change in enumerate(changes, 1):
        keys = {}
        for when, (_, capture) in (("before", before), ("after", after)):
            keys[when] = f"cameras/changes/{capture_id}/{before[0].id}_{number:02d}_{when}.jpg"
            picture = camera_picture(capture.frame, change.in_frame, change.kind, when, capture.taken_at)
            context.objects.put(keys[when], picture)
        detected = {"crs": "EPSG:4490", "wkt": shapely.to_wkt(change.outline, rounding_precision=8)}
        seen.append(
            DetectedChange(
                number,
                change.kind,
                round(change.score, 4),
                change.area_m2,
                change.outline,
                detected,
                keys,
                change.error,
            )
        )
    with context.database.read() as session:
        sightings = place_changes(
            session,
            seen,
            area_code=view.camera.area_code,
            on=after[1].taken_at.date(),
            settings=context.settings.alerts,
        )
    pair = [(row, *_laid_on_the_ground(context, view, row, capture)) for row, capture in (before, after)]
    return _Found(pair[0], pair[1], changes, seen, sightings)


def _laid_on_the_ground(context: Context, view: _View, row: CaptureRow, capture: Capture) -> tuple[IngestedImage, str]:
    """A capture as a COG among the objects, with what is known of it; its checksum is that of the frame we keep."""
    with tempfile.TemporaryDirectory(prefix="tuban-camera-") as folder:
        flat, out = Path(folder) / "flat.tif", Path(folder) / "cog.tif"
        write_rectified(capture.frame, view.preset, view.calibration, flat)
        day = capture.taken_at.date()
        made = ingest_image(flat, flat.name, out, limits=Limits(), today=day, workdir=Path(folder), default_date=day)
        kept = hashlib.sha256(context.objects.read(row.object_key)).hexdigest()
        key = f"scenes/{made.sha256}.tif"
        context.objects.put(key, out)
    return replace(made, sha256=kept, date=day, date_source="camera"), key


def _write(
    context: Context,
    view: _View,
    capture_id: int,
    told: Comparison,
    settings: CompareSettings,
    found: list[_Found],
    session: Session,
) -> None:
    """Scenes, scan and alerts of what is new, in the transaction that ends the job."""
    now = context.clock()
    reported = 0
    known: list[ReportedChange] = reported_changes(session, view.row.id)  # another worker may have been faster
    for one in found:
        fresh = [change for change in one.changes if is_new_change(change, known)]
        if not fresh:
            continue
        before, after = (_scene(session, view, *part, now=now) for part in (one.before, one.after))
        network = context.detector.weights
        scan = add_camera_scan(
            session,
            unique_key=f"camera:{view.row.id}:{one.before[0].id}:{one.after[0].id}:{capture_id}",
            before=before,
            after=after,
            area_code=view.camera.area_code,
            result={
                "camera": {"id": view.camera.id, "name": view.camera.name, "view": view.row.name},
                "looked_at": {"area_m2": told.watched_m2},
                "settings": asdict(settings),
                "network": {"name": network.name, "sha256": network.sha256},
                "calibration": {"rms_m": round(view.calibration.rms_m, 3), "points": len(view.preset.control_points)},
            },
            changes=len(fresh),
            weights_sha256=network.sha256,
            settings_sha256=_checksum(settings),
            now=now,
        )
        if scan is None:
            continue
        kept = [sighting for change, sighting in zip(one.changes, one.sightings, strict=True) if change in fresh]
        recorded = record_changes(session, scan, kept, context.settings, now)
        scan.result = {**scan.result, "alerts": recorded.counts()}
        for change in fresh:
            record_reported_change(session, view.row.id, scan.id, change, now)
        reported += len(fresh)
    _note(capture_id, told, reported, session)


def _scene(session: Session, view: _View, row: CaptureRow, image: IngestedImage, key: str, *, now: dt.datetime) -> int:
    """The scene of a capture, made when it is first needed."""
    known = scene_by_sha256(session, image.sha256)
    scene_id = known.id if known is not None else None
    if scene_id is None:
        scene_id = add_scene(
            session,
            image,
            area_code=view.camera.area_code,
            name=f"{view.camera.name} {image.date} #{row.id}",
            source="camera",
            object_key=key,
            now=now,
        )
    assert scene_id is not None  # looked for and made in one transaction
    session.get_one(CaptureRow, row.id).scene_id = scene_id
    return scene_id


def _note(capture_id: int, told: Comparison, reported: int, session: Session) -> None:
    """What came of the comparison, beside the capture."""
    capture = session.get(CaptureRow, capture_id)
    if capture is not None:
        capture.comparison = {
            "changes": len(told.changes),
            "reported": reported,
            "pending": told.pending,
            "not_compared": str(told.not_compared),
            "why": Reason.json_of(told.not_compared),
            "watched_m2": round(told.watched_m2, 1),
        }


def _checksum(settings: CompareSettings) -> str:
    return hashlib.sha256(json.dumps(asdict(settings), sort_keys=True).encode()).hexdigest()


JOB_KINDS = (JobKind("camera.compare", "scan", compare_capture),)
