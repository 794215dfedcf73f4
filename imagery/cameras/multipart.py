"""Split an MJPEG stream (``multipart/x-mixed-replace`` over HTTP) into images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from errors import CameraError

_MAX_HEADER_BYTES = 8192


def parse_boundary(content_type: str, name: str) -> bytes:
    """Read the multipart boundary from the Content-Type header, with its leading dashes.

    Raises:
        CameraError: the response is not a multipart stream.
    """
    kind, _, options = content_type.partition(";")
    if not kind.strip().lower().startswith("multipart/"):
        raise CameraError(
            f"{name} sent {kind.strip()[:60] or 'nothing'}, and a stream of images (multipart) was expected. For a "
            "single image use a camera of the kind still.",
            "stream.no_stream",
            host=name,
            kind=kind.strip()[:60] or "–",
        )
    for option in options.split(";"):
        key, _, value = option.strip().partition("=")
        if key.lower() == "boundary" and value.strip('" '):
            # some cameras include the dashes in the header, some do not
            return b"--" + value.strip('" ').lstrip("-").encode("latin-1", "replace")
    raise CameraError(
        f"{name} does not declare the boundary between the images of its stream. Check its MJPEG settings.",
        "stream.no_boundary",
        host=name,
    )


def split_parts(chunks: Iterable[bytes], boundary: bytes, max_bytes: int, name: str) -> Iterator[bytes]:
    """Split a stream into its images; an incomplete last one is omitted.

    Args:
        chunks: as received, split anywhere.
        boundary: with its leading dashes.
        max_bytes: of one image.
        name: for messages.

    Raises:
        CameraError: an image or its header is larger than allowed.
    """
    buffer = bytearray()
    remaining = iter(chunks)

    def receive(limit: int, what: str) -> bool:
        """Append the next chunk to the buffer; False at the end of the stream."""
        if len(buffer) > limit:
            raise CameraError(
                f"{name} sent {what} larger than {limit:,} bytes. Check its MJPEG settings.",
                "stream.too_long",
                host=name,
                most=limit,
            )
        chunk = next(remaining, None)
        buffer.extend(chunk or b"")
        return chunk is not None

    while True:
        while (start := buffer.find(boundary)) < 0 or (end := buffer.find(b"\r\n\r\n", start)) < 0:
            if not receive(_MAX_HEADER_BYTES, "an image header"):
                return
        size = _content_length(bytes(buffer[start:end]))
        del buffer[: end + 4]
        if size is None:
            searched = 0
            while (stop := buffer.find(boundary, searched)) < 0:
                searched = max(0, len(buffer) - len(boundary))
                if not receive(max_bytes, "an image"):
                    return
        else:
            if size > max_bytes:
                raise CameraError(
                    f"{name} announces an image of {size:,} bytes, above the limit of {max_bytes:,}.",
                    "stream.too_long",
                    host=name,
                    most=max_bytes,
                )
            while len(buffer) < size:
                if not receive(max_bytes, "an image"):
                    return
            stop = size
        yield bytes(buffer[:stop])
        del buffer[:stop]


def _content_length(header: bytes) -> int | None:
    for line in header.split(b"\r\n"):
        key, _, value = line.partition(b":")
        if key.strip().lower() == b"content-length" and value.strip().isdigit():
            return int(value)
    return None
