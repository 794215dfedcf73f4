"""Split an MJPEG stream over HTTP into images by the structure of JPEG itself.

Cameras frame their streams in many ways that browsers accept: a boundary that is missing before the first image or
differs from the declared one, header lines that end with LF, no Content-Type, wrong lengths, no framing at all, an
image without its end marker. So the framing is ignored: an image starts at a start-of-image marker and ends at the
end-of-image marker that belongs to it, which is found by walking from marker to marker (a thumbnail in the EXIF segment
has markers of its own).

Source: ITU-T T.81, annex B.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from errors import CameraError

_MAX_FRAMING_BYTES = 8192  # between two images
_MAX_DELIMITER_BYTES = 512  # of boundary and header lines after an image without an end marker
_START, _END = b"\xff\xd8\xff", b"\xff\xd9"
_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_WITHOUT_LENGTH = (0x01, *range(0xD0, 0xD8))  # markers without a segment; in scan data, restart markers
_INCOMPLETE, _INVALID = -1, -2


def split_images(chunks: Iterable[bytes], max_bytes: int, name: str) -> Iterator[bytes]:
    """Split a stream into its JPEG images; an incomplete last one is omitted.

    Args:
        chunks: as received, split anywhere.
        max_bytes: of one image.
        name: of the camera, for messages.

    Raises:
        CameraError: an image, or what lies between two images, is larger than allowed.
    """
    buffer = bytearray()
    walk = _Walk()
    for chunk in chunks:
        buffer += chunk
        while True:
            if not walk.started:
                start = buffer.find(_START)
                if start < 0:
                    _check_size(len(buffer), _MAX_FRAMING_BYTES, "something other than JPEG images", name)
                    break
                del buffer[:start]
                walk = _Walk(started=True)
            end = walk.advance(buffer)
            if end == _INCOMPLETE:
                _check_size(len(buffer), max_bytes, "an image", name)
                break
            if end == _INVALID:
                image = _unterminated(buffer, walk)
                del buffer[: walk.position]
            else:
                image = bytes(buffer[:end])
                del buffer[:end]
            walk = _Walk()
            if image:
                _check_size(len(image), max_bytes, "an image", name)
                yield image


class _Walk:
    """Walk through the markers of the image at the start of a buffer, resumed as the buffer grows."""

    def __init__(self, started: bool = False) -> None:
        self.started = started
        self.position = 2  # of the next marker, or within scan data
        self.in_scan = False

    def advance(self, buffer: bytearray) -> int:
        """Return the length of the image, or that it is incomplete or invalid at :attr:`position`."""
        while True:
            if self.in_scan:
                found = buffer.find(b"\xff", self.position)
                if found < 0:
                    self.position = len(buffer)
                    return _INCOMPLETE
                self.position = found
            if len(buffer) < self.position + 4 and buffer[self.position : self.position + 2] != _END:
                return _INCOMPLETE
            if buffer[self.position] != 0xFF:
                return _INVALID
            marker = buffer[self.position + 1]
            if marker == _EOI:
                return self.position + 2
            if marker == 0xFF:  # a fill byte
                self.position += 1
            elif marker in _WITHOUT_LENGTH or (marker == 0x00 and self.in_scan):
                self.position += 2
            elif marker in (_SOI, 0x00):
                return _INVALID
            else:
                self.position += 2 + int.from_bytes(buffer[self.position + 2 : self.position + 4], "big")
                self.in_scan = marker == _SOS


def _unterminated(buffer: bytearray, walk: _Walk) -> bytes:
    """Return the image whose scan data ends at the start of the next image, with the end marker that it lacks."""
    if not walk.in_scan or buffer[walk.position : walk.position + 3] != _START:
        walk.position = max(walk.position, 2)
        return b""
    framing = max(0, walk.position - _MAX_DELIMITER_BYTES)
    cut = min(
        (
            at
            for mark in (b"\n--", b"\nContent-", b"\ncontent-")
            if (at := buffer.find(mark, framing, walk.position)) > 0
        ),
        default=walk.position,
    )
    return bytes(buffer[:cut]).rstrip(b"\r\n") + _END


def _check_size(size: int, limit: int, what: str, name: str) -> None:
    if size > limit:
        raise CameraError(
            f"{name} sent {what} larger than {limit:,} bytes. Check its MJPEG settings.",
            "stream.too_long",
            host=name,
            most=limit,
        )
