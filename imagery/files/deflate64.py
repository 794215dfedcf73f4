"""Unpack members of zip files compressed by Deflate64, in a sandboxed process.

Windows Explorer uses this method for more than 2 GB and offers no other; Python's zipfile does not know it.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import ZipInfo

from errors import ImageError
from imagery.files.header_limits import damaged_file
from imagery.limits import GIB, MIB
from imagery.sandbox import ResourceLimits, SandboxError, run_sandboxed

_PIECE = 64 * 1024  # packed bytes inflated at once; they become at most 64 MiB
_LOCAL_HEADER = struct.Struct("<4s22xHH")  # signature, …, lengths of name and extra field
_SECONDS_PER_GIB = 120  # 70 MB/s were measured


def inflate_sandboxed(archive: Path, info: ZipInfo, name: str, destination: Path) -> str:
    """Unpack one member into a file and return its SHA-256 in hexadecimal.

    Raises:
        ImageError: the member is damaged; ``destination`` does not exist then.
    """
    task = {
        "archive": str(archive.absolute()), "offset": info.header_offset, "packed": info.compress_size,
        "size": info.file_size, "crc": info.CRC, "name": name, "destination": str(destination.absolute()),
    }  # fmt: skip
    seconds = 60 + info.file_size // GIB * _SECONDS_PER_GIB
    limits = ResourceLimits(seconds, 2 * GIB, cpu_seconds=seconds, file_bytes=info.file_size + MIB)
    try:
        return str(
            run_sandboxed(f"{__name__}:inflate_task", task, limits=limits, workdir=destination.parent.absolute())
        )
    except SandboxError as error:
        destination.unlink(missing_ok=True)
        raise damaged_file(name, f"it cannot be unpacked ({error.cause}: {error.detail})") from None
    except BaseException:
        destination.unlink(missing_ok=True)
        raise


def inflate_task(task: dict[str, Any]) -> str:
    """Do the work of :func:`inflate_sandboxed` in a sandboxed process.

    Raises:
        ImageError: the member is damaged.
    """
    with Path(task["archive"]).open("rb") as archive, Path(task["destination"]).open("wb") as out:
        archive.seek(task["offset"])
        head = archive.read(_LOCAL_HEADER.size)
        if len(head) < _LOCAL_HEADER.size or not head.startswith(b"PK\x03\x04"):
            raise damaged_file(task["name"], "its header in the zip file is missing")
        _, name_length, extra_length = _LOCAL_HEADER.unpack(head)
        archive.seek(name_length + extra_length, 1)
        return _inflate(archive, out, task)


def _inflate(archive: BinaryIO, out: BinaryIO, task: dict[str, Any]) -> str:
    import inflate64  # here, so that only sandboxed processes load it

    inflater, digest = inflate64.Inflater(), hashlib.sha256()
    packed, size, crc = task["packed"], 0, 0
    while packed > 0 and not inflater.eof:
        piece = archive.read(min(_PIECE, packed))
        if not piece:
            break
        packed -= len(piece)
        try:
            data = inflater.inflate(piece)
        except (ValueError, RuntimeError, OSError) as error:
            raise damaged_file(task["name"], f"it cannot be unpacked ({error})") from None
        size += len(data)
        if size > task["size"]:
            raise _other_size(task)
        crc = zlib.crc32(data, crc)
        digest.update(data)
        out.write(data)
    if size != task["size"]:
        raise _other_size(task)
    if crc != task["crc"]:
        raise damaged_file(task["name"], "its checksum differs from that in the zip file")
    return digest.hexdigest()


def _other_size(task: dict[str, Any]) -> ImageError:
    return damaged_file(task["name"], f"it has another size than the {task['size']:,} bytes that the zip file declares")
