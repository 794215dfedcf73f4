"""Read an untrusted zip file into memory; only small, flat archives of plain files are accepted."""

from __future__ import annotations

import re
import stat
import struct
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

from errors import TubanError

MAX_FILES = 64
MAX_ARCHIVE_BYTES = 256 * 2**20
MAX_FILE_BYTES = 128 * 2**20
MAX_BYTES = 384 * 2**20
MAX_RATIO = 200.0
_RATIO_MIN_BYTES = 2**20  # smaller files may exceed the compression ratio
_CHUNK_BYTES = 2**20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*")
_MAX_NAME = 100
_ENCRYPTED = 0x1
_LOCAL_HEADER, _DIRECTORY_ENTRY, _END, _END_64 = 30, 46, 22, 20  # sizes of zip records in bytes, without names
_INCONSISTENT = "it contains bytes that belong to no file, or to two"


class UnsafeZip(TubanError):  # noqa: N818  (a finding about the file)
    """A zip file is damaged, too large, or contains entries that a bundle never has."""


def is_plain_name(name: str) -> bool:
    """Whether a file name is allowed in a bundle: letters, digits, dots, - and _, no folders."""
    return len(name) <= _MAX_NAME and _NAME.fullmatch(name) is not None


def read_safe_zip(path: Path) -> dict[str, bytes]:
    """Read all files of a zip into memory, without writing to the disk.

    Folders, links, non-plain and duplicate names, encryption, unusual compression methods, sizes above the limits of
    this module (declared sizes are not trusted: unpacked bytes are counted) and bytes outside all files are rejected.

    Returns:
        content by name.

    Raises:
        UnsafeZip: the zip is rejected; the message is the reason.
        OSError: the file cannot be read.
    """
    size = path.stat().st_size
    if size > MAX_ARCHIVE_BYTES:
        raise UnsafeZip(f"its size is {size / 2**20:,.0f} MiB; a bundle has at most {MAX_ARCHIVE_BYTES // 2**20} MiB")
    with path.open("rb") as file:
        _check_end(file, size)
        try:
            with zipfile.ZipFile(file) as archive:
                entries = archive.infolist()
                _check_entries(entries)
                _check_layout(file, archive.start_dir, entries, size)
                return _read(archive, entries)
        except (zipfile.BadZipFile, zlib.error, EOFError, struct.error, NotImplementedError, ValueError) as error:
            raise UnsafeZip(f"it is not a complete zip file ({error})") from error


def _check_end(file: BinaryIO, size: int) -> None:
    """Check the end record before the directory is read: a directory of millions of files would exhaust the memory."""
    file.seek(max(0, size - _END - _END_64))
    tail = file.read()
    end = tail[-_END:]
    if end[:4] != b"PK\x05\x06" or end[-2:] != b"\0\0":
        raise UnsafeZip("it is not a zip file, is truncated, or has data appended")
    count, directory_bytes = struct.unpack("<HI", end[10:16])
    max_directory_bytes = MAX_FILES * (_DIRECTORY_ENTRY + _MAX_NAME)
    if tail[:4] == b"PK\x06\x07" or count > MAX_FILES or directory_bytes > max_directory_bytes:
        raise UnsafeZip(f"it contains {count:,} files, or its directory is too large: at most {MAX_FILES} are allowed")


def _check_entries(entries: list[zipfile.ZipInfo]) -> None:
    seen: set[str] = set()
    for entry in entries:
        name = entry.orig_filename
        if not is_plain_name(name):
            raise UnsafeZip(f"it contains a file named {name[:_MAX_NAME]!r}: only plain names are allowed")
        if name.casefold() in seen:
            raise UnsafeZip(f"it contains {name} twice")
        seen.add(name.casefold())
        mode = entry.external_attr >> 16
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            raise UnsafeZip(f"{name} is a link or not a regular file")
        if entry.flag_bits & _ENCRYPTED:
            raise UnsafeZip(f"{name} is encrypted")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise UnsafeZip(f"{name} uses an unusual compression method")


def _check_layout(file: BinaryIO, directory_offset: int, entries: list[zipfile.ZipInfo], size: int) -> None:
    """Check that files are contiguous: no data hidden between them, and no overlapping files."""
    expected, directory_bytes = 0, 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        file.seek(entry.header_offset)
        header = file.read(_LOCAL_HEADER)
        if entry.header_offset != expected or len(header) < _LOCAL_HEADER or entry.extra or entry.comment:
            raise UnsafeZip(_INCONSISTENT)
        name_bytes, extra_bytes = struct.unpack("<HH", header[26:30])
        if extra_bytes:
            raise UnsafeZip(_INCONSISTENT)
        expected += _LOCAL_HEADER + name_bytes + entry.compress_size
        directory_bytes += _DIRECTORY_ENTRY + len(entry.orig_filename)
    if directory_offset != expected or expected + directory_bytes + _END != size:
        raise UnsafeZip(_INCONSISTENT)


def _read(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    remaining = MAX_BYTES
    for entry in entries:
        limit = min(MAX_FILE_BYTES, remaining, max(_RATIO_MIN_BYTES, int(entry.compress_size * MAX_RATIO)))
        chunks, size = [], 0
        with archive.open(entry) as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                size += len(chunk)
                if size > limit:
                    raise UnsafeZip(f"{entry.filename} unpacks to more than {limit:,} bytes: a zip bomb")
                chunks.append(chunk)
        remaining -= size
        contents[entry.filename] = b"".join(chunks)
    return contents
