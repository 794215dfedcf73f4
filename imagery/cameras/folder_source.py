"""The newest images of a folder into which a camera puts them, by FTP or otherwise."""

from __future__ import annotations

import datetime as dt
import stat
from pathlib import Path

from errors import CameraError
from imagery.cameras.camera import Frame, Stream
from imagery.cameras.frames import decoded
from imagery.cameras.settings import CaptureSettings

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
_MOST_FILES = 200_000


def newest(stream: Stream, settings: CaptureSettings) -> tuple[list[Frame], dt.datetime]:
    """The newest image and those from just before it, and the time at which the newest one was put there.

    One that is still being written (cut off) is passed over once.

    Raises:
        CameraError: no folder, no image in it, or none that can be decoded.
    """
    try:
        dated = []
        for number, path in enumerate(Path(stream.address).iterdir()):
            if number >= _MOST_FILES:
                raise CameraError(
                    f"The folder {stream.host} holds more than {_MOST_FILES:,} files. Clear it out.",
                    "stream.full_folder",
                    host=stream.host,
                    most=_MOST_FILES,
                )
            if path.suffix.lower() in _SUFFIXES:
                status = path.lstat()
                if stat.S_ISREG(status.st_mode):  # links are not followed
                    dated.append((status.st_mtime, path))
    except OSError as error:
        raise CameraError(
            f"The folder {stream.host} cannot be read: {error.strerror}.",
            "stream.closed_folder",
            host=stream.host,
            why=error.strerror,
        ) from None
    if not dated:
        raise CameraError(
            f"The folder {stream.host} holds no image (.jpg, .png or .webp). Check the camera's upload.",
            "stream.empty_folder",
            host=stream.host,
        )
    dated.sort(reverse=True)
    frames: list[Frame] = []
    taken = 0.0
    wrong: CameraError | None = None
    for when, path in dated:
        if frames and (taken - when > settings.seconds or len(frames) >= settings.frames):
            break
        try:
            if path.stat().st_size > settings.max_bytes:
                raise _too_long(stream, settings)
            frames.append(decoded(path.read_bytes(), settings.max_pixels, stream.host))
        except (OSError, CameraError) as error:
            if wrong is not None:
                break
            wrong = error if isinstance(error, CameraError) else _unread(stream)
            continue
        taken = max(taken, when)
    if not frames:
        raise wrong or _unread(stream)
    return frames, dt.datetime.fromtimestamp(taken, dt.UTC)


def _unread(stream: Stream) -> CameraError:
    return CameraError(f"The newest image of {stream.host} cannot be read.", "stream.unread", host=stream.host)


def _too_long(stream: Stream, settings: CaptureSettings) -> CameraError:
    return CameraError(
        f"The newest image of {stream.host} is larger than {settings.max_bytes:,} bytes.",
        "stream.too_long",
        host=stream.host,
        most=settings.max_bytes,
    )
