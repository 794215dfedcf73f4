"""QGIS loads alerts and images with an address and a key."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import shapely
from PIL import Image
from sqlalchemy import select

from service.context import Context
from store.schema.tables import AlertRow
from tests.enforcement.exports.test_exports import HAS_QGIS, SYSTEM_PYTHON
from tests.web.clients.conftest import Address


@pytest.mark.skipif(not HAS_QGIS, reason="no QGIS on this machine (Debian package python3-qgis)")
def test_qgis_loads_alerts_and_the_latest_images(service: Context, running: Address, tmp_path: Path) -> None:
    script, picture = Path(__file__).with_name("load_with_qgis.py"), tmp_path / "map.png"
    environment = {"QT_QPA_PLATFORM": "offscreen", "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [SYSTEM_PYTHON, script, running.url, running.key, picture],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    with service.database.read() as session:
        stored = {row.number: row.outline for row in session.scalars(select(AlertRow))}
    assert found.keys() == stored.keys()
    for number, outline in stored.items():
        assert shapely.from_wkt(found[number]).hausdorff_distance(outline) < 1e-5
    pixels = np.asarray(Image.open(picture).convert("RGB")).reshape(-1, 3)
    assert len(np.unique(pixels, axis=0)) > 1000, "the images of both villages are on the map"
