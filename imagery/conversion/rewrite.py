"""Deciding whether an image is read where it lies or from a copy of ours, and having that copy made under limits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import rasterio

from errors import ImageError, OutputError
from imagery.conversion.tiled_copy import NOT_DECODED, NOT_WRITTEN, CopyError, write_tiled_copy
from imagery.files.formats import JPEG2000, TIFF, Format
from imagery.files.header_limits import Declared
from imagery.files.limits import GIB, Limits
from imagery.files.tiff_layout import check_written
from imagery.gdal_environment import ENVIRONMENT

_FAR_BELOW_NATIVE = 4.0  # pixels of the image per pixel wanted, from where a copy with overviews pays


def must_be_rewritten(
    declared: Declared, file_format: Format, palette: bool, pixels_per_wanted: float, limits: Limits
) -> bool:
    """Tell whether an image cannot be read well in pieces.

    Args:
        declared: its header.
        file_format: TIFF is read in place when it is tiled, or small.
        palette: indices cannot be averaged, so colours are written out.
        pixels_per_wanted: pixels of the image, along a side, for one pixel of the resolution that it will be read at;
            1 if that is not known.
        limits: largest block that is read in place.
    """
    if file_format != TIFF or palette or declared.block_bytes > limits.max_block_bytes:
        return True
    if declared.width * declared.height <= limits.in_process_pixels:
        return False
    return not declared.tiled or (not declared.overviews and pixels_per_wanted >= _FAR_BELOW_NATIVE)


def rewrite(
    source: Path, file_format: Format, declared: Declared, destination: Path, name: str, limits: Limits
) -> None:
    """Make the tiled copy, here if the image is small, else in a process with limits.

    Raises:
        ImageError: the image cannot be decoded, or not within the limits.
        OutputError: there was no room for the whole copy.
    """
    pixels = declared.width * declared.height
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
            raise _no_room(name, destination) from error
    else:
        _rewrite_in_child(source, file_format, destination, name, limits)
        if destination.stat().st_size >= limits.rewrite_file_bytes:
            raise _over_limits(name, limits)
    check_written(destination)


def undecodable(name: str, reason: str) -> ImageError:
    """The error for pixels that a decoder gave up on."""
    line = reason.splitlines()[0][:200].rstrip(". ") if reason else "no reason given"
    return ImageError(
        f"{name} cannot be decoded ({line}): it is truncated or damaged. Copy it again or convert it.",
        "file.broken_off",
        name=name,
    )


def _rewrite_in_child(source: Path, file_format: Format, destination: Path, name: str, limits: Limits) -> None:
    program = Path(__file__).with_name("tiled_copy.py")
    task = {
        "source": str(source),
        "driver": file_format.driver,
        "destination": str(destination),
        "memory_bytes": limits.rewrite_memory_bytes,
        "seconds": limits.rewrite_seconds,
        "file_bytes": limits.rewrite_file_bytes,
    }
    # nothing of the parent's environment: no credentials, no proxies, no library paths
    environment = ENVIRONMENT | {"OPENBLAS_NUM_THREADS": "1", "LC_ALL": "C.UTF-8", "TMPDIR": str(destination.parent)}
    if "SYSTEMROOT" in os.environ:
        environment["SYSTEMROOT"] = os.environ["SYSTEMROOT"]
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(program)],
            input=json.dumps(task),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limits.rewrite_seconds,
            env=environment,
            cwd=destination.parent,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _over_limits(name, limits) from None
    if done.returncode == NOT_WRITTEN:
        raise _no_room(name, destination)
    if done.returncode == NOT_DECODED:
        raise undecodable(name, done.stderr.strip().rpartition("\n")[2])
    if done.returncode != 0:
        raise _over_limits(name, limits)


def _no_room(name: str, destination: Path) -> OutputError:
    return OutputError(f"{name} could not be rewritten in {destination.parent}. Is there room?")


def _over_limits(name: str, limits: Limits) -> ImageError:
    return ImageError(
        f"{name} could not be decoded within {limits.rewrite_seconds:,} s and "
        f"{limits.rewrite_memory_bytes / GIB:.1f} GiB of memory. Convert it with `gdal_translate IN OUT.tif -of COG`.",
        "file.undecodable",
        name=name,
        seconds=limits.rewrite_seconds,
    )
