"""The report opened in Chromium, without network."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import cv2
import pytest

from imagery import open_scene
from inference.detect_changes import detect_changes
from inference.outputs.report import MOST_EMBEDDED
from inference.outputs.write import write_outputs
from inference.settings import read_config, settings_for
from tests.inference.scenes import DifferenceDetector, textured, write_image

CHROMIUM = shutil.which("chromium")
OFFLINE = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine (Debian package chromium)")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    image = textured(500, 700)
    after = image.copy()
    after[100:180, 100:200] = (235, 235, 235)
    after[300:380, 400:480] = (235, 110, 20)
    paths = write_image(folder / "before.tif", image), write_image(folder / "after.tif", after)
    with open_scene(paths[0]) as earlier, open_scene(paths[1]) as later:
        settings = settings_for(read_config(), "aerial", 0.5)
        result = detect_changes(earlier, later, DifferenceDetector(), settings)  # type: ignore[arg-type]
        write_outputs(result, earlier, later, folder / "out")
        changes = tuple(replace(result.changes[n % 2], number=n) for n in range(1, MOST_EMBEDDED + 11))
        write_outputs(replace(result, changes=changes), earlier, later, folder / "many")
    return folder / "out" / "report.html"


def _browse(report: Path, profile: Path, *options: str, fragment: str = "") -> str:
    assert CHROMIUM is not None
    command = [CHROMIUM, *OFFLINE, f"--user-data-dir={profile}", *options, report.as_uri() + fragment]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


def test_both_changes_are_on_the_map_and_in_the_list(report: Path, tmp_path: Path) -> None:
    page = _browse(report, tmp_path, "--dump-dom")
    for number in (1, 2):
        assert f'id="m{number}"' in page
        assert f'id="c{number}"' in page
    assert "疑似变化图斑" in page


def test_a_report_of_many_changes_shows_the_page_of_the_entry_in_its_address(report: Path, tmp_path: Path) -> None:
    many, number = report.parents[1] / "many" / "report.html", MOST_EMBEDDED + 1
    page = _browse(many, tmp_path, "--dump-dom", fragment=f"#c{number}")
    assert f'id="c{number}"' in page
    assert 'id="c1"' not in page
    assert f'src="thumbnails/{number:04d}_before.jpg"' in page
    assert "9 / 9" in page


def test_pictures_beside_a_report_of_many_changes_are_loaded(report: Path, tmp_path: Path) -> None:
    picture, many = tmp_path / "page.png", report.parents[1] / "many" / "report.html"
    size = "--window-size=1200,3000"
    _browse(many, tmp_path / "profile", f"--screenshot={picture}", size, "--virtual-time-budget=20000")
    image = cv2.imread(str(picture))
    assert image is not None
    assert image[1500:2800, 150:700].std() > 25, "pictures of the list are missing"


def test_the_picture_shows_the_ground(report: Path, tmp_path: Path) -> None:
    picture = tmp_path / "page.png"
    _browse(report, tmp_path / "profile", f"--screenshot={picture}", "--window-size=1200,1600")
    image = cv2.imread(str(picture))
    assert image is not None
    assert image.shape[:2] == (1600, 1200)
    middle = image[500:1100, 300:900]
    assert middle.std() > 15, "blank page or missing picture"
