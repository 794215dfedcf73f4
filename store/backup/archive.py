"""Backup archives: a tar file with a manifest of names, sizes and checksums as its last member.

The manifest is written last, so an archive that has one is complete.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from errors import TubanError
from store.objects.object_store import InvalidObjectKey, check_key

MANIFEST = "manifest.json"
DATABASE = "database"
OBJECTS = "objects/"
_CHUNK_BYTES = 1 << 20


class ArchiveError(TubanError):
    """The archive is not a backup of Tuban, or is damaged or incomplete."""


class Entry(BaseModel):
    """One file of an archive.

    Attributes:
        name: ``database``, or ``objects/`` followed by a key.
        size: bytes.
        sha256: of the content.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    size: int
    sha256: str


class Manifest(BaseModel):
    """Contents of an archive.

    Attributes:
        format: version of the archive format.
        made_at: time of the backup.
        database: kind of the database that was dumped.
        revision: schema revision of the database.
        tables: names of the dumped tables.
        files: all files except the manifest, in archive order.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    format: Literal[1] = 1
    made_at: AwareDatetime
    database: Literal["sqlite", "postgresql"]
    revision: str
    tables: tuple[str, ...]
    files: tuple[Entry, ...]

    @property
    def keys(self) -> list[str]:
        """Keys of the object files."""
        return [entry.name.removeprefix(OBJECTS) for entry in self.files if entry.name.startswith(OBJECTS)]

    @property
    def size(self) -> int:
        """Total size of the files in bytes."""
        return sum(entry.size for entry in self.files)


class ArchiveWriter:
    """Writes an archive file by file, in constant memory."""

    def __init__(self, file: BinaryIO, made_at: dt.datetime) -> None:
        """Start an archive in ``file``, which is open for writing; ``made_at`` is aware."""
        self._tar = tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115
        self._made_at = made_at
        self._files: list[Entry] = []

    def add(self, name: str, path: Path) -> Entry:
        """Add the file at ``path`` under a name."""
        with path.open("rb") as file:
            size = file.seek(0, io.SEEK_END)
            file.seek(0)
            reader = _HashingReader(file)
            self._tar.addfile(self._member(name, size), reader)
        entry = Entry(name=name, size=size, sha256=reader.hexdigest())
        self._files.append(entry)
        return entry

    def finish(self, *, database: Literal["sqlite", "postgresql"], revision: str, tables: tuple[str, ...]) -> Manifest:
        """Add the manifest, close the archive, and return the manifest."""
        manifest = Manifest(
            made_at=self._made_at, database=database, revision=revision, tables=tables, files=tuple(self._files)
        )
        content = manifest.model_dump_json(indent=1).encode()
        self._tar.addfile(self._member(MANIFEST, len(content)), io.BytesIO(content))
        self._tar.close()
        return manifest

    def _member(self, name: str, size: int) -> tarfile.TarInfo:
        member = tarfile.TarInfo(name)
        member.size, member.mtime, member.mode = size, int(self._made_at.timestamp()), 0o600
        return member


def verify(path: Path) -> Manifest:
    """Read an archive once, compare all sizes and checksums with its manifest, and return the manifest.

    Raises:
        ArchiveError: the archive is damaged or incomplete, or is not a backup.
    """
    entries: list[Entry] = []
    content: bytes | None = None
    with _translate_errors(path):
        for member, file in _members(path):
            if content is not None:
                raise ArchiveError(f"The backup {path} is damaged: it contains data after its manifest.")
            if member.name == MANIFEST:
                content = file.read()
                continue
            _check_name(path, member.name)
            reader = _HashingReader(file)
            while reader.read(_CHUNK_BYTES):
                pass
            entries.append(Entry(name=member.name, size=member.size, sha256=reader.hexdigest()))
    if content is None:
        raise ArchiveError(f"The backup {path} is incomplete: the manifest at its end is missing.")
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError as error:
        raise ArchiveError(
            f"The manifest of {path} is not supported by this version of Tuban: {_first_error(error)}."
        ) from error
    if tuple(entries) != manifest.files:
        different = next(
            (entry.name for entry, listed in zip(entries, manifest.files, strict=False) if entry != listed),
            "the number of files",
        )
        raise ArchiveError(
            f"The backup {path} is damaged: {different} does not match its manifest; use another backup."
        )
    if [entry.name for entry in entries].count(DATABASE) != 1:
        raise ArchiveError(f"The backup {path} contains no database.")
    return manifest


def extract(path: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the name of each file of a verified archive with its path in ``folder``, which is deleted afterwards.

    Raises:
        ArchiveError: the archive cannot be read.
    """
    extracted = folder / "file"
    with _translate_errors(path):
        for member, file in _members(path):
            if member.name == MANIFEST:
                continue
            with extracted.open("wb") as copy:
                while chunk := file.read(_CHUNK_BYTES):
                    copy.write(chunk)
            yield member.name, extracted
            extracted.unlink(missing_ok=True)


class _HashingReader(io.RawIOBase):
    """Reads a file and hashes the data."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._sha256 = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        chunk: bytes = self._file.read(size)
        self._sha256.update(chunk)
        return chunk

    def hexdigest(self) -> str:
        return self._sha256.hexdigest()


def _members(path: Path) -> Iterator[tuple[tarfile.TarInfo, Any]]:
    with tarfile.open(path, "r:") as tar:
        for member in tar:
            file = tar.extractfile(member) if member.isreg() else None
            if file is None:
                raise ArchiveError(
                    f"The backup {path} was not created by Tuban: its member {member.name!r} is not a regular file."
                )
            yield member, file


@contextmanager
def _translate_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError) as error:
        raise ArchiveError(f"{path} is not a backup of Tuban, or it is damaged ({error}).") from error
    except FileNotFoundError as error:
        if error.filename != str(path):
            raise
        raise ArchiveError(f"The backup {path} does not exist.") from error


def _check_name(path: Path, name: str) -> None:
    if name == DATABASE:
        return
    try:
        if not name.startswith(OBJECTS):
            raise InvalidObjectKey(f"{name!r} is not a file of a backup.")
        check_key(name.removeprefix(OBJECTS))
    except InvalidObjectKey as error:
        raise ArchiveError(f"The backup {path} was not created by Tuban: {error}") from error


def _first_error(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
