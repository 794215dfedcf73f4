"""Decide whether an image needs a tiled copy to be read in pieces, and make that copy under limits."""

from __future__ import annotations

import re
import resource
import shutil
from pathlib import Path
from typing import Any

import rasterio

from errors import ImageError, OutputError
from imagery.files.formats import JPEG2000, TIFF, Format
from imagery.files.header_limits import RasterLayout
from imagery.files.tiff_layout import check_written
from imagery.files.tiled_copy import CopyError, write_tiled_copy
from imagery.limits import Limits
from imagery.sandbox import ResourceLimits, SandboxError, decoding_limits, run_sandboxed

_CONVERT = "Convert it with `gdal_translate IN OUT.tif -of COG`."
_NO_MEMORY = re.compile(
    r"out of memory|cannot allocate|allocation|bad_alloc|not enough memory|MemoryError", re.IGNORECASE
)
_OVERVIEWS_PAY_FROM = 4.0  # pixels of the image per requested pixel


def must_be_rewritten(
    layout: RasterLayout, file_format: Format, palette: bool, pixels_per_requested: float, limits: Limits
) -> bool:
    """Return whether an image cannot be read efficiently in pieces.

    Args:
        layout: from its header.
        file_format: TIFF is read in place if it is tiled, or small.
        palette: indices cannot be averaged, so the colours are written out.
        pixels_per_requested: pixels of the image, along one axis, per pixel of the resolution at which it will be read;
            1 if that is unknown.
        limits: size of the largest block that is read in place.
    """
    if file_format != TIFF or palette or layout.block_bytes > limits.max_block_bytes:
        return True
    if layout.width * layout.height <= limits.in_process_pixels:
        return False
    return not layout.tiled or (not layout.overviews and pixels_per_requested >= _OVERVIEWS_PAY_FROM)


def rewrite(
    source: Path, file_format: Format, layout: RasterLayout, destination: Path, name: str, limits: Limits
) -> None:
    """Write the tiled copy: in this process if the image is small, else in a sandboxed one.

    Raises:
        ImageError: the image cannot be decoded, or not within the limits.
        OutputError: the disk is too full for the copy.
    """
    pixels = layout.width * layout.height
    if pixels > limits.max_rewrite_pixels:
        raise ImageError(
            f"{name} has {pixels / 1e9:,.1f} billion pixels in a form that cannot be read in pieces, above the limit "
            f"of {limits.max_rewrite_pixels / 1e9:,.1f}. Convert it with `gdal_translate IN OUT.tif -of COG`.",
            "file.in_one_piece",
            name=name,
            billions=pixels / 1e9,
        )
    if pixels <= limits.in_process_pixels and file_format != JPEG2000:
        try:
            write_tiled_copy(str(source), file_format.driver, str(destination), overviews=False)
        except rasterio.errors.RasterioError as error:
            raise undecodable(name, str(error)) from None
        except CopyError as error:
            raise _disk_full(name, destination) from error
    else:
        _rewrite_sandboxed(source, file_format, destination, name, limits)
    check_written(destination)


def rewrite_task(task: dict[str, Any]) -> None:
    """Write the tiled copy with overviews, in a sandboxed process.

    Raises:
        ImageError: the image cannot be decoded.
        OutputError: the disk is too full for the copy.
    """
    destination = Path(task["destination"])
    try:
        write_tiled_copy(task["source"], task["driver"], task["destination"], overviews=True)
    except CopyError as error:
        destination.unlink(missing_ok=True)
        raise _disk_full(task["name"], destination) from error
    except Exception as error:  # whatever the decoder raises, the image is at fault
        destination.unlink(missing_ok=True)
        raise undecodable(task["name"], str(error) or type(error).__name__) from error


def undecodable(name: str, reason: str) -> ImageError:
    """Return the error for pixels that cannot be decoded."""
    line = reason.splitlines()[0][:200].rstrip(". ") if reason else "no reason given"
    if _NO_MEMORY.search(line):
        return _out_of_memory(name)
    return ImageError(
        f"{name} cannot be decoded ({line}): it is truncated or damaged. Copy it again or convert it.",
        "file.broken_off",
        name=name,
    )


def sandbox_failure(name: str, error: SandboxError, limits: ResourceLimits) -> ImageError:
    """Return the error for an image whose decoding crashed or exceeded a limit: it says which."""
    if error.cause == "time":
        return ImageError(
            f"{name} could not be decoded within {limits.wall_seconds:,.0f} s. {_CONVERT}",
            "file.undecodable",
            name=name,
            seconds=round(limits.wall_seconds),
        )
    if error.cause == "memory":
        return _out_of_memory(name)
    if error.cause == "file size":
        return _too_large_a_copy(name)
    return ImageError(
        f"{name} could not be decoded: the decoding process ended unexpectedly ({error.detail}). {_CONVERT}",
        "file.crashed",
        name=name,
        detail=error.detail,
    )


def _out_of_memory(name: str) -> ImageError:
    return ImageError(
        f"{name} could not be decoded: it needs more memory than a decoding process may use. {_CONVERT}",
        "file.memory",
        name=name,
    )


def _too_large_a_copy(name: str) -> ImageError:
    return ImageError(
        f"{name} could not be decoded: its copy would be larger than a decoding process may write. {_CONVERT}",
        "file.copy_size",
        name=name,
    )


def _rewrite_sandboxed(source: Path, file_format: Format, destination: Path, name: str, limits: Limits) -> None:
    task = {
        "source": str(source.absolute()),
        "driver": file_format.driver,
        "destination": str(destination.absolute()),
        "name": name,
    }
    process_limits = decoding_limits(limits, file_bytes=limits.rewrite_file_bytes, threads=1)
    try:
        run_sandboxed("imagery.files.rewrite:rewrite_task", task, limits=process_limits, workdir=destination.parent)
    except SandboxError as error:
        raise sandbox_failure(name, error, process_limits) from None
    if destination.stat().st_size >= limits.rewrite_file_bytes:
        raise _too_large_a_copy(name)


def _disk_full(name: str, destination: Path) -> OutputError | ImageError:
    """Return the error for a copy that could not be written: the disk is full, or a limit on file sizes is reached."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    if limit != resource.RLIM_INFINITY and shutil.disk_usage(destination.parent).free > limit:
        return _too_large_a_copy(name)
    return OutputError(f"{name} could not be rewritten in {destination.parent}. Is there room?")
