"""An image rewritten in a process of its own; see :mod:`imagery.sandbox`.

:func:`ingest_apart` starts it; the same file is the program that runs there.
"""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imagery.conversion.ingest import IngestedImage
    from imagery.files.limits import Limits


def ingest_apart(
    path: Path,
    name: str,
    out: Path,
    *,
    limits: Limits,
    today: dt.date,
    workdir: Path,
    default_date: dt.date | None,
    most_bytes: int,
) -> IngestedImage:
    """Do :func:`imagery.conversion.ingest.ingest_here` in a process of its own.

    Args:
        path, name, out, limits, today, workdir, default_date: see there.
        most_bytes: the largest file it may write.

    Raises:
        ImageError: what was raised there, or it died or went beyond its limits.
        OutputError: what was raised there.
    """
    from errors import ImageError
    from imagery.conversion.ingest import IngestedImage
    from imagery.files.limits import GIB
    from imagery.sandbox import run_apart

    task = {
        "path": str(path.absolute()),
        "name": name,
        "out": str(out.absolute()),
        "today": today.isoformat(),
        "workdir": str(workdir.absolute()),
        "default_date": default_date and default_date.isoformat(),
    }
    done = False
    try:
        told = run_apart(Path(__file__), task, limits=limits, workdir=workdir, most_bytes=most_bytes)
        done = told is not None
    finally:
        if not done:
            out.unlink(missing_ok=True)
    if told is not None:
        return IngestedImage.from_json(told)
    raise ImageError(
        f"{name} could not be decoded within {limits.rewrite_seconds:,} s and "
        f"{limits.rewrite_memory_bytes / GIB:.1f} GiB of memory. Convert it with `gdal_translate IN OUT.tif -of COG`.",
        "file.undecodable",
        name=name,
        seconds=limits.rewrite_seconds,
    )


def _ingest(task: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    from dataclasses import replace

    from imagery.conversion.ingest import ingest_here
    from imagery.files.limits import Limits

    limits = Limits(**values)
    image = ingest_here(
        Path(task["path"]),
        task["name"],
        Path(task["out"]),
        # this process has its limits: no other one is started, and a file stored in lines is read line by line
        limits=replace(limits, in_process_pixels=limits.max_pixels),
        today=dt.date.fromisoformat(task["today"]),
        workdir=Path(task["workdir"]),
        default_date=task["default_date"] and dt.date.fromisoformat(task["default_date"]),
    )
    return image.to_json()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from imagery.sandbox import serve

    sys.exit(serve(_ingest))
