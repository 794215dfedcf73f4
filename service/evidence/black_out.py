"""Replace the copy for browsers of a photo, from its untouched original: parts of it may be blacked out."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from imagery.files.evidence_content import check_content
from imagery.limits import GIB
from imagery.sandbox import ResourceLimits, run_sandboxed
from service.context import Context
from store.schema.chain.evidence_tables import EvidenceFile

_LIMITS = ResourceLimits(wall_seconds=60, memory_bytes=3 * GIB, cpu_seconds=60, file_bytes=64 * 2**20)
_FUNCTION = f"{check_content.__module__}:{check_content.__name__}"


def upright_copy(context: Context, file: EvidenceFile) -> bytes:
    """Return a JPEG of the original of a photo, upright, without metadata, with at most 2048 pixels on its longer side.

    Raises:
        ObjectNotFound: the original is missing.
        ImageError: the original cannot be decoded.
    """
    with (
        tempfile.TemporaryDirectory(prefix="tuban-evidence-") as folder,
        context.objects.local(file.object_key) as path,
    ):
        shown = Path(folder) / "shown.jpg"
        task = {"path": str(path.resolve()), "shown": str(shown), "name": file.name}
        run_sandboxed(_FUNCTION, task, limits=_LIMITS, workdir=Path(folder))
        return shown.read_bytes()


def replace_copy(context: Context, file: EvidenceFile, key: str, change: Callable[[bytes], bytes]) -> None:
    """Store a changed copy of a photo under ``key``; the caller refers to it in the row and deletes the former one."""
    context.objects.put(key, change(upright_copy(context, file)))
