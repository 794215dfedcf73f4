"""Missing and damaged objects are found, quarantined and repaired; a backup of damaged data fails."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from shapely import box
from sqlalchemy import select, text

from configs.service import ServiceSettings
from store.backup.backup import DamagedBackup, backup
from store.backup.repair import repair_objects
from store.integrity.check import check_chains, check_objects, check_rows, record_check
from store.integrity.damage import DamagedObjectError, VerifiedObjects, damaged_objects, last_check
from store.objects.factory import open_object_store
from store.objects.object_store import ObjectStore
from store.schema.database import Database
from store.schema.outlines import bounds_of
from store.schema.tables import Batch, SceneRow
from tests.databases import embedded_database

NOW = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)
IMAGE, PICTURE = bytes(range(256)) * 40, b"a picture of an alert"
SCENE_KEY, PICTURE_KEY = "scenes/ab/abc.tif", "scans/1/alert.jpg"


class Store:
    """A service with one scene, of which a row has the checksum, and one other object."""

    def __init__(self, settings: ServiceSettings, database: Database) -> None:
        self.settings, self.database = settings, database
        self.objects: ObjectStore = open_object_store(settings)
        self.objects.put(SCENE_KEY, IMAGE)
        self.objects.put(PICTURE_KEY, PICTURE)
        with database.write() as session:
            session.add(Batch(area_code="410122", name="a", origin="upload", state="done", created_at=NOW))
            session.add(
                SceneRow(
                    area_code="410122", sha256="0" * 64, name="flight.tif", source="drone", gsd_m=0.1, crs="EPSG:4490",
                    width=9, height=9, object_key=SCENE_KEY, object_sha256=self.objects.digest(SCENE_KEY),
                    created_at=NOW, **bounds_of(box(113, 34, 114, 35)),
                )
            )  # fmt: skip

    def overwrite(self, key: str, content: bytes) -> None:
        """Change an object as a failing disk does, without the store's knowledge."""
        if self.settings.objects.startswith("s3"):
            client, bucket = self.objects._client, self.objects.bucket  # type: ignore[attr-defined]
            name = self.objects._name(key)  # type: ignore[attr-defined]
            metadata = client.head_object(Bucket=bucket, Key=name)["Metadata"]
            client.put_object(Bucket=bucket, Key=name, Body=content, Metadata=metadata)
        else:
            (Path(self.settings.objects_url) / key).write_bytes(content)

    def check(self) -> dict[str, str]:
        """Check everything, record it, and return the faults by key."""
        result = check_objects(self.database, self.objects)
        with self.database.write() as session:
            record_check(session, result, [], origin="command", begun_at=NOW, now=NOW)
        return {damage.key: damage.fault for damage in result.damaged}

    @property
    def state(self) -> str:
        with self.database.read() as session:
            return session.scalars(select(SceneRow.state)).one()


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    options = {}
    if request.param == "s3":
        options = {"objects": "s3://tuban/prefix", "s3_endpoint": request.getfixturevalue("s3_endpoint")}
    settings = ServiceSettings(home=tmp_path / "home", **options)
    return Store(settings, embedded_database(settings.home / "tuban.db"))


def flipped(content: bytes, count: int = 200) -> bytes:
    """Return the content with some bytes flipped."""
    return bytes(byte ^ 0xFF if index < count else byte for index, byte in enumerate(content))


def test_intact_objects_pass(store: Store) -> None:
    assert store.check() == {}
    with store.database.read() as session:
        check = last_check(session)
        assert check is not None
        assert (check.objects, check.bytes, check.next_key) == (2, len(IMAGE) + len(PICTURE), "")


@pytest.mark.parametrize(("key", "content"), [(SCENE_KEY, IMAGE), (PICTURE_KEY, PICTURE)])
def test_flipped_bytes_are_found_in_images_and_in_objects_without_a_row(store: Store, key: str, content: bytes) -> None:
    store.overwrite(key, flipped(content, 5))
    assert store.check() == {key: "changed"}


def test_a_damaged_image_is_quarantined_until_it_is_intact_again(store: Store) -> None:
    store.overwrite(SCENE_KEY, flipped(IMAGE))
    store.check()
    assert store.state == "damaged"
    with store.database.read() as session:
        [damage] = damaged_objects(session)
        assert damage.detail.startswith(f"The object {SCENE_KEY} (image flight.tif) has sha256 ")
    store.overwrite(SCENE_KEY, IMAGE)
    assert store.check() == {}
    assert store.state == "ready"
    with store.database.read() as session:
        assert damaged_objects(session) == []


def test_a_missing_object_of_a_row_is_found_and_one_without_a_row_is_not_missed(store: Store) -> None:
    store.objects.delete(SCENE_KEY)
    store.objects.delete(PICTURE_KEY)
    assert store.check() == {SCENE_KEY: "missing"}
    assert store.state == "damaged"


def test_a_check_in_parts_continues_where_the_last_one_ended(store: Store) -> None:
    store.overwrite(SCENE_KEY, flipped(IMAGE))
    first = check_objects(store.database, store.objects, max_bytes=1)
    assert (first.objects, first.damaged, first.next_key) == (1, (), SCENE_KEY)
    second = check_objects(store.database, store.objects, start=first.next_key, max_bytes=10**9)
    assert (second.objects, [damage.key for damage in second.damaged], second.next_key) == (1, [SCENE_KEY], "")


def test_a_rewritten_object_is_intact(store: Store) -> None:
    store.objects.put(PICTURE_KEY, b"another picture")
    assert store.check() == {}


def test_an_interrupted_replacement_is_intact_with_either_content(tmp_path: Path) -> None:
    settings = ServiceSettings(home=tmp_path / "home")
    store = Store(settings, embedded_database(settings.home / "tuban.db"))
    digests = [store.objects.digest(PICTURE_KEY)]
    store.objects.put(PICTURE_KEY, b"new")
    digests.append(store.objects.digest(PICTURE_KEY))
    path = Path(settings.objects_url) / PICTURE_KEY
    path.with_name(f".{path.name}.sha256").write_text("\n".join(digests))
    for content, fault in ((b"new", {}), (PICTURE, {}), (b"neither", {PICTURE_KEY: "changed"})):
        path.write_bytes(content)
        assert store.check() == fault


def test_objects_of_earlier_versions_get_a_checksum_at_their_first_check(tmp_path: Path) -> None:
    settings = ServiceSettings(home=tmp_path / "home")
    store = Store(settings, embedded_database(settings.home / "tuban.db"))
    for record in Path(settings.objects_url).rglob(".*.sha256"):
        record.unlink()
    assert store.check() == {}
    store.overwrite(PICTURE_KEY, b"changed")
    assert store.check() == {PICTURE_KEY: "changed"}


def test_a_backup_of_damaged_or_missing_objects_fails_and_an_older_one_repairs_them(
    store: Store, tmp_path: Path
) -> None:
    good = tmp_path / "good.tar"
    backup(store.settings, good, now=NOW)
    store.overwrite(SCENE_KEY, flipped(IMAGE))
    with pytest.raises(DamagedBackup, match=r"1 objects are missing or damaged: .*image flight\.tif.*--repair"):
        backup(store.settings, tmp_path / "bad.tar", now=NOW)
    store.objects.delete(SCENE_KEY)
    with pytest.raises(DamagedBackup, match=r"image flight\.tif\) is missing"):
        backup(store.settings, tmp_path / "bad.tar", now=NOW)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["good.tar", "home"]
    assert backup(store.settings, tmp_path / "incomplete.tar", now=NOW, allow_damage=True).objects == 1
    assert repair_objects(store.objects, good, store.database, [SCENE_KEY]) == [SCENE_KEY]
    assert store.check() == {}
    backup(store.settings, tmp_path / "again.tar", now=NOW)


def test_a_damaged_image_is_not_opened(store: Store) -> None:
    digest = store.objects.digest(SCENE_KEY)
    verified = VerifiedObjects(store.objects)
    with verified.local(SCENE_KEY, digest, "image") as path:
        assert path.read_bytes() == IMAGE
    store.overwrite(SCENE_KEY, flipped(IMAGE))
    with pytest.raises(DamagedObjectError, match="was changed or damaged"), verified.local(SCENE_KEY, digest, "image"):
        pass
    store.objects.delete(SCENE_KEY)
    with pytest.raises(DamagedObjectError, match="is missing"), verified.local(SCENE_KEY, digest, "image"):
        pass


def test_unreadable_rows_are_found_on_each_database(database: Database) -> None:
    assert check_rows(database) == []
    assert check_chains(database) == []
    with database.write() as session:
        session.add(Batch(area_code="410122", name="a", origin="upload", state="done", created_at=NOW))
        session.flush()
        session.execute(
            text(
                "INSERT INTO jobs (kind, queue, payload, unique_key, state, attempts, run_after, lease_owner, "
                "lease_token, progress, error, created_at) VALUES ('a', 'scan', '{}', 'a', 'waiting', 0, :now, '', '', "
                "0, '', :now)"
            ),
            {"now": "2026-11-20 12:00:00.000000"},
        )
        if database.sqlite:
            session.execute(text("UPDATE jobs SET payload = '{damaged'"))
    problems = check_rows(database)
    assert bool(problems) == database.sqlite  # PostgreSQL refuses such a value
    assert all(problem.startswith("The table jobs cannot be read") for problem in problems)
