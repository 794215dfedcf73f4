"""Export of reviewed alerts as training data, converted to labelled pairs by the commands in the zip."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from shapely import Point
from starlette.testclient import TestClient

from cli.learning.reviewed import run_reviewed
from imagery import open_scene
from imagery.conversion.cog import write_cog
from inference.detect_changes import detect_changes
from inference.outputs.scan_json import compared_record
from inference.settings import read_config, settings_for
from service.context import Context
from service.weights.comparison import compare_weights
from store.access.rights import Viewer
from store.alerts.sighting_chain import append_sighting
from store.review.decisions import judge
from store.review.reviewed_scans import ReviewedAlert, reviewed_scans
from store.schema.outlines import bounds_of
from store.schema.tables import AlertRow, Observation
from tests.inference.scenes import DifferenceDetector, textured, write_image
from tests.store.sample_rows import add_scan, add_scene
from tests.web.conftest import NOW
from tests.web.two_villages import api_client
from training.synthetic import SceneSpec
from web.app import make_app
from web.review.training_folder import write_training_zip

BOXES = ((60, 100, 100, 150), (200, 240, 300, 360), (300, 360, 60, 130))
"""First and last row, first and last column of each change."""

COUNTY = Viewer("county", "county", "county", "330199", True, 2)


@pytest.fixture
def reviewed_service(service: Context, tmp_path: Path) -> Context:
    """A scan of two scenes with three alerts: one judged true, one false, and one not judged."""
    image = textured(400, 450)
    after = image.copy()
    for top, bottom, left, right in BOXES:
        after[top:bottom, left:right] = 235
    rows: list[Any] = []
    cogs = []
    for name, pixels in (("before", image), ("after", after)):
        raw, cog = write_image(tmp_path / f"{name}.tif", pixels, crs="EPSG:32650"), tmp_path / f"{name}-cog.tif"
        with open_scene(raw) as scene:
            write_cog(scene, cog, tmp_path, None)
        service.objects.put(f"scenes/{name}.tif", cog)
        cogs.append(cog)
    with open_scene(cogs[0]) as one, open_scene(cogs[1]) as other:
        found = detect_changes(one, other, DifferenceDetector(), settings_for(read_config(), "aerial", 0.5))  # type: ignore[arg-type]
        sums = one.sha256, other.sha256
    assert len(found.changes) == 3
    with service.database.write() as session:
        for (name, checksum), cog in zip(zip(("before", "after"), sums, strict=True), cogs, strict=True):
            assert cog.is_file()
            values = {"area_code": "330199", "object_key": f"scenes/{name}.tif", "object_sha256": checksum}
            rows.append(add_scene(session, None, found.changes[0].lonlat, **values))
        scan = add_scan(session, *rows, state="done", result=compared_record(found))
        for change in found.changes:
            common = {"kind": change.kind, "score": change.score, "area_m2": change.area_m2, "created_at": NOW}
            alert = AlertRow(
                number=f"330199U202611000{change.number}", state="new", detected={}, source="drone",
                county_code="330199", grid_code="330199", changed_at=NOW, **common, **bounds_of(change.lonlat),
            )  # fmt: skip
            session.add(alert)
            session.flush()
            append_sighting(
                session,
                Observation(
                    alert_id=alert.id,
                    scan_id=scan.id,
                    change_number=change.number,
                    source="drone",
                    **common,
                    **bounds_of(change.lonlat),
                ),
            )
            session.flush()
            if change.number < 3:
                verdict: Any = {1: "true", 2: "false"}[change.number]
                judge(session, alert, COUNTY, verdict, reason="阴影", settings=service.settings, now=NOW)
    return service


def download(client: TestClient, folder: Path) -> None:
    """Unpack the zip, and execute the downloads of its script."""
    response = client.get("/api/alerts/training.zip")
    assert response.status_code == 200, response.text
    zipfile.ZipFile(io.BytesIO(response.content)).extractall(folder)
    for line in (folder / "reviewed.sh").read_text().splitlines():
        if line.startswith("curl"):
            place, address = line.split(" -o ")[1].split(" ")
            image = client.get(address)
            assert image.status_code == 200
            (folder / place).write_bytes(image.content)


def test_judged_alerts_become_labelled_pairs(reviewed_service: Context, tmp_path: Path) -> None:
    county = api_client(reviewed_service, make_app(reviewed_service), "county")
    folder = tmp_path / "training"
    download(county, folder)
    rows = list(csv.reader((folder / "scan-1" / "verdicts.csv").open()))
    assert rows == [
        ["number", "verdict", "alert", "origin"],
        ["1", "true", "330199U2026110001", "detected"],
        ["2", "false", "330199U2026110002", "detected"],
    ]
    scan = folder / "scan-1"
    _, tallies = run_reviewed(scan / "before.tif", scan / "after.tif", scan, scan / "verdicts.csv", folder / "reviewed")
    assert {number for tally in tallies.values() for number in tally.confirmed} == {1}
    assert {number for tally in tallies.values() for number in tally.rejected} == {2}
    labels = [cv2.imread(str(path), -1) for path in (folder / "reviewed").glob("*/label/0001.png")]
    assert any((label == 255).any() for label in labels if label is not None)
    assert np.unique(np.concatenate([label.ravel() for label in labels if label is not None])).size > 1


def test_alerts_whose_images_the_user_may_not_see_are_excluded(reviewed_service: Context) -> None:
    with reviewed_service.database.write() as session:
        for alert in session.query(AlertRow):
            alert.grid_code = "330199101001"
    village = api_client(reviewed_service, make_app(reviewed_service), "village_a")
    response = village.get("/api/alerts/training.zip")
    assert "2 alerts are excluded" in response.headers["x-remarks"]
    assert zipfile.ZipFile(io.BytesIO(response.content)).namelist() == ["reviewed.sh"]


def test_an_alert_that_a_program_moved_on_without_a_verdict_is_a_review(
    reviewed_service: Context, tmp_path: Path
) -> None:
    county = api_client(reviewed_service, make_app(reviewed_service), "county")
    moved = county.post("/api/alerts/330199U2026110003/transitions", json={"to": "triaged"})
    assert moved.status_code == 200, moved.text
    download(county, tmp_path / "training")
    rows = list(csv.reader((tmp_path / "training" / "scan-1" / "verdicts.csv").open()))
    assert [row[1:] for row in rows[1:]] == [
        ["true", "330199U2026110001", "detected"],
        ["false", "330199U2026110002", "detected"],
        ["true", "330199U2026110003", "detected"],
    ]


class BlindDetector(DifferenceDetector):
    """Reports nothing."""

    def predict(self, before: Any, after: Any) -> Any:
        return np.zeros((3, *before.shape[:2]), np.float32)


def test_held_back_reviews_are_not_trained_on_and_weights_are_compared_on_them(
    reviewed_service: Context, tmp_path: Path
) -> None:
    candidates = (f"330199U20261190{number:02d}" for number in range(99))
    held_back = [number for number in candidates if ReviewedAlert(number, "", Point(0, 0), True).held_back][:2]
    with reviewed_service.database.write() as session:
        for alert, number in zip(session.query(AlertRow).order_by(AlertRow.id), held_back, strict=False):
            alert.number = number
    with reviewed_service.database.read() as session:
        scans, _ = reviewed_scans(session, COUNTY)
        assert write_training_zip(scans, "http://tuban", tmp_path / "training.zip") == 0
    seeing, blind = DifferenceDetector(), BlindDetector()
    scores = [
        compare_weights(old, new, reviewed_service.objects, scans, scenes=[SceneSpec(seed=1, width=96, height=96)])  # type: ignore[arg-type]
        for old, new in ((seeing, blind), (blind, seeing))
    ]
    # the seeing detector reports both, of which one is a false alarm; the blind one is right about that
    assert [(each.reviews.confirmed, each.reviews.rejected) for each in scores] == [(1, 1), (1, 1)]
    assert [(each.reviews.old, each.reviews.new) for each in scores] == [(1, 1), (1, 1)]
    with reviewed_service.database.write() as session:
        session.query(AlertRow).filter(AlertRow.number == held_back[1]).one().number = "330199U2026110002"
    with reviewed_service.database.read() as session:
        scans, _ = reviewed_scans(session, COUNTY)
    worse = compare_weights(
        seeing,  # type: ignore[arg-type]
        blind,  # type: ignore[arg-type]
        reviewed_service.objects,
        scans,
        scenes=[SceneSpec(seed=1, width=96, height=96)],
    )
    assert (worse.reviews.old, worse.reviews.new) == (1, 0)
    assert "held-back reviews: 0 of 1 judged as by the reviewers instead of 1" in worse.worse
