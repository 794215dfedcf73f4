"""The bytes of one request written to the part of an upload, as they come, from where the upload stands.

A laptop that was closed leaves a connection behind on which nothing comes and which nobody ends. So who asks anew for
an upload takes it over: the request that holds it ends, with what it has written.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
import time
from collections.abc import AsyncIterator

from anyio.to_thread import run_sync
from fastapi import Request
from starlette.requests import ClientDisconnect

from configs.service import ServiceSettings
from service.home import require_room
from web.http_errors import Clash, Refusal
from web.uploads.upload_files import Upload

SILENT_SECONDS = 300.0
"""A request on which nothing came for so long is given up."""

_PIECE = 2**20
_ROOM_EVERY = 64 * 2**20
_TAKE_OVER_SECONDS = 20.0
_LOOK_SECONDS = 0.2  # how often a request on which nothing comes sees whether another one asks
_MARK_BYTES = 16


class TooMuch(Refusal):
    """More bytes than were announced, or than one file may have."""

    status = 413


class _Turn:
    """The right to write to an upload: held by one request of all the processes that serve the pages.

    The file beside the upload is locked by who writes, and holds the mark of who asked last.
    """

    def __init__(self, upload: Upload) -> None:
        """Ask for it. FileNotFoundError: the upload's folder is gone."""
        self._mark = secrets.token_bytes(_MARK_BYTES)
        self._file = os.open(upload.part.with_suffix(".turn"), os.O_RDWR | os.O_CREAT, 0o600)
        os.pwrite(self._file, self._mark, 0)

    @property
    def is_asked_for(self) -> bool:
        """Whether another request asked for it after this one."""
        return os.pread(self._file, _MARK_BYTES, 0) != self._mark

    async def take(self) -> None:
        """Wait until the request that has it has ended.

        Raises:
            Clash: it does not end.
        """
        latest = time.monotonic() + _TAKE_OVER_SECONDS
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > latest:
                    raise Clash("upload.busy") from None
                await asyncio.sleep(_LOOK_SECONDS / 4)
            else:
                return

    def leave(self) -> None:
        """Let go of it."""
        os.close(self._file)


async def take_over(upload: Upload) -> None:
    """End the request that writes to an upload, if there is one, and wait until it has.

    Raises:
        Clash: it does not end.
    """
    try:
        turn = _Turn(upload)
    except FileNotFoundError:  # handed over with its batch
        return
    try:
        await turn.take()
    finally:
        turn.leave()


async def write_body(request: Request, settings: ServiceSettings, upload: Upload, offset: int) -> int:
    """Append the body of a request.

    Args:
        request: its body is the bytes from ``offset`` on.
        settings: for the room on the disk.
        upload: what is written to.
        offset: where the sender believes to be.

    Returns:
        where the upload stands now; less than was sent, if the connection was cut.

    Raises:
        Clash: the upload stands elsewhere.
        TooMuch: more than was announced; what belongs to the file is kept.
        OutputError: the disk is full.
    """
    try:
        turn = _Turn(upload)
    except FileNotFoundError:
        if offset != upload.offset:
            raise Clash("upload.offset") from None
        return upload.size
    try:
        await turn.take()
        if offset != upload.offset:
            raise Clash("upload.offset")
        if not upload.part.exists():
            return upload.size
        file = await run_sync(os.open, upload.part, os.O_WRONLY)
        try:
            return await _write(request, settings, upload, offset, file, turn)
        finally:
            await run_sync(_close, file)
    finally:
        turn.leave()


async def _write(
    request: Request, settings: ServiceSettings, upload: Upload, offset: int, file: int, turn: _Turn
) -> int:
    pending, checked = bytearray(), offset - _ROOM_EVERY
    async for piece in _pieces(request, turn):
        room = upload.size - offset - len(pending)
        too_much = len(piece) > room
        pending += piece[:room]
        if len(pending) >= _PIECE or too_much:
            if offset - checked >= _ROOM_EVERY:
                await run_sync(require_room, settings)
                checked = offset
            offset += await run_sync(_put, file, bytes(pending), offset)
            pending.clear()
        if too_much:
            raise TooMuch("upload.too_much")
    return offset + await run_sync(_put, file, bytes(pending), offset)


async def _pieces(request: Request, turn: _Turn) -> AsyncIterator[bytes]:
    """The body until it ends, is cut, is taken over by another request, or nothing comes any more."""
    stream = aiter(request.stream())

    async def following() -> bytes | None:
        return await anext(stream, None)

    heard = time.monotonic()
    coming = asyncio.ensure_future(following())
    try:
        while True:
            await asyncio.wait({coming}, timeout=_LOOK_SECONDS)
            if not coming.done():
                if turn.is_asked_for or time.monotonic() - heard > SILENT_SECONDS:
                    return
                continue
            try:
                piece = coming.result()
            except ClientDisconnect:
                return
            if piece is None:
                return
            yield piece
            heard = time.monotonic()
            coming = asyncio.ensure_future(following())
    finally:
        coming.cancel()


def _put(file: int, data: bytes, offset: int) -> int:
    done = 0
    while done < len(data):
        done += os.pwrite(file, data[done:], offset + done)
    return done


def _close(file: int) -> None:
    try:
        os.fsync(file)
    finally:
        os.close(file)
