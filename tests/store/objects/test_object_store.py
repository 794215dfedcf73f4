"""Objects are written atomically, in a folder and in an S3-compatible store."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from configs.service import ServiceSettings
from errors import OutputError, SettingsError
from store.objects.factory import open_object_store
from store.objects.folder import STALE_PART_SECONDS
from store.objects.object_store import InvalidObjectKey, ObjectNotFound, ObjectStore, ObjectStoreUnavailable
from store.objects.s3 import S3ObjectStore


@pytest.fixture(params=["folder", "s3"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    """An empty object store of each kind."""
    if request.param == "folder":
        return open_object_store(ServiceSettings(home=tmp_path / "home"))
    endpoint = request.getfixturevalue("s3_endpoint")
    return open_object_store(ServiceSettings(home=tmp_path / "home", objects="s3://tuban/a/b", s3_endpoint=endpoint))


def _files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and p.suffix != ".sha256")


def test_an_object_is_written_and_read(objects: ObjectStore) -> None:
    objects.put("scenes/ab/abc.tif", b"pixels")
    assert objects.read("scenes/ab/abc.tif") == b"pixels"
    assert objects.size("scenes/ab/abc.tif") == 6
    assert objects.exists("scenes/ab/abc.tif")
    with objects.local("scenes/ab/abc.tif") as path:
        assert path.read_bytes() == b"pixels"
        assert path.suffix == ".tif"


def test_a_file_is_copied_into_the_store(objects: ObjectStore, tmp_path: Path) -> None:
    content = os.urandom(9 * 2**20)  # larger than one part of an upload
    (tmp_path / "large").write_bytes(content)
    objects.put("scenes/large.tif", tmp_path / "large")
    assert objects.read("scenes/large.tif") == content
    with objects.local("scenes/large.tif") as path:
        assert path.read_bytes() == content
    assert (tmp_path / "large").exists()


def test_a_missing_source_file_raises_file_not_found(objects: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        objects.put("scenes/a.tif", tmp_path / "nothing")
    assert not objects.exists("scenes/a.tif")


def test_writing_again_replaces_the_object(objects: ObjectStore) -> None:
    objects.put("a/b.json", b"first")
    with objects.local("a/b.json"):
        pass
    objects.put("a/b.json", b"second")
    assert objects.read("a/b.json") == b"second"
    with objects.local("a/b.json") as path:
        assert path.read_bytes() == b"second"


def test_a_missing_object_is_reported(objects: ObjectStore) -> None:
    objects.put("a/b.json", b"")
    for key in ("a/c.json", "a", "a/b.json/c", "x/y/z"):
        assert not objects.exists(key)
        for method in (objects.read, objects.size):
            with pytest.raises(ObjectNotFound, match=f"The object {key} does not exist in "):
                method(key)
        with pytest.raises(ObjectNotFound), objects.local(key):
            pass


def test_deleting_an_object_is_idempotent(objects: ObjectStore) -> None:
    objects.put("a/b.json", b"1")
    objects.delete("a/b.json")
    objects.delete("a/b.json")
    assert not objects.exists("a/b.json")


def test_keys_are_listed_by_prefix_in_order(objects: ObjectStore) -> None:
    for key in ("scenes/b.tif", "scenes/a/1.tif", "scenes/a.tif", "scenes-old/1.tif", "received/1"):
        objects.put(key, b"")
    assert list(objects.keys("")) == [
        "received/1",
        "scenes-old/1.tif",
        "scenes/a.tif",
        "scenes/a/1.tif",
        "scenes/b.tif",
    ]
    assert list(objects.keys("scenes/a")) == ["scenes/a.tif", "scenes/a/1.tif"]
    assert list(objects.keys("scenes/a/")) == ["scenes/a/1.tif"]
    assert list(objects.keys("nothing/")) == []


def test_a_malformed_key_is_rejected(objects: ObjectStore) -> None:
    outside = ["/etc/passwd", "../a", "a/../../b", "a/..", "a//b", "a/", ".hidden", "a/.b"]
    for key in ["", *outside, "a b", "图.tif", "a\\b", "a\n", "a" * 401]:
        for method in (objects.read, objects.size, objects.exists, objects.delete):
            with pytest.raises(InvalidObjectKey):
                method(key)
        with pytest.raises(InvalidObjectKey):
            objects.put(key, b"")
        with pytest.raises(InvalidObjectKey), objects.local(key):
            pass


def test_a_successful_check_leaves_no_objects(objects: ObjectStore) -> None:
    objects.check()
    assert list(objects.keys("")) == []


@pytest.mark.parametrize("address", ["ftp://host/objects", "s3://", "s3://bucket/../x", "s3:///prefix"])
def test_an_invalid_address_is_rejected(address: str) -> None:
    with pytest.raises(SettingsError, match="TUBAN_OBJECTS"):
        open_object_store(ServiceSettings(objects=address))


KILLED_WHILE_WRITING = """
import signal, sys
from pathlib import Path
import store.objects.folder as folder

def stop(path):
    print("written", flush=True)
    signal.pause()

objects = folder.FolderObjectStore(Path(sys.argv[1]))
objects.put("a/complete", b"1")
folder.fsync_path = stop
objects.put("a/partial", b"2" * 100_000)
"""


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """A folder whose writer was killed between writing and renaming an object."""
    folder = tmp_path / "objects"
    with subprocess.Popen(
        [sys.executable, "-c", KILLED_WHILE_WRITING, str(folder)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        process.kill()
    return folder


def test_a_partially_written_object_is_never_visible(killed: Path) -> None:
    objects = open_object_store(ServiceSettings(objects=str(killed)))
    assert list(objects.keys("")) == ["a/complete"]
    assert not objects.exists("a/partial")
    objects.put("a/partial", b"now complete")
    assert objects.read("a/partial") == b"now complete"


def test_old_partial_files_of_dead_processes_are_deleted(killed: Path) -> None:
    objects = open_object_store(ServiceSettings(objects=str(killed)))
    (partial,) = (killed / "a").glob(".*.part")
    objects.check()
    assert partial.exists()  # another process might be writing it
    old = partial.stat().st_mtime - STALE_PART_SECONDS - 60
    os.utime(partial, (old, old))
    objects.check()
    assert _files(killed) == ["a/complete"]


@pytest.mark.parametrize("as_file", [False, True])
def test_a_full_disk_is_reported_in_one_line_and_leaves_no_partial_object(
    small_disk: Path, tmp_path: Path, as_file: bool
) -> None:
    objects = open_object_store(ServiceSettings(objects=str(small_disk)))
    objects.put("a/small", b"1")
    (tmp_path / "large").write_bytes(bytes(2 * 2**20))
    with pytest.raises(OutputError, match=r"a/large cannot be written to .*No space left on device") as caught:
        objects.put("a/large", tmp_path / "large" if as_file else bytes(2 * 2**20))
    assert "\n" not in str(caught.value)
    assert _files(small_disk) == ["a/small"]
    objects.put("a/another", b"2")


def test_the_check_reports_a_read_only_folder(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(SettingsError, match=r"cannot be written \(Read-only file system\)"):
        open_object_store(ServiceSettings(objects=str(small_disk / "objects"))).check()


def test_the_check_reports_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot be written"):
        open_object_store(ServiceSettings(objects=str(tmp_path / "file"))).check()


def test_the_check_reports_a_missing_bucket(s3_endpoint: str) -> None:
    objects = open_object_store(ServiceSettings(objects="s3://nothing", s3_endpoint=s3_endpoint))
    with pytest.raises(SettingsError, match="NoSuchBucket") as caught:
        objects.check()
    assert "\n" not in str(caught.value)


def test_an_unreachable_store_is_reported_as_unavailable(s3_endpoint: str) -> None:
    objects = open_object_store(ServiceSettings(objects="s3://tuban", s3_endpoint="http://127.0.0.1:9"))
    with pytest.raises(SettingsError, match="Could not connect"):
        objects.check()
    for method in (objects.read, objects.size, objects.exists, objects.delete):
        with pytest.raises(ObjectStoreUnavailable):
            method("a/b")


@pytest.fixture
def remote(s3_endpoint: str, tmp_path: Path) -> S3ObjectStore:
    """A remote store with a cache of 100 bytes."""
    return S3ObjectStore("tuban", "", endpoint=s3_endpoint, cache=tmp_path / "cache", cache_bytes=100)


def test_an_object_is_downloaded_once(remote: S3ObjectStore) -> None:
    remote.put("a.tif", b"1")
    with remote.local("a.tif") as first:
        inode = first.stat().st_ino
    with remote.local("a.tif") as second:
        assert second.stat().st_ino == inode


def test_concurrent_readers_share_one_complete_copy(remote: S3ObjectStore) -> None:
    remote.put("a.tif", bytes(90))
    barrier = threading.Barrier(4)
    inodes: list[int] = []

    def read() -> None:
        barrier.wait()
        with remote.local("a.tif") as path:
            assert path.read_bytes() == bytes(90)
            inodes.append(path.stat().st_ino)
            barrier.wait()

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert len(inodes) == 4
    assert len(set(inodes)) == 1


def test_least_recently_used_copies_are_evicted_but_never_one_in_use(remote: S3ObjectStore, tmp_path: Path) -> None:
    for name in ("a.tif", "b.tif", "c.tif"):
        remote.put(name, name.encode() + bytes(40))
    with remote.local("a.tif") as a:
        with remote.local("b.tif") as b:
            pass
        with remote.local("c.tif") as c:
            assert a.read_bytes().startswith(b"a.tif")
            assert not b.exists()
    with remote.local("b.tif") as b:
        assert b.read_bytes().startswith(b"b.tif")
        assert not a.exists()
        assert c.exists()


def test_a_download_to_a_full_disk_leaves_no_partial_file(s3_endpoint: str, small_disk: Path) -> None:
    remote = S3ObjectStore("tuban", "", endpoint=s3_endpoint, cache=small_disk)
    remote.put("large.tif", bytes(2 * 2**20))
    with pytest.raises(OutputError, match="2097152 bytes cannot be cached"), remote.local("large.tif"):
        pass
    assert _files(small_disk) == [".lock"]
