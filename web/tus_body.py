"""The bytes of one request written to the part of an upload, as they come, from where the upload stands.

A laptop that was closed leaves a connection behind on which nothing comes and which nobody ends. So who asks anew for
an upload takes it over: the request that holds it ends, with what it has written.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from anyio.to_thread import run_sync
from fastapi import Request
from starlette.requests import ClientDisconnect

from configs.service import ServiceSettings
from web.refusals import Clash, Refusal
from web.uploads import Upload
from workers.home import require_room

SILENT_SECONDS = 300.0
"""A request on which nothing came for so long is given up."""

_PIECE = 2**20
_ROOM_EVERY = 64 * 2**20
_TAKE_OVER_SECONDS = 20.0


class TooMuch(Refusal):
    """More bytes than were announced, or than one file may have."""

    status = 413


@dataclass
class _Writer:
    superseded: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)


_writers: dict[str, _Writer] = {}
"""Requests of this process that write now, by the upload's id."""


async def take_over(upload_id: str) -> None:
    """End the request that writes to an upload, if there is one, and wait until it has.

    Raises:
        Clash: it does not end.
    """
    writer = _writers.get(upload_id)
    if writer is None:
        return
    writer.superseded.set()
    try:
        await asyncio.wait_for(writer.ended.wait(), _TAKE_OVER_SECONDS)
    except TimeoutError:
        raise Clash("upload.busy") from None


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
    await take_over(upload.id)
    writer = _writers[upload.id] = _Writer()
    try:
        if offset != upload.offset:
            raise Clash("upload.offset")
        if not upload.part.exists():
            return upload.size
        file = await run_sync(os.open, upload.part, os.O_WRONLY)
        try:
            return await _write(request, settings, upload, offset, file, writer)
        finally:
            await run_sync(_close, file)
    finally:
        if _writers.get(upload.id) is writer:
            del _writers[upload.id]
        writer.ended.set()


async def _write(
    request: Request, settings: ServiceSettings, upload: Upload, offset: int, file: int, writer: _Writer
) -> int:
    pending, checked = bytearray(), offset - _ROOM_EVERY
    async for piece in _pieces(request, writer):
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


async def _pieces(request: Request, writer: _Writer) -> AsyncIterator[bytes]:
    """The body until it ends, is cut, is taken over by another request, or nothing comes any more."""
    stream = aiter(request.stream())

    async def following() -> bytes | None:
        return await anext(stream, None)

    superseded = asyncio.ensure_future(writer.superseded.wait())
    try:
        while True:
            coming = asyncio.ensure_future(following())
            await asyncio.wait({coming, superseded}, timeout=SILENT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if not coming.done():
                coming.cancel()
                return
            try:
                piece = coming.result()
            except ClientDisconnect:
                return
            if piece is None:
                return
            yield piece
    finally:
        superseded.cancel()


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
