"""A zip file from a stranger, unpacked member by member under limits, each into a file of ours."""

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
from imagery.files.header_limits import damaged_file
from imagery.files.limits import GIB, MIB

_PIECE = MIB
_ENTRY_BYTES = 1024  # of the directory, for one member: 46, its name, and what some programs add
_RATIO_FLOOR = 16 * MIB  # unpacked size below which the ratio does not matter: black images pack a thousandfold
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)  # LZMA may ask for 4 GiB in 5 bytes
_ENCRYPTED, _UTF8 = 0x1, 0x800  # flag bits


@dataclass(frozen=True)
class Member:
    """One file in the archive.

    Attributes:
        name: with ``/`` between folders; as it is written in the archive, so not always a path that is safe.
        size: bytes, unpacked.
        fault: why it is not unpacked; "" when it may be.
    """

    name: str
    size: int
    fault: Reason
    _info: zipfile.ZipInfo = field(repr=False, compare=False)


class Archive:
    """An opened zip file. A context manager.

    Attributes:
        members: the files in it, in their order; folders are left out.
    """

    def __init__(self, path: Path, name: str, *, max_files: int, max_bytes: float, max_ratio: float) -> None:
        """Read the directory; nothing is unpacked.

        Args:
            path: the file, under a name of ours.
            name: how the person calls it, for messages.
            max_files: files that may be in it.
            max_bytes: of all of them together, unpacked.
            max_ratio: unpacked bytes over packed ones of a large member.

        Raises:
            ImageError: it is no zip file, is damaged, or goes beyond ``max_files`` or ``max_bytes``.
        """
        self.name = name
        handle = _Careful(path.open("rb"), max_files * _ENTRY_BYTES + 64 * 1024)
        try:
            self._zip = zipfile.ZipFile(handle)
            handle.most = None
            infos = [info for info in self._zip.infolist() if not info.is_dir()]
            total = sum(info.file_size for info in infos)
            if len(infos) > max_files:
                raise ImageError(
                    f"{name} holds {len(infos):,} files, above the limit of {max_files:,}. Divide it.",
                    "zip.files",
                    name=name,
                    most=max_files,
                )
            if total > max_bytes:
                raise ImageError(
                    f"{name} holds {total / GIB:,.1f} GiB, unpacked, above the limit of {max_bytes / GIB:,.1f} GiB. "
                    "Divide it.",
                    "zip.bytes",
                    name=name,
                    gib=total / GIB,
                    most=max_bytes / GIB,
                )
            self.members = tuple(_member(info, max_ratio) for info in infos)
        except _TooLong:
            handle.close()
            raise ImageError(
                f"{name} has a directory of more than {max_files:,} files, which is the limit. Divide it.",
                "zip.files",
                name=name,
                most=max_files,
            ) from None
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
            handle.close()
            raise damaged_file(name, f"it cannot be read as a zip file ({error})") from None
        except BaseException:
            handle.close()
            raise
        self._handle = handle

    def __enter__(self) -> Self:
        """The archive itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self._zip.close()
        self._handle.close()

    def extract(self, member: Member, to: Path) -> str:
        """Unpack one member into the file ``to`` and return its SHA-256, in hexadecimal.

        Raises:
            ImageError: it is refused or damaged; ``to`` is not there then.
            OSError: ``to`` cannot be written.
        """
        if member.fault:
            raise ImageError(
                f"{member.name} in {self.name} is not unpacked: {member.fault}.",
                "zip.member",
                name=member.name,
                fault=member.fault,
            )
        digest = hashlib.sha256()
        try:
            with to.open("wb") as handle:
                try:
                    # never more than the directory declares: zipfile stops there, and then compares the checksum
                    with self._zip.open(member._info) as packed:
                        while piece := _piece(packed, member.name):
                            digest.update(piece)
                            handle.write(piece)
                except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
                    raise damaged_file(member.name, f"it cannot be unpacked ({error})") from None
        except BaseException:
            to.unlink(missing_ok=True)
            raise
        return digest.hexdigest()


def _piece(packed: IO[bytes], name: str) -> bytes:
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
        return Reason("it is a link or a device, and only files are unpacked", "zip.link")
    if name.startswith("/") or name[1:2] == ":" or ".." in name.split("/"):
        return Reason(
            "its path points outside the archive; pack the files again with paths below one folder", "zip.outside"
        )
    if info.flag_bits & _ENCRYPTED:
        return Reason("it is encrypted; pack the files again without a password", "zip.encrypted")
    if info.compress_type not in _METHODS:
        return Reason(
            f"it is packed by method {info.compress_type}; pack the files again with the usual method (deflate)",
            "zip.method",
        )
    if info.file_size > _RATIO_FLOOR and info.file_size > max_ratio * max(1, info.compress_size):
        times = info.file_size / max(1, info.compress_size)
        return Reason(f"it would unpack to {times:,.0f} times its size", "zip.ratio", times=times)
    if name.lower().endswith(".zip"):
        return Reason("a zip file in a zip file is not unpacked; unpack it and pass what lies in it", "zip.nested")
    return Reason("")


def _decoded(info: zipfile.ZipInfo) -> str:
    """The name, by what programs write: UTF-8 whether they say so or not, or GBK on a Chinese Windows."""
    if info.flag_bits & _UTF8:
        return info.orig_filename
    raw = info.orig_filename.encode("cp437")
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return info.orig_filename


class _TooLong(Exception):  # noqa: N818
    """More was asked of the file at once than its directory may have."""


class _Careful:
    """A file that does not let the whole of a huge directory be read into memory."""

    def __init__(self, handle: BinaryIO, most: int) -> None:
        self._handle = handle
        self.most: int | None = most
        self.seek, self.tell, self.close = handle.seek, handle.tell, handle.close
        self.seekable, self.closed, self.mode = handle.seekable, False, "rb"

    def read(self, length: int = -1) -> bytes:
        if self.most is not None and length > self.most:
            raise _TooLong
        return self._handle.read(length)
