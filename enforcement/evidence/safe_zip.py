"""Reading a zip from strangers into memory: small, flat, plain files and nothing besides."""

from __future__ import annotations

import re
import stat
import struct
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

from errors import TubanError

MOST_FILES = 64
MOST_ARCHIVE_BYTES = 256 * 2**20
MOST_FILE_BYTES = 128 * 2**20
MOST_BYTES = 384 * 2**20
MOST_RATIO = 200.0
_RATIO_FROM = 2**20  # a small file of one letter is no bomb
_STEP = 2**20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*")
_LONGEST_NAME = 100
_ENCRYPTED = 0x1
_LOCAL_HEADER, _LIST_ENTRY, _END, _END_64 = 30, 46, 22, 20  # bytes of the parts of a zip, without names
_HIDDEN = "it holds bytes that belong to no file, or to two"


class HostileZip(TubanError):  # noqa: N818  (a finding about the file)
    """A zip is broken, too large, or holds what no bundle holds."""


def is_plain_name(name: str) -> bool:
    """Whether a name is one that a bundle's file may have: letters, digits, dots, - and _, no folder."""
    return len(name) <= _LONGEST_NAME and _NAME.fullmatch(name) is not None


def read_sealed_zip(path: Path) -> dict[str, bytes]:
    """Read all files of a zip; nothing is written anywhere.

    Refused are folders, links, names other than plain ones, names that are there twice, encrypted files, unusual
    compression, sizes above the limits of this module (those that are written there are not believed: bytes are
    counted), and bytes that belong to no file.

    Returns:
        name → content.

    Raises:
        HostileZip: with the reason.
        OSError: the file cannot be read.
    """
    size = path.stat().st_size
    if size > MOST_ARCHIVE_BYTES:
        raise HostileZip(f"it has {size / 2**20:,.0f} MiB; a bundle has at most {MOST_ARCHIVE_BYTES // 2**20}")
    with path.open("rb") as file:
        _check_end(file, size)
        try:
            with zipfile.ZipFile(file) as archive:
                entries = archive.infolist()
                _check_entries(entries)
                _check_layout(file, archive.start_dir, entries, size)
                return _read(archive, entries)
        except (zipfile.BadZipFile, zlib.error, EOFError, struct.error, NotImplementedError, ValueError) as error:
            raise HostileZip(f"it is no whole zip file ({error})") from error


def _check_end(file: BinaryIO, size: int) -> None:
    """Look at the end of a zip before its list is read: a list of millions of files would fill the memory."""
    file.seek(max(0, size - _END - _END_64))
    tail = file.read()
    end = tail[-_END:]
    if end[:4] != b"PK\x05\x06" or end[-2:] != b"\0\0":
        raise HostileZip("it is no zip file, is cut off, or something was put behind it")
    count, bytes_listed = struct.unpack("<HI", end[10:16])
    if tail[:4] == b"PK\x06\x07" or count > MOST_FILES or bytes_listed > MOST_FILES * (_LIST_ENTRY + _LONGEST_NAME):
        raise HostileZip(f"it holds {count:,} files or their list is too long: at most {MOST_FILES} are expected")


def _check_entries(entries: list[zipfile.ZipInfo]) -> None:
    seen: set[str] = set()
    for entry in entries:
        name = entry.orig_filename
        if not is_plain_name(name):
            raise HostileZip(f"it holds a file of the name {name[:_LONGEST_NAME]!r}: only plain names are expected")
        if name.casefold() in seen:
            raise HostileZip(f"it holds {name} twice")
        seen.add(name.casefold())
        mode = entry.external_attr >> 16
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            raise HostileZip(f"{name} is a link or no plain file")
        if entry.flag_bits & _ENCRYPTED:
            raise HostileZip(f"{name} is encrypted")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise HostileZip(f"{name} is compressed in an unusual way")


def _check_layout(file: BinaryIO, list_offset: int, entries: list[zipfile.ZipInfo], size: int) -> None:
    """Files follow each other without a gap: nothing is hidden between them, and none shares another's bytes."""
    expected, listed = 0, 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        file.seek(entry.header_offset)
        header = file.read(_LOCAL_HEADER)
        if entry.header_offset != expected or len(header) < _LOCAL_HEADER or entry.extra or entry.comment:
            raise HostileZip(_HIDDEN)
        name, extra = struct.unpack("<HH", header[26:30])
        if extra:
            raise HostileZip(_HIDDEN)
        expected += _LOCAL_HEADER + name + entry.compress_size
        listed += _LIST_ENTRY + len(entry.orig_filename)
    if list_offset != expected or expected + listed + _END != size:
        raise HostileZip(_HIDDEN)


def _read(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    left = MOST_BYTES
    for entry in entries:
        most = min(MOST_FILE_BYTES, left, max(_RATIO_FROM, int(entry.compress_size * MOST_RATIO)))
        parts, count = [], 0
        with archive.open(entry) as stream:
            while part := stream.read(_STEP):
                count += len(part)
                if count > most:
                    raise HostileZip(f"{entry.filename} unpacks to more than {most:,} bytes: a zip bomb")
                parts.append(part)
        left -= count
        contents[entry.filename] = b"".join(parts)
    return contents
