"""A backup as one file: a tar with a list of what is in it, its sizes and checksums, at its end.

The list is written last, so an archive that has it is whole.
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
_PIECE = 1 << 20


class ArchiveError(TubanError):
    """The archive is no backup of Tuban, is damaged or is not whole."""


class Entry(BaseModel):
    """One file of an archive.

    Attributes:
        name: ``database``, or ``objects/`` and a key.
        size: bytes.
        sha256: of its content.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    size: int
    sha256: str


class Manifest(BaseModel):
    """What an archive holds.

    Attributes:
        format: of the archive.
        made_at: when.
        database: which sort of database the file ``database`` comes from.
        revision: of its tables.
        tables: their names.
        files: all others than the manifest, in their order.
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
        """Keys of the objects."""
        return [entry.name.removeprefix(OBJECTS) for entry in self.files if entry.name.startswith(OBJECTS)]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(entry.size for entry in self.files)


class ArchiveWriter:
    """Writes an archive, file by file, through memory of fixed size."""

    def __init__(self, file: BinaryIO, made_at: dt.datetime) -> None:
        """``file``: where to, open for writing; ``made_at``: aware."""
        self._tar = tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115
        self._made_at = made_at
        self._files: list[Entry] = []

    def add(self, name: str, path: Path) -> None:
        """Add a file under a name."""
        with path.open("rb") as file:
            size = file.seek(0, io.SEEK_END)
            file.seek(0)
            read = _Hashing(file)
            self._tar.addfile(self._member(name, size), read)
        self._files.append(Entry(name=name, size=size, sha256=read.hexdigest()))

    def finish(self, *, database: Literal["sqlite", "postgresql"], revision: str, tables: tuple[str, ...]) -> Manifest:
        """Add the manifest; see its attributes."""
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
    """Read an archive once and compare every byte of it with its list.

    Raises:
        ArchiveError: it is not what it was when it was made, or no backup at all.
    """
    found: list[Entry] = []
    content: bytes | None = None
    with _reading(path):
        for member, file in _members(path):
            if content is not None:
                raise ArchiveError(f"The backup {path} goes on after its list of files; it is damaged.")
            if member.name == MANIFEST:
                content = file.read()
                continue
            _check_name(path, member.name)
            read = _Hashing(file)
            while read.read(_PIECE):
                pass
            found.append(Entry(name=member.name, size=member.size, sha256=read.hexdigest()))
    if content is None:
        raise ArchiveError(f"The backup {path} is not whole: the list of its files, at its end, is missing.")
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError as error:
        raise ArchiveError(f"The list of files in {path} is none of this version of Tuban: {_first(error)}.") from error
    if tuple(found) != manifest.files:
        wrong = next((f.name for f, m in zip(found, manifest.files, strict=False) if f != m), "their number")
        raise ArchiveError(f"The backup {path} is damaged: {wrong} is not what its list says; use another backup.")
    if [entry.name for entry in found].count(DATABASE) != 1:
        raise ArchiveError(f"The backup {path} holds no database.")
    return manifest


def extract(path: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """Give each file of a verified archive by its name, as a file in ``folder`` that is removed afterwards.

    Raises:
        ArchiveError: the archive cannot be read.
    """
    place = folder / "file"
    with _reading(path):
        for member, file in _members(path):
            if member.name == MANIFEST:
                continue
            with place.open("wb") as copy:
                while piece := file.read(_PIECE):
                    copy.write(piece)
            yield member.name, place
            place.unlink(missing_ok=True)


class _Hashing(io.RawIOBase):
    """Reads a file and hashes what is read."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._sha256 = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        piece: bytes = self._file.read(size)
        self._sha256.update(piece)
        return piece

    def hexdigest(self) -> str:
        return self._sha256.hexdigest()


def _members(path: Path) -> Iterator[tuple[tarfile.TarInfo, Any]]:
    with tarfile.open(path, "r:") as tar:
        for member in tar:
            file = tar.extractfile(member) if member.isreg() else None
            if file is None:
                raise ArchiveError(f"The backup {path} was not made by Tuban: {member.name!r} in it is no file.")
            yield member, file


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError) as error:
        raise ArchiveError(f"{path} is no backup of Tuban, or it is damaged ({error}).") from error
    except FileNotFoundError as error:
        if error.filename != str(path):
            raise
        raise ArchiveError(f"There is no backup {path}.") from error


def _check_name(path: Path, name: str) -> None:
    if name == DATABASE:
        return
    try:
        if not name.startswith(OBJECTS):
            raise InvalidObjectKey(f"{name!r} is no file of a backup.")
        check_key(name.removeprefix(OBJECTS))
    except InvalidObjectKey as error:
        raise ArchiveError(f"The backup {path} was not made by Tuban: {error}") from error


def _first(error: ValidationError) -> str:
    fault = error.errors()[0]
    return f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
