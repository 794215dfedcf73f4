"""Write the body of a PATCH request to the partial file of an upload while it arrives.

A laptop that was closed leaves behind a silent connection that is never closed. A new request for the same upload
therefore takes over its lock: the request that holds it stops, and what it has written is kept.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import fcntl
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

from anyio.to_thread import run_sync
from fastapi import Request
from starlette.requests import ClientDisconnect

from configs.service import ServiceSettings
from errors import Reason
from service.home import require_intake_space
from web.http_errors import Conflict, HttpError
from web.uploads.upload_files import CHECKED_SUFFIX, LOCK_SUFFIX, Upload

SILENT_SECONDS = 300.0
"""A request without data for this long is ended."""

_WRITE_BYTES = 2**20
_DISK_CHECK_BYTES = 64 * 2**20
_TAKE_OVER_SECONDS = 20.0
_POLL_SECONDS = 0.2  # how often a silent request checks whether another request wants the lock
_OWNER_BYTES = 16


class ContentTooLarge(HttpError):  # noqa: N818
    """413 Content Too Large: more bytes than announced, or than one file may have."""

    status = 413


class ChecksumMismatch(HttpError):  # noqa: N818
    """460 Checksum Mismatch (tus): the body is not what the client sent."""

    status = 460


CHECKSUM_ALGORITHMS = ("sha256", "sha1", "md5")


@dataclass(frozen=True)
class Checksum:
    """Checksum of a body.

    Attributes:
        algorithm: one of :data:`CHECKSUM_ALGORITHMS`.
        digest: of the body.
    """

    algorithm: str
    digest: bytes

    @classmethod
    def from_header(cls, header: str) -> Checksum | None:
        """Parse ``Upload-Checksum``: algorithm and base64 of the digest; None if it is empty.

        Raises:
            HttpError: 400, it is invalid.
        """
        if not header:
            return None
        algorithm, _, encoded = header.strip().partition(" ")
        try:
            digest = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            digest = b""
        if algorithm not in CHECKSUM_ALGORITHMS or len(digest) != hashlib.new(algorithm).digest_size:
            expected = ", ".join(CHECKSUM_ALGORITHMS)
            message = f"Upload-Checksum is {header[:80]!r}; expected one of {expected} and base64 of the digest."
            raise HttpError(Reason(message, "upload.checksum_header", value=header[:80], known=expected))
        return cls(algorithm, digest)

    def of_file(self, file: int) -> bytes:
        """Return the digest of an open file."""
        os.lseek(file, 0, os.SEEK_SET)
        with os.fdopen(os.dup(file), "rb") as opened:
            return hashlib.file_digest(opened, self.algorithm).digest()

    @staticmethod
    def complete(request: Request, received: int) -> bool:
        """Return whether the whole body has arrived, as far as its length was announced."""
        announced = request.headers.get("content-length", "")
        return not announced.isdigit() or received == int(announced)


class _UploadLock:
    """Exclusive right to write to an upload, across all requests and processes.

    A lock file next to the partial file is locked (flock) by the request that writes. It contains the random token of
    the request that wanted the lock last.
    """

    def __init__(self, upload: Upload) -> None:
        """Register as the latest request; FileNotFoundError if the upload's folder no longer exists."""
        self._token = secrets.token_bytes(_OWNER_BYTES)
        self._file = os.open(upload.part.with_suffix(LOCK_SUFFIX), os.O_RDWR | os.O_CREAT, 0o600)
        os.pwrite(self._file, self._token, 0)

    @property
    def is_wanted(self) -> bool:
        """Whether a later request wants the lock."""
        return os.pread(self._file, _OWNER_BYTES, 0) != self._token

    async def acquire(self) -> None:
        """Wait until the request that holds the lock has ended.

        Raises:
            Conflict: it did not end within the time limit.
        """
        deadline = time.monotonic() + _TAKE_OVER_SECONDS
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Conflict("upload.busy") from None
                await asyncio.sleep(_POLL_SECONDS / 4)
            else:
                return

    def release(self) -> None:
        """Release the lock."""
        os.close(self._file)


async def interrupt_writer(upload: Upload) -> None:
    """Stop the request that writes to an upload, if there is one, and wait until it has ended.

    Raises:
        Conflict: it did not end within the time limit.
    """
    try:
        lock = _UploadLock(upload)
    except FileNotFoundError:  # already submitted with its batch
        return
    try:
        await lock.acquire()
    finally:
        lock.release()


async def write_body(
    request: Request, settings: ServiceSettings, upload: Upload, offset: int, checksum: Checksum | None = None
) -> int:
    """Append the body of a request to an upload.

    Of a body with a checksum nothing is kept until all of it has arrived and the checksum is right.

    Args:
        request: its body is the file's bytes starting at ``offset``.
        settings: contains the required free disk space.
        upload: the upload to write to.
        offset: the upload's offset according to the client.
        checksum: of the body; None: not given.

    Returns:
        The upload's offset after the request; less than was sent if the connection was interrupted.

    Raises:
        Conflict: the upload has another offset.
        ContentTooLarge: the body exceeds the announced size; nothing of it is kept.
        ChecksumMismatch: the body has another checksum; nothing of it is kept.
        OutputError: the disk is full.
    """
    try:
        lock = _UploadLock(upload)
    except FileNotFoundError:
        if offset != upload.offset:
            raise Conflict("upload.offset") from None
        return upload.size
    try:
        await lock.acquire()
        if offset != upload.offset:
            raise Conflict("upload.offset")
        if not upload.part.exists():
            return upload.size
        announced = request.headers.get("content-length", "")
        if announced.isdigit() and len(announced) < 19 and offset + int(announced) > upload.size:
            raise ContentTooLarge("upload.too_much")
        if checksum is not None:
            return await _write_checked(request, settings, upload, offset, checksum, lock)
        file = await run_sync(os.open, upload.part, os.O_WRONLY)
        try:
            return await _write(request, settings, upload, offset, file, lock)
        except ContentTooLarge:
            await run_sync(os.ftruncate, file, offset)
            raise
        finally:
            await run_sync(_sync_and_close, file)
    finally:
        lock.release()


async def _write_checked(
    request: Request, settings: ServiceSettings, upload: Upload, offset: int, checksum: Checksum, lock: _UploadLock
) -> int:
    """Write the body beside the upload, and append it if its checksum is right."""
    beside = upload.part.with_suffix(CHECKED_SUFFIX)
    file = await run_sync(os.open, beside, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        rest = replace(upload, size=upload.size - offset)
        received = await _write(request, settings, rest, 0, file, lock)
        if not checksum.complete(request, received):
            return offset  # interrupted: what arrived cannot be checked
        if await run_sync(checksum.of_file, file) != checksum.digest:
            raise ChecksumMismatch("upload.checksum")
        await run_sync(_append, file, upload.part, offset)
        return offset + received
    finally:
        await run_sync(os.close, file)
        await run_sync(beside.unlink, True)


def _append(source: int, part: Path, offset: int) -> None:
    os.lseek(source, 0, os.SEEK_SET)
    with part.open("r+b") as target:
        target.seek(offset)
        with os.fdopen(os.dup(source), "rb") as file:
            shutil.copyfileobj(file, target, _WRITE_BYTES)
        target.flush()
        os.fsync(target.fileno())


async def _write(
    request: Request, settings: ServiceSettings, upload: Upload, offset: int, file: int, lock: _UploadLock
) -> int:
    buffer, checked_offset = bytearray(), offset - _DISK_CHECK_BYTES
    async for chunk in _body_chunks(request, lock):
        remaining = upload.size - offset - len(buffer)
        too_large = len(chunk) > remaining
        buffer += chunk[:remaining]
        if len(buffer) >= _WRITE_BYTES or too_large:
            if offset - checked_offset >= _DISK_CHECK_BYTES:
                await run_sync(require_intake_space, settings)
                checked_offset = offset
            offset += await run_sync(_write_at, file, bytes(buffer), offset)
            buffer.clear()
        if too_large:
            raise ContentTooLarge("upload.too_much")
    return offset + await run_sync(_write_at, file, bytes(buffer), offset)


async def _body_chunks(request: Request, lock: _UploadLock) -> AsyncIterator[bytes]:
    """Yield the body until it ends, the client disconnects or stays silent, or another request wants the lock."""
    stream = aiter(request.stream())

    async def read_next() -> bytes | None:
        return await anext(stream, None)

    last_received = time.monotonic()
    pending = asyncio.ensure_future(read_next())
    try:
        while True:
            await asyncio.wait({pending}, timeout=_POLL_SECONDS)
            if not pending.done():
                if lock.is_wanted or time.monotonic() - last_received > SILENT_SECONDS:
                    return
                continue
            try:
                chunk = pending.result()
            except ClientDisconnect:
                return
            if chunk is None:
                return
            yield chunk
            last_received = time.monotonic()
            pending = asyncio.ensure_future(read_next())
    finally:
        pending.cancel()


def _write_at(file: int, data: bytes, offset: int) -> int:
    written = 0
    while written < len(data):
        written += os.pwrite(file, data[written:], offset + written)
    return written


def _sync_and_close(file: int) -> None:
    try:
        os.fsync(file)
    finally:
        os.close(file)
