"""A file whose content is known, submitted again: its day is completed or its correction offered, or it is replaced."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import pytest

from imagery.conversion.given_metadata import GivenMetadata
from service.context import Context
from service.images.requests import Actor
from service.images.withdraw import purge_images, withdraw_images
from tests.workers.ingest.batches import ingest, scenes, states
from tests.workers.ingest.images import NEIGHBOUR, write_image

DAY, OTHER = dt.date(2024, 5, 3), dt.date(2024, 6, 7)
OPERATOR = Actor("root")


@pytest.fixture
def undated(context: Context, folder: Path) -> Path:
    """A known image without a day."""
    image = write_image(folder / "result.tif", 1)
    ingest(context, folder)
    return image


def test_a_day_given_for_an_undated_image_becomes_its_day(context: Context, folder: Path, undated: Path) -> None:
    [file] = ingest(context, folder, given=GivenMetadata(date=DAY)).values()
    assert (file.state, file.reason.code, file.date) == ("duplicate", "duplicate.dated", DAY)
    [scene] = scenes(context)
    assert (scene.date, scene.date_source) == (DAY, "given")


def test_a_day_in_the_new_name_or_its_folder_counts_as_well(context: Context, folder: Path, undated: Path) -> None:
    other = folder.with_name("flight_20240503")
    other.mkdir()
    shutil.copy(undated, other / "result.tif")
    ingest(context, other)
    [scene] = scenes(context)
    assert (scene.date, scene.date_source) == (DAY, "folder name")


def test_another_day_of_a_dated_image_is_offered_with_the_command(
    context: Context, folder: Path, undated: Path
) -> None:
    ingest(context, folder, given=GivenMetadata(date=DAY))
    [file] = ingest(context, folder, given=GivenMetadata(date=OTHER)).values()
    assert file.reason.code == "duplicate.other_date"
    assert file.reason.endswith(f"`tuban images set {file.scene_id} --date {OTHER}`")
    assert scenes(context)[0].date == DAY
    [same] = ingest(context, folder, given=GivenMetadata(date=DAY)).values()
    assert same.reason.code == "duplicate.known"


def test_a_batch_of_another_area_changes_nothing(context: Context, folder: Path, undated: Path) -> None:
    [file] = ingest(context, folder, given=GivenMetadata(date=DAY, bands=(3, 2, 1)), area_code=NEIGHBOUR).values()
    assert file.state == "duplicate"
    assert (scenes(context)[0].date, list(scenes(context)[0].bands)) == (None, [1, 2, 3])


def test_a_withdrawn_image_is_named_with_the_way_to_restore_it(context: Context, folder: Path, undated: Path) -> None:
    withdraw_images(context, OPERATOR, [scenes(context)[0].id], "wrong county")
    [file] = ingest(context, folder, given=GivenMetadata(date=DAY)).values()
    assert (file.state, file.reason.code) == ("duplicate", "duplicate.withdrawn")
    assert "wrong county" in file.reason
    assert "tuban images restore 1" in file.reason


@pytest.mark.parametrize(
    "given",
    [
        GivenMetadata(bands=(3, 2, 1)),
        GivenMetadata(bands=(2,)),
        GivenMetadata(crs="EPSG:4546", override=True),
    ],
)
def test_a_file_with_other_bands_or_another_system_replaces_the_known_image(
    context: Context, folder: Path, undated: Path, given: GivenMetadata
) -> None:
    [before] = scenes(context)
    [file] = ingest(context, folder, given=given, area_code="330102").values()
    [after] = scenes(context)
    if given.crs:  # three degrees to the west, outside the area: refused, and nothing has changed
        assert (file.state, after.crs, after.object_key) == ("failed", before.crs, before.object_key)
        return
    assert (file.state, file.reason.code, file.scene_id) == ("placed", "all", before.id)
    assert list(after.bands) == list(given.bands) * (3 if len(given.bands) == 1 else 1)
    assert after.object_key != before.object_key
    assert list(context.objects.keys("scenes/")) == [after.object_key]


def test_a_purged_image_comes_back_when_it_is_submitted_again(context: Context, folder: Path, undated: Path) -> None:
    withdraw_images(context, OPERATOR, [1], "x")
    purge_images(context, OPERATOR, [1])
    assert list(context.objects.keys("scenes/")) == []
    files = ingest(context, folder, given=GivenMetadata(date=DAY))
    assert states(files) == {"result.tif": "placed"}
    [scene] = scenes(context)
    assert (scene.id, scene.state, scene.date) == (1, "ready", DAY)
    assert list(context.objects.keys("scenes/")) == [scene.object_key]


def test_the_folder_that_is_submitted_may_hold_the_day(context: Context, folder: Path) -> None:
    flight = folder.with_name("2024年5月3日 飞行")
    write_image(flight / "map" / "result.tif", 1)
    write_image(folder / "20240503" / "single.tif", 2)
    ingest(context, flight)
    ingest(context, folder / "20240503" / "single.tif")
    assert [(scene.date, scene.date_source) for scene in scenes(context)] == [(DAY, "folder name")] * 2


def test_a_file_without_a_system_is_placed_with_the_given_one(context: Context, folder: Path) -> None:
    write_image(folder / "a_20240503.tif", 1, crs=None)
    [failed] = ingest(context, folder).values()
    assert (failed.state, failed.reason.code) == ("failed", "place.no_system")
    [file] = ingest(context, folder, given=GivenMetadata(crs="EPSG:4547")).values()
    assert file.state == "placed"
    assert scenes(context)[0].crs == "EPSG:4547"
