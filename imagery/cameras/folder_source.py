"""Read the newest images of a folder that a camera uploads into, by FTP or otherwise."""

from __future__ import annotations

import datetime as dt
import stat
from pathlib import Path

from errors import CameraError
from imagery.cameras.camera import Frame, Stream
from imagery.cameras.frames import decode_frame
from imagery.cameras.settings import CaptureSettings

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
_MAX_FILES = 200_000


def newest_frames(stream: Stream, settings: CaptureSettings) -> tuple[list[Frame], dt.datetime]:
    """Read the newest images, at most ``settings.seconds`` older than the newest, and the newest's modification time.

    One image that cannot be decoded is skipped, since it may still be being written.

    Raises:
        CameraError: no folder, no image in it, or none that can be decoded.
    """
    try:
        dated = []
        for number, path in enumerate(Path(stream.address).iterdir()):
            if number >= _MAX_FILES:
                raise CameraError(
                    f"The folder {stream.host} contains more than {_MAX_FILES:,} files. Delete old ones.",
                    "stream.full_folder",
                    host=stream.host,
                    most=_MAX_FILES,
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
            f"The folder {stream.host} contains no image (.jpg, .png or .webp). Check the camera's upload.",
            "stream.empty_folder",
            host=stream.host,
        )
    dated.sort(reverse=True)
    frames: list[Frame] = []
    taken = 0.0
    failure: CameraError | None = None
    for modified, path in dated:
        if frames and (taken - modified > settings.seconds or len(frames) >= settings.frames):
            break
        try:
            if path.stat().st_size > settings.max_bytes:
                raise _too_large(stream, settings)
            frames.append(decode_frame(path.read_bytes(), settings.max_pixels, stream.host))
        except (OSError, CameraError) as error:
            if failure is not None:
                break
            failure = error if isinstance(error, CameraError) else _unreadable(stream)
            continue
        taken = max(taken, modified)
    if not frames:
        raise failure or _unreadable(stream)
    return frames, dt.datetime.fromtimestamp(taken, dt.UTC)


def _unreadable(stream: Stream) -> CameraError:
    return CameraError(f"The newest image of {stream.host} cannot be read.", "stream.unread", host=stream.host)


def _too_large(stream: Stream, settings: CaptureSettings) -> CameraError:
    return CameraError(
        f"The newest image of {stream.host} is larger than {settings.max_bytes:,} bytes.",
        "stream.too_long",
        host=stream.host,
        most=settings.max_bytes,
    )
