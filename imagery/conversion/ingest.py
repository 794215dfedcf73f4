"""Ingest one received image file: rewrite it as a COG with its georeference, date and footprint.

Small files are rewritten in this process. Large ones, and any that made a process crash before, are rewritten in a
sandboxed one (:mod:`imagery.sandbox`).
"""

from __future__ import annotations

import datetime as dt
import shutil
from dataclasses import asdict, replace
from pathlib import Path, PurePosixPath

from errors import OutputError
from imagery.conversion.given_metadata import NOTHING_GIVEN, GivenMetadata
from imagery.conversion.ingest_in_process import ingest_in_process
from imagery.conversion.ingested_image import IngestedImage
from imagery.files.formats import JPEG2000
from imagery.files.inspection import inspect_file
from imagery.files.rewrite import sandbox_failure
from imagery.files.safe_file import check_regular_file
from imagery.limits import GIB, MIB, Limits
from imagery.sandbox import SandboxError, decoding_limits, run_sandboxed

_DISK_FACTOR = 3.0
"""Bytes of disk per byte of pixels that rewriting needs: the tiled copy, the intermediate file and the COG."""


def ingest_image(
    path: Path,
    name: str,
    out: Path,
    *,
    limits: Limits,
    today: dt.date,
    workdir: Path,
    given: GivenMetadata = NOTHING_GIVEN,
    sandboxed: bool = False,
) -> IngestedImage:
    """Check an untrusted image file and rewrite its pixels as a COG.

    Args:
        path: the file. Its world file (.wld) and .prj, if any, are in the same folder under the same name.
        name: the user's name for it, with ``/`` between folders; used for messages and dates only.
        out: the COG to write.
        limits: limits on its header, and on the process that decodes it.
        today: later dates are ignored.
        workdir: a folder for temporary files.
        given: what a person stated about the file.
        sandboxed: use a sandboxed process even for a small file.

    Raises:
        ImageError: the file is not a usable image; the message says what was found, what was expected and what to do.
        OutputError: the disk is full; a later attempt may succeed.
    """
    file_name = PurePosixPath(name).name or name
    file_format, layout = inspect_file(replace(check_regular_file(path), name=file_name), limits)
    needed = layout.decoded_bytes * _DISK_FACTOR
    free = shutil.disk_usage(workdir).free
    if needed > limits.expansion_floor_bytes and needed > free:
        raise OutputError(
            f"To rewrite {file_name}, about {needed / GIB:.1f} GiB are needed in {workdir}, and {free / GIB:.1f} are "
            "free. Make room."
        )
    large = layout.width * layout.height > limits.in_process_pixels
    if not (sandboxed or large or file_format == JPEG2000):
        return ingest_in_process(path, name, out, limits=limits, today=today, workdir=workdir, given=given)
    return ingest_sandboxed(
        path,
        name,
        out,
        limits=limits,
        today=today,
        workdir=workdir,
        given=given,
        file_bytes=int(needed) + 64 * MIB,
    )


def ingest_sandboxed(
    path: Path,
    name: str,
    out: Path,
    *,
    limits: Limits,
    today: dt.date,
    workdir: Path,
    given: GivenMetadata,
    file_bytes: int,
) -> IngestedImage:
    """Run :func:`imagery.conversion.ingest_in_process.ingest_in_process` in a sandboxed process.

    Args:
        path, name, out, limits, today, workdir, given: as there.
        file_bytes: size of the largest file that the process may write.

    Raises:
        ImageError: as there, or the process crashed or exceeded its limits.
        OutputError: as there.
    """
    task = {
        "path": str(path.absolute()),
        "name": name,
        "out": str(out.absolute()),
        "limits": asdict(limits),
        "today": today.isoformat(),
        "workdir": str(workdir.absolute()),
        "given": given.to_json(),
    }
    process_limits = decoding_limits(limits, file_bytes=file_bytes)
    try:
        image = run_sandboxed(
            "imagery.conversion.ingest_in_process:ingest_task", task, limits=process_limits, workdir=workdir
        )
    except SandboxError as error:
        out.unlink(missing_ok=True)
        raise sandbox_failure(name, error, process_limits) from None
    except BaseException:
        out.unlink(missing_ok=True)
        raise
    return IngestedImage.from_json(image)
