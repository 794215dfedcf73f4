"""A site of a real image pair that grows over three dates is one alert with its whole area."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import cv2
import numpy as np
import pytest

from model.detector import Detector
from store.schema.tables import AlertRow
from tests.inference.scenes import Image
from tests.workers.scan_service import ScanService

pytestmark = [pytest.mark.real, pytest.mark.slow]

HALL_M2 = 14_700
"""Area that a scan of the first and the last image reports."""

DAYS = dt.date(2025, 3, 1), dt.date(2025, 9, 5), dt.date(2026, 9, 3)


def _stages(folder: Path) -> list[Image]:
    """Paste the hall and its surroundings into the earlier image: not at all, a third of it, all of it."""
    before, after = (cv2.imread(str(folder / name / "test_16.webp"))[:, :, ::-1] for name in "AB")
    label = cv2.imread(str(folder / "label" / "test_16.png"), 0)
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


def test_growth_over_three_dates_and_sources_is_one_alert_with_its_whole_area(
    tmp_path: Path, real_imagery: Path
) -> None:
    service = ScanService(tmp_path)
    service.use_detector(Detector("fast"))
    confidence = []
    sources = ("satellite", "satellite", "drone")
    for night, (day, image, source) in enumerate(
        zip(DAYS, _stages(real_imagery / "val" / "levir"), sources, strict=True)
    ):
        service.add_image(image, day, f"{night}.tif", source=source)
        service.run_night(dt.date(2026, 11, 20) + dt.timedelta(days=night))
        largest = max(service.rows(AlertRow), key=lambda alert: alert.area_m2, default=None)
        confidence.append(0.0 if largest is None else largest.confidence)
    alert = max(service.rows(AlertRow), key=lambda alert: alert.area_m2)
    open_alerts = [other for other in service.rows(AlertRow) if other.state == "new"]
    assert alert.area_m2 == pytest.approx(HALL_M2, rel=0.1)
    assert (alert.not_yet_on, alert.there_on, alert.last_date) == DAYS
    assert not any(other.outline.intersection(alert.outline).area > 0 for other in open_alerts if other.id != alert.id)
    assert alert.sources_seen == 2
    assert confidence[2] > confidence[1]
