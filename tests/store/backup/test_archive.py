"""Archives are verified completely before a restore, and unsafe ones are rejected."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from configs.service import ServiceSettings
from errors import SettingsError
from store.backup.archive import ArchiveError, verify
from store.backup.backup import restore
from store.schema.migrate import head_revision
from tests.store.backup.filled_service import FILES, NOW, other


def _flip(path: Path, data: bytes) -> None:
    """Flip a bit in the first occurrence of ``data``."""
    content = path.read_bytes()
    offset = content.index(data)
    path.write_bytes(content[:offset] + bytes([content[offset] ^ 1]) + content[offset + 1 :])


def _rewrite(path: Path, change: Any) -> None:
    """Rewrite an archive with the members that ``change`` returns for each member."""
    with tarfile.open(path) as tar:
        members = [(member, tar.extractfile(member).read()) for member in tar]  # type: ignore[union-attr]
    with tarfile.open(path, "w") as tar:
        for member, content in members:
            for new_member, new_content in change(member, content):
                new_member.size = len(new_content)
                tar.addfile(new_member, io.BytesIO(new_content))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda p: _flip(p, FILES["scenes/ab/abc.tif"][:512]), "scenes/ab/abc.tif does not match its manifest"),
        (lambda p: _flip(p, b"CREATE TABLE"), "database does not match its manifest"),
        (lambda p: p.write_bytes(p.read_bytes()[:100_000]), "damaged|incomplete"),
        (lambda p: p.write_bytes(b"not a tar" * 1000), "not a backup of Tuban"),
        (lambda p: p.write_bytes(b""), "not a backup of Tuban|incomplete"),
        (lambda p: p.unlink(), "does not exist"),
        (
            lambda p: _rewrite(p, lambda m, c: [] if m.name.endswith("abc.tif") else [(m, c)]),
            "does not match its manifest",
        ),
        (lambda p: _rewrite(p, lambda m, c: [] if m.name == "manifest.json" else [(m, c)]), "is incomplete"),
        (lambda p: _rewrite(p, lambda m, c: [(m, c), (m, c)]), "is damaged"),
        (
            lambda p: _rewrite(p, lambda m, c: [(m, c.replace(b'"format": 1', b'"format": 2'))]),
            "not supported by this version",
        ),
    ],
    ids=[
        "object",
        "database",
        "truncated",
        "other",
        "empty",
        "missing",
        "without a file",
        "without manifest",
        "duplicated",
        "newer",
    ],
)
def test_a_damaged_backup_is_reported_before_anything_is_written(
    embedded: ServiceSettings, archive: Path, tmp_path: Path, damage: Any, message: str
) -> None:
    damage(archive)
    target = other(embedded, tmp_path)
    with pytest.raises(ArchiveError, match=message) as caught:
        restore(target, archive, now=NOW)
    assert "\n" not in str(caught.value)
    assert not target.home.exists()


@pytest.mark.parametrize("name", ["../outside", "objects/../../outside", "/etc/outside", "objects/.hidden", "other"])
def test_an_archive_with_unsafe_names_is_rejected(archive: Path, name: str) -> None:
    def rename(member: tarfile.TarInfo, content: bytes) -> list[tuple[tarfile.TarInfo, bytes]]:
        if member.name.endswith("abc.tif"):
            member.name = name
        return [(member, content)]

    _rewrite(archive, rename)
    with pytest.raises(ArchiveError, match="was not created by Tuban"):
        verify(archive)


def test_an_archive_with_a_link_is_rejected(archive: Path) -> None:
    def link(member: tarfile.TarInfo, content: bytes) -> list[tuple[tarfile.TarInfo, bytes]]:
        if member.name.endswith("abc.tif"):
            member.type, member.linkname, content = tarfile.SYMTYPE, "/etc/passwd", b""
        return [(member, content)]

    _rewrite(archive, link)
    with pytest.raises(ArchiveError, match="is not a regular file"):
        verify(archive)


def test_a_backup_of_an_unknown_revision_is_rejected(embedded: ServiceSettings, archive: Path, tmp_path: Path) -> None:
    _rewrite(archive, lambda m, c: [(m, c.replace(f'"revision": "{head_revision()}"'.encode(), b'"revision": "9999"'))])
    with pytest.raises(SettingsError, match="revision 9999, which this version of Tuban does not know"):
        restore(other(embedded, tmp_path), archive, now=NOW)


def test_the_archive_is_a_plain_tar(archive: Path) -> None:
    listed = subprocess.run(["tar", "-tf", str(archive)], capture_output=True, text=True, check=True).stdout.split()
    assert listed == [*(f"objects/{key}" for key in sorted(FILES)), "database", "manifest.json"]
