"""The images of an MJPEG stream: ``multipart/x-mixed-replace`` over HTTP."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from errors import CameraError

_LONGEST_HEAD = 8192


def boundary_of(content_type: str, name: str) -> bytes:
    """What separates the images, from the header Content-Type.

    Raises:
        CameraError: it is no stream of images.
    """
    kind, _, options = content_type.partition(";")
    if not kind.strip().lower().startswith("multipart/"):
        raise CameraError(
            f"{name} sent {kind.strip()[:60] or 'nothing'}, and a stream of images (multipart) was expected. A single "
            "image is a camera of the kind still.",
            "stream.no_stream",
            host=name,
            kind=kind.strip()[:60] or "–",
        )
    for option in options.split(";"):
        key, _, value = option.strip().partition("=")
        if key.lower() == "boundary" and value.strip('" '):
            # some cameras write the dashes into the header, some do not
            return b"--" + value.strip('" ').lstrip("-").encode("latin-1", "replace")
    raise CameraError(
        f"{name} does not tell where one image of its stream ends. Check its settings for MJPEG.",
        "stream.no_boundary",
        host=name,
    )


def parts(chunks: Iterable[bytes], boundary: bytes, most_bytes: int, name: str) -> Iterator[bytes]:
    """Cut a stream into its images; an unfinished last one is left out.

    Args:
        chunks: as they arrive, cut anywhere.
        boundary: with its leading dashes.
        most_bytes: of one image.
        name: for messages.

    Raises:
        CameraError: an image or its head is longer than allowed.
    """
    held = bytearray()
    arriving = iter(chunks)

    def more(most: int, what: str) -> bool:
        if len(held) > most:
            raise CameraError(
                f"{name} sent {what} longer than {most:,} bytes. Check its settings for MJPEG.",
                "stream.too_long",
                host=name,
                most=most,
            )
        chunk = next(arriving, None)
        held.extend(chunk or b"")
        return chunk is not None

    while True:
        while (start := held.find(boundary)) < 0 or (end := held.find(b"\r\n\r\n", start)) < 0:
            if not more(_LONGEST_HEAD, "a head of an image"):
                return
        size = _content_length(bytes(held[start:end]))
        del held[: end + 4]
        if size is None:
            searched = 0
            while (stop := held.find(boundary, searched)) < 0:
                searched = max(0, len(held) - len(boundary))
                if not more(most_bytes, "an image"):
                    return
        else:
            if size > most_bytes:
                raise CameraError(
                    f"{name} announces an image of {size:,} bytes, above the limit of {most_bytes:,}.",
                    "stream.too_long",
                    host=name,
                    most=most_bytes,
                )
            while len(held) < size:
                if not more(most_bytes, "an image"):
                    return
            stop = size
        yield bytes(held[:stop])
        del held[:stop]


def _content_length(head: bytes) -> int | None:
    for line in head.split(b"\r\n"):
        key, _, value = line.partition(b":")
        if key.strip().lower() == b"content-length" and value.strip().isdigit():
            return int(value)
    return None
