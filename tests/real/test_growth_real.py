"""A real site that grows over three dates, seen by three sources, is one alert with its whole area."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import cv2
import numpy as np
import pytest
from pyproj import Transformer

from imagery.cameras.camera import ControlPoint
from store.schema.tables import AlertRow
from tests.inference.scenes import ORIGIN, Image
from tests.real.camera_play import ZONE, CameraService
from tests.workers.embedded import clock_of

pytestmark = [pytest.mark.real, pytest.mark.slow]

HALL_M2 = 14_700
"""Area that a scan of the first and the last image reports."""

FRAME = (480, 320)
"""Size of the camera's frames."""

DAYS = dt.date(2025, 3, 1), dt.date(2025, 9, 5), dt.date(2026, 9, 3)


def _stages(folder: Path) -> list[Image]:
    """Paste the hall and its surroundings into the earlier image: not at all, a third of it, all of it."""
    before, after = (_read(folder / name / "test_16.webp")[:, :, ::-1] for name in "AB")
    label = _read(folder / "label" / "test_16.png")[..., 0]
    _, parts, stats, _ = cv2.connectedComponentsWithStats((label > 127).astype(np.uint8))
    largest = 1 + int(np.argmax(stats[1:, 4]))
    left, top, width, height = (int(value) for value in stats[largest][:4])
    near = cv2.dilate((parts == largest).astype(np.uint8), np.ones((25, 25), np.uint8)) > 0
    columns = np.arange(before.shape[1])[None].repeat(before.shape[0], 0)
    margin = 96
    cut = (
        slice(max(0, top - margin), top + height + margin),
        slice(max(0, left - margin), left + width + margin),
    )
    images = []
    for built, seed in ((columns < 0, 1), (columns < left + 0.35 * width, 4), (columns >= 0, 6)):
        noise = np.random.default_rng(seed)
        mask = cv2.GaussianBlur((near & built).astype(np.float32), (0, 0), 1.5)[..., None]
        image = before * (1 - mask) + after * mask
        image = image * (1 + noise.normal(0, 0.05)) + noise.normal(0, 3, image.shape)
        images.append(np.ascontiguousarray(np.clip(image, 1, 255).astype(np.uint8)[cut]))
    return images


def _read(path: Path) -> Image:
    image = cv2.imread(str(path))
    assert image is not None
    return np.asarray(image, np.uint8)


def _seen_by_a_camera(image: Image, seed: int) -> Image:
    """Return a camera's oblique view of the ground, with noise."""
    frame = cv2.warpPerspective(image, _to_frame(image), FRAME, borderMode=cv2.BORDER_REFLECT).astype(np.float32)
    noisy = frame + np.random.default_rng(seed).normal(0, 3, frame.shape)
    out: Image = np.clip(noisy, 0, 255).astype(np.uint8)
    return out


def _to_frame(image: Image) -> np.ndarray:
    """Return the homography from pixels of the ground to pixels of the frame."""
    height, width = image.shape[:2]
    ground = [(0.15 * width, height), (0.85 * width, height), (width, 0.05 * height), (0, 0.05 * height)]
    seen = [(0, FRAME[1]), (FRAME[0], FRAME[1]), (FRAME[0], 40), (0, 40)]
    return np.asarray(cv2.getPerspectiveTransform(np.array(ground, np.float32), np.array(seen, np.float32)))


def _control_points(image: Image) -> list[ControlPoint]:
    to_degrees = Transformer.from_crs("EPSG:32650", "EPSG:4490", always_xy=True).transform
    back, points = np.linalg.inv(_to_frame(image)), []
    for x, y in ((20, 300), (460, 310), (450, 70), (30, 60), (240, 180), (150, 110)):
        column, row = cv2.perspectiveTransform(np.array([[[x, y]]], np.float64), back)[0, 0]
        points.append(ControlPoint(x, y, *to_degrees(ORIGIN[0] + column * 0.5, ORIGIN[1] - row * 0.5)))
    return points


def test_growth_over_three_dates_and_three_sources_is_one_alert_with_its_whole_area(
    tmp_path: Path, real_imagery: Path
) -> None:
    stages = _stages(real_imagery / "val" / "levir")
    first = dt.datetime.combine(DAYS[1], dt.time(10), ZONE) - dt.timedelta(days=4)
    service = CameraService(tmp_path, _seen_by_a_camera(stages[0], 0), _control_points(stages[0]), [], first)
    for days in (2, 4, 6, 8):  # the first part of the hall stands from the fourth day on
        service.take(_seen_by_a_camera(stages[days >= 4], days), first + dt.timedelta(days=days))
    oblique = max(service.rows(AlertRow), key=lambda alert: alert.area_m2)
    assert oblique.position_error is not None
    confidence = [oblique.confidence]
    sources = ("satellite", "satellite", "drone")
    for night, (day, image, source) in enumerate(zip(DAYS, stages, sources, strict=True)):
        service.add_image(image, day, f"{night}.tif", source=source)
        clock_of(service.context).now = dt.datetime(2026, 11, 20 + night, 2, tzinfo=dt.UTC)
        service.run_night(dt.date(2026, 11, 20) + dt.timedelta(days=night))
        [alert] = [row for row in service.rows(AlertRow) if row.id == oblique.id]
        confidence.append(alert.confidence)
    open_alerts = [other for other in service.rows(AlertRow) if other.state == "new"]
    assert alert.area_m2 == pytest.approx(HALL_M2, rel=0.1)
    assert alert.position_error is None  # the area from above, not that of the camera
    assert (alert.there_on, alert.last_date) == DAYS[1:]
    assert DAYS[0] < alert.not_yet_on < DAYS[1]  # by the camera
    assert not any(other.outline.intersection(alert.outline).area > 0 for other in open_alerts if other.id != alert.id)
    assert alert.sources_seen == 3
    assert confidence[3] >= confidence[2] > confidence[0]  # 0.9999 is the most
    assert [part["source"] for part in alert.confidence_parts if part["seen"]] == ["camera", "drone", "satellite"]

    # an image that ends within the hall does not shrink it
    half = stages[2][:, : stages[2].shape[1] // 2]
    service.add_image(np.ascontiguousarray(half), DAYS[2] + dt.timedelta(days=20), "half.tif", source="drone")
    service.run_night(dt.date(2026, 11, 23))
    [after] = [row for row in service.rows(AlertRow) if row.id == alert.id]
    assert after.area_m2 == pytest.approx(alert.area_m2, rel=0.02)
