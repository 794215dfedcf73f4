"""Job that compares a camera capture with earlier ones of its view and turns persistent changes into alerts.

Both captures of a change are rectified and stored as scenes, and their comparison as a scan, so that alerts,
thumbnails, map and reports are the same as for two orthophotos. Only the position is less accurate, and the alert
states its error.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import shapely

from configs.service import CameraSettings
from enforcement.ledger.sighting import DEMOLITION
from errors import ControlPointError, Reason
from imagery.cameras.camera import Calibration, Capture, Comparison, GroundChange, Preset, StandingWorks
from imagery.cameras.illumination import similar_light
from imagery.cameras.rectification import write_rectified
from imagery.cameras.settings import CompareSettings
from imagery.conversion.given_metadata import GivenMetadata
from imagery.conversion.ingest import ingest_image
from imagery.conversion.ingested_image import IngestedImage
from imagery.limits import Limits
from inference.cameras.compare import compare_captures
from service.cameras.captures import read_frame
from service.context import Commit, Context, JobRun
from service.job_registry import JobKind
from store.alerts.placed_changes import DetectedChange, PlacedChange, place_changes
from store.alerts.recording import record_changes
from store.cameras.captures import capture_data, light_from_json, usable_captures
from store.cameras.changes import (
    ReportedWorks,
    add_camera_scan,
    is_new_change,
    is_under_review,
    record_reported_change,
    reported_changes,
    standing_works,
)
from store.cameras.presets import calibrate_preset, camera_area, preset_data
from store.evidence.correction_news import report_continued_works
from store.objects.object_store import ObjectNotFound
from store.scenes.scenes import add_scene, scene_by_sha256
from store.schema.camera_tables import CameraRow, CaptureRow, PresetRow
from store.schema.database import Session
from workers.cameras.change_thumbnails import camera_thumbnail

_MAX_PER_DAY, _MAX_CAPTURES = 3, 20  # captures of similar light that are loaded
_RECENT_CAPTURES = 14  # of these, per day; then one per day, so that a parked vehicle does not fill all of them


@dataclass(frozen=True)
class _View:
    """A camera view with the captures to compare.

    Attributes:
        history: recent captures.
        standing: works that the view has reported.
        older: captures from before these works, and those that showed them, by their ids.
    """

    camera: CameraRow
    row: PresetRow
    preset: Preset
    calibration: Calibration
    history: list[tuple[CaptureRow, Capture]]
    standing: list[StandingWorks] = field(default_factory=list)
    older: dict[int, tuple[CaptureRow, Capture]] = field(default_factory=dict)

    def taken_at(self, time: dt.datetime) -> tuple[CaptureRow, Capture]:
        """Return the capture taken at that time."""
        return next((row, capture) for row, capture in (*self.history, *self.older.values()) if row.taken_at == time)


@dataclass(frozen=True)
class _PairChanges:
    """Changes between two captures, which make up one scan; ``changes`` and ``placed`` have the same order.

    ``before`` and ``after`` are the capture's row, its rectified image and the image's object key.
    """

    before: tuple[CaptureRow, IngestedImage, str]
    after: tuple[CaptureRow, IngestedImage, str]
    changes: list[GroundChange]
    placed: list[PlacedChange]


def compare_capture(context: Context, job: JobRun) -> Commit | None:
    """Compare a capture with earlier ones of similar light, and record persistent changes not yet reported."""
    with context.database.read() as session:
        latest = session.get(CaptureRow, int(job.payload["capture"]))
        row = session.get(PresetRow, latest.preset_id) if latest is not None and latest.preset_id else None
        if latest is None or row is None or not latest.usable:
            return None
        camera = session.get_one(CameraRow, row.camera_id)
        area, reported = camera_area(session, camera), reported_changes(session, row.id)
        since = latest.taken_at - dt.timedelta(days=context.settings.cameras.history_days)
        usable = usable_captures(session, row.id, since, latest.taken_at)
        rows = _of_similar_light(usable, context)
        # the look of the rest of the view changes with the season
        standing = [works for works in standing_works(session, row.id) if works.not_yet_at >= since]
    try:
        calibration = calibrate_preset(row, area)
    except ControlPointError as error:
        return partial(_record_comparison, latest.id, Comparison(not_compared=error.reason), 0)
    history = [(one, capture_data(one, frame, context.settings.zone)) for one, frame in _load_frames(context, rows)]
    view = _View(camera, row, preset_data(row), calibration, history)
    _load_standing(context, view, standing, usable)
    settings = compare_settings(context.settings.cameras)
    captures = [capture for _, capture in history]
    comparison = compare_captures(
        captures, view.preset, calibration, settings, context.current_detector(), view.standing
    )
    new_changes = [change for change in comparison.changes if is_new_change(change, reported, standing)]
    pairs = [_store_pair(context, view, latest.id, changes) for changes in _group_by_pair(new_changes)]
    return partial(_write_alerts, context, view, latest.id, comparison, settings, pairs)


def compare_settings(settings: CameraSettings) -> CompareSettings:
    """Return the options of the comparison from the camera settings."""
    return CompareSettings(
        persist=settings.persist,
        persist_hours=settings.persist_hours,
        references=settings.references,
        min_area_m2=settings.min_area_m2,
        threshold=settings.threshold,
        sure=settings.sure,
        max_error_m=settings.max_error_m,
    )


def _of_similar_light(rows: list[CaptureRow], context: Context) -> list[CaptureRow]:
    """Select captures lit similarly to the newest one, which is ``rows[0]``: a few per day, of the latest days."""
    selected: list[CaptureRow] = []
    per_day: dict[dt.date, int] = {}
    similar = set(similar_light(light_from_json(rows[0]), [light_from_json(row) for row in rows]))
    for number, row in enumerate(rows):
        day = row.taken_at.astimezone(context.settings.zone).date()
        limit = _MAX_PER_DAY if len(selected) < _RECENT_CAPTURES else 1
        if number in similar and per_day.get(day, 0) < limit and len(selected) < _MAX_CAPTURES:
            per_day[day] = per_day.get(day, 0) + 1
            selected.append(row)
    return selected


def _load_standing(context: Context, view: _View, standing: list[ReportedWorks], usable: list[CaptureRow]) -> None:
    """Add works to a view, with captures from before them in light similar to the latest one, ``usable[0]``."""
    light, loaded = light_from_json(usable[0]), {row.id: (row, capture) for row, capture in view.history}
    for works in standing:
        before = [row for row in usable if row.taken_at <= works.not_yet_at]
        similar = similar_light(light, [light_from_json(row) for row in before])
        chosen = [before[k] for k in similar[: context.settings.cameras.references]]
        needed = [row for row in (*chosen, works.shown_by) if row.id not in loaded]
        for row, frame in _load_frames(context, needed):
            loaded[row.id] = view.older[row.id] = (row, capture_data(row, frame, context.settings.zone))
        baseline = tuple(loaded[row.id][1] for row in chosen if row.id in loaded)
        if baseline and works.shown_by.id in loaded:
            shown_at = loaded[works.shown_by.id][1].taken_at
            view.standing.append(StandingWorks(works.number, works.in_frame, works.area_m2, baseline, shown_at))


def _load_frames(context: Context, rows: Iterable[CaptureRow]) -> Iterable[tuple[CaptureRow, Any]]:
    for row in rows:
        try:
            yield row, read_frame(context, row.object_key)
        except ObjectNotFound:
            continue


def _group_by_pair(changes: list[GroundChange]) -> list[list[GroundChange]]:
    """Group changes by the two captures they were found between; each group becomes one scan."""
    pairs: dict[tuple[dt.datetime, dt.datetime], list[GroundChange]] = {}
    for change in changes:
        pairs.setdefault((change.compared_with, _shown_at(change)), []).append(change)
    return list(pairs.values())


def _shown_at(change: GroundChange) -> dt.datetime:
    """Return the time of the later capture: of works that are gone, the first one without them."""
    return change.first_seen if change.kind == DEMOLITION else change.last_seen


def _store_pair(context: Context, view: _View, capture_id: int, changes: list[GroundChange]) -> _PairChanges:
    """Store thumbnails and rectified images of two captures with changes; nothing is written to the database yet."""
    before, after = view.taken_at(changes[0].compared_with), view.taken_at(_shown_at(changes[0]))
    detected = []
    for number, change in enumerate(changes, 1):
        keys = {}
        for when, (_, capture) in (("before", before), ("after", after)):
            keys[when] = f"cameras/changes/{capture_id}/{before[0].id}_{number:02d}_{when}.jpg"
            jpeg = camera_thumbnail(capture.frame, change.in_frame, change.kind, when, capture.taken_at)
            context.objects.put(keys[when], jpeg)
        detected.append(
            DetectedChange(
                number,
                change.kind,
                round(change.score, 4),
                change.area_m2,
                change.outline,
                {"crs": "EPSG:4490", "wkt": shapely.to_wkt(change.outline, rounding_precision=8)},
                keys,
                change.error,
            )
        )
    with context.database.read() as session:
        placed = place_changes(
            session,
            detected,
            area_code=view.camera.area_code,
            on=after[1].taken_at.date(),
            settings=context.settings.alerts,
            today=context.today,
        )
    images = [(row, *_store_rectified(context, view, row, capture)) for row, capture in (before, after)]
    return _PairChanges(images[0], images[1], changes, placed)


def _store_rectified(context: Context, view: _View, row: CaptureRow, capture: Capture) -> tuple[IngestedImage, str]:
    """Store a capture as a rectified COG; return its description, with the frame's checksum, and its object key."""
    with tempfile.TemporaryDirectory(prefix="tuban-camera-") as folder:
        rectified, cog = Path(folder) / "flat.tif", Path(folder) / "cog.tif"
        write_rectified(capture.frame, view.preset, view.calibration, rectified)
        day = capture.taken_at.date()
        image = ingest_image(
            rectified,
            rectified.name,
            cog,
            limits=Limits(),
            today=day,
            workdir=Path(folder),
            given=GivenMetadata(date=day),
        )
        frame_sha256 = hashlib.sha256(context.objects.read(row.object_key)).hexdigest()
        key = f"scenes/{image.sha256}.tif"
        context.objects.put(key, cog)
    return replace(image, sha256=frame_sha256, date=day, date_source="camera"), key


def _write_alerts(
    context: Context,
    view: _View,
    capture_id: int,
    comparison: Comparison,
    settings: CompareSettings,
    pairs: list[_PairChanges],
    session: Session,
) -> None:
    """Write scenes, scans and alerts of new changes, in the transaction that ends the job."""
    now = context.clock()
    reported = 0
    known, standing = reported_changes(session, view.row.id), standing_works(session, view.row.id)
    for pair in pairs:
        # another worker may have been faster
        unreported = [change for change in pair.changes if is_new_change(change, known, standing)]
        if not unreported:
            continue
        before, after = (_scene_id(session, view, *image, now=now) for image in (pair.before, pair.after))
        network = context.detector.weights
        scan = add_camera_scan(
            session,
            unique_key=f"camera:{view.row.id}:{pair.before[0].id}:{pair.after[0].id}:{capture_id}",
            before=before,
            after=after,
            area_code=view.camera.area_code,
            result={
                "camera": {"id": view.camera.id, "name": view.camera.name, "view": view.row.name},
                "looked_at": {"area_m2": comparison.watched_m2},
                "settings": asdict(settings),
                "network": {"name": network.name, "sha256": network.sha256},
                "calibration": {"rms_m": round(view.calibration.rms_m, 3), "points": len(view.preset.control_points)},
            },
            changes=len(unreported),
            weights_sha256=network.sha256,
            settings_sha256=_checksum(settings),
            now=now,
        )
        if scan is None:
            continue
        reviewed = {works.number for works in standing if is_under_review(session, works)}
        placed = [
            placed
            for change, placed in zip(pair.changes, pair.placed, strict=True)
            if change in unreported and (change.kind != DEMOLITION or change.works in reviewed)
        ]
        recorded = record_changes(session, scan, placed, context.settings, now)
        report_continued_works(session, scan.id, context.settings.zone, now)
        scan.result = {**scan.result, "alerts": recorded.counts()}
        for change in unreported:
            record_reported_change(session, view.row.id, scan.id, change, now)
        reported += len(unreported)
    _record_comparison(capture_id, comparison, reported, session)


def _scene_id(
    session: Session, view: _View, row: CaptureRow, image: IngestedImage, key: str, *, now: dt.datetime
) -> int:
    """Return the scene of a capture, which is created when it is first needed."""
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
    assert scene_id is not None  # looked up and created in one transaction
    session.get_one(CaptureRow, row.id).scene_id = scene_id
    return scene_id


def _record_comparison(capture_id: int, comparison: Comparison, reported: int, session: Session) -> None:
    """Store the result of the comparison with its capture."""
    capture = session.get(CaptureRow, capture_id)
    if capture is not None:
        capture.comparison = {
            "changes": len(comparison.changes),
            "reported": reported,
            "pending": comparison.pending,
            "not_compared": str(comparison.not_compared),
            "why": Reason.json_of(comparison.not_compared),
            "watched_m2": round(comparison.watched_m2, 1),
        }


def _checksum(settings: CompareSettings) -> str:
    return hashlib.sha256(json.dumps(asdict(settings), sort_keys=True).encode()).hexdigest()


JOB_KINDS = (JobKind("camera.compare", "scan", compare_capture),)
