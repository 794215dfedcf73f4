"""Unpack an untrusted zip file member by member, under limits."""

from __future__ import annotations

import hashlib
import stat
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, BinaryIO, Self

from errors import ImageError, Reason
from imagery.files.deflate64 import inflate_sandboxed
from imagery.files.file_roles import DIVIDED
from imagery.files.header_limits import damaged_file
from imagery.limits import GIB, MIB

_PIECE = MIB
_ENTRY_BYTES = 1024  # of the directory, per member: 46, its name and extra fields
_RATIO_FLOOR = 16 * MIB  # unpacked size below which the ratio is ignored: black images compress a thousandfold
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)  # LZMA may request 4 GiB in 5 bytes
_DEFLATE64, _AES = 9, 99  # methods: of Windows Explorer for more than 2 GB; encrypted by WinZip, 7-Zip and others
_ENCRYPTED, _UTF8 = 0x1, 0x800  # flag bits
_DIVIDED = "span multiple disks"  # in the message of zipfile
_METHOD_NAMES = {14: "LZMA", 93: "Zstandard", 95: "XZ", 98: "PPMd"}


@dataclass(frozen=True)
class Member:
    """One file in the archive.

    Attributes:
        name: with ``/`` between folders; as written in the archive, so not always a safe path.
        size: unpacked size in bytes.
        fault: why it is not unpacked; "" if it can be.
    """

    name: str
    size: int
    fault: Reason
    _info: zipfile.ZipInfo = field(repr=False, compare=False)


class Archive:
    """An open zip file. A context manager.

    Attributes:
        members: its files, in their order, without folders.
    """

    def __init__(self, path: Path, name: str, *, max_files: int, max_bytes: float, max_ratio: float) -> None:
        """Read the directory without unpacking anything.

        Args:
            path: of the file.
            name: the user's name for it, for messages.
            max_files: number of files in it.
            max_bytes: total unpacked size.
            max_ratio: unpacked over packed size of a large member.

        Raises:
            ImageError: it is not a zip file, is damaged, or exceeds ``max_files`` or ``max_bytes``.
        """
        self.name, self._path = name, path
        handle = _BoundedReader(path.open("rb"), max_files * _ENTRY_BYTES + 64 * 1024)
        try:
            self._zip = zipfile.ZipFile(handle)
            handle.max_read = None
            infos = [info for info in self._zip.infolist() if not info.is_dir()]
            total = sum(info.file_size for info in infos)
            if len(infos) > max_files:
                raise ImageError(
                    f"{name} contains {len(infos):,} files, above the limit of {max_files:,}. Split it.",
                    "zip.files",
                    name=name,
                    most=max_files,
                )
            if total > max_bytes:
                raise ImageError(
                    f"{name} contains {total / GIB:,.1f} GiB, unpacked, above the limit of {max_bytes / GIB:,.1f} GiB. "
                    "Split it.",
                    "zip.bytes",
                    name=name,
                    gib=total / GIB,
                    most=max_bytes / GIB,
                )
            self.members = tuple(_member(info, max_ratio) for info in infos)
        except _ReadTooLarge:
            handle.close()
            raise ImageError(
                f"{name} has a directory of more than {max_files:,} files, which is the limit. Split it.",
                "zip.files",
                name=name,
                most=max_files,
            ) from None
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
            handle.close()
            if _DIVIDED in str(error):
                raise ImageError(DIVIDED) from None
            raise damaged_file(name, f"it cannot be read as a zip file ({error})") from None
        except BaseException:
            handle.close()
            raise
        self._handle = handle

    def __enter__(self) -> Self:
        """Return the archive itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the archive."""
        self._zip.close()
        self._handle.close()

    def extract(self, member: Member, destination: Path) -> str:
        """Unpack one member into a file and return its SHA-256 in hexadecimal.

        Raises:
            ImageError: the member has a fault or is damaged; ``destination`` does not exist then.
            OSError: ``destination`` cannot be written.
        """
        if member.fault:
            raise ImageError(
                f"{member.name} in {self.name} is not unpacked: {member.fault}.",
                "zip.member",
                name=member.name,
                fault=member.fault,
            )
        if member._info.compress_type == _DEFLATE64:
            return inflate_sandboxed(self._path, member._info, member.name, destination)
        digest = hashlib.sha256()
        try:
            with destination.open("wb") as handle:
                try:
                    # zipfile reads no more than the directory declares and then compares the checksum
                    with self._zip.open(member._info) as packed:
                        while piece := _read_piece(packed, member.name):
                            digest.update(piece)
                            handle.write(piece)
                except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
                    raise damaged_file(member.name, f"it cannot be unpacked ({error})") from None
        except BaseException:
            destination.unlink(missing_ok=True)
            raise
        return digest.hexdigest()


def _read_piece(packed: IO[bytes], name: str) -> bytes:
    try:
        return packed.read(_PIECE)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise damaged_file(name, f"it cannot be unpacked ({error})") from None


def _member(info: zipfile.ZipInfo, max_ratio: float) -> Member:
    name = _decoded(info).replace("\\", "/")
    return Member(name, info.file_size, _fault(info, name, max_ratio), info)


def _fault(info: zipfile.ZipInfo, name: str, max_ratio: float) -> Reason:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        return Reason("it is a link or a device, and only regular files are unpacked", "zip.link")
    if name.startswith("/") or name[1:2] == ":" or ".." in name.split("/"):
        return Reason(
            "its path points outside the archive; pack the files again with paths below one folder", "zip.outside"
        )
    if info.flag_bits & _ENCRYPTED or info.compress_type == _AES:
        return Reason("it is encrypted; pack the files again without a password", "zip.encrypted")
    if info.compress_type not in (*_METHODS, _DEFLATE64):
        method = _METHOD_NAMES.get(info.compress_type, f"method {info.compress_type}")
        return Reason(
            f"it is compressed by {method}, which is not read; pack the files again in 7-Zip with the method Deflate, "
            "or submit them unpacked",
            "zip.method",
            method=method,
        )
    if info.file_size > _RATIO_FLOOR and info.file_size > max_ratio * max(1, info.compress_size):
        times = info.file_size / max(1, info.compress_size)
        return Reason(f"its unpacked size is {times:,.0f} times its packed size", "zip.ratio", times=times)
    if name.lower().endswith(".zip"):
        return Reason("a zip file in a zip file is not unpacked; unpack it first", "zip.nested")
    return Reason("")


def _decoded(info: zipfile.ZipInfo) -> str:
    """Return the name, decoded as UTF-8, declared or not, or as the GBK of a Chinese Windows."""
    if info.flag_bits & _UTF8:
        return info.orig_filename
    raw = info.orig_filename.encode("cp437")
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return info.orig_filename


class _ReadTooLarge(Exception):  # noqa: N818
    """A read larger than the directory of the archive may be."""


class _BoundedReader:
    """A file that refuses large reads, so that zipfile does not load a huge directory into memory."""

    def __init__(self, handle: BinaryIO, max_read: int) -> None:
        self._handle = handle
        self.max_read: int | None = max_read
        self.seek, self.tell, self.close = handle.seek, handle.tell, handle.close
        self.seekable, self.closed, self.mode = handle.seekable, False, "rb"

    def read(self, length: int = -1) -> bytes:
        if self.max_read is not None and length > self.max_read:
            raise _ReadTooLarge
        return self._handle.read(length)
