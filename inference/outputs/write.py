"""Output folder of a scan: vector files, pictures, report and record."""

from __future__ import annotations

import shutil
from pathlib import Path

from configs.stage_clock import StageClock, StageTime
from inference.changes import Change
from inference.outputs.output_folder import atomic_folder, check_output, flush_tree
from inference.outputs.pictures import draw_pictures, in_reading_order, parallel_map
from inference.outputs.report import Pictures, Report
from inference.outputs.scan_json import compared_record, not_comparable_record, write_record
from inference.outputs.vector_files import write_geojson, write_geopackage
from inference.progress import Progress
from inference.raster_source import RasterSource
from inference.registration.measure import Alignment
from inference.scan_result import ScanResult, SceneFacts
from inference.settings import ScanSettings

__all__ = ["check_output", "write_not_comparable", "write_outputs"]


def write_outputs(
    result: ScanResult,
    before: RasterSource,
    after: RasterSource,
    out: Path,
    *,
    probability: Path | None = None,
    progress: Progress | None = None,
) -> None:
    """Write all results of a scan to the folder ``out``, atomically.

    The files are ``changes.geojson``, ``changes.gpkg``, ``thumbnails/0001_before.jpg`` and ``_after.jpg`` …,
    ``report.html``, ``scan.json`` and optionally ``probability.tif``. The same input gives the same bytes, except for
    the timings in ``scan.json``.

    Args:
        result: result of the scan.
        before: the earlier image, source of pictures. For a scan without coordinates it must be addressed in pixels of
            the later image, as in :class:`inference.pair.Pair`.
        after: the later image.
        out: folder that is missing, empty or contains an earlier scan, which is replaced at the end.
        probability: finished raster of probabilities, which is moved to the folder.
        progress: called with ``pictures`` and the fraction of the pictures that is done.

    Raises:
        OutputError: ``out`` contains other files or cannot be written.
        ImageError: pixels cannot be read.
    """
    clock = StageClock(dict(result.stages))
    with atomic_folder(out) as folder:
        with clock.stage("vector files"):
            write_geojson(result, folder / "changes.geojson")
            write_geopackage(result, folder / "changes.gpkg")
        report = Report(result)
        with clock.stage("pictures"):
            pictures = _write_pictures(result, before, after, folder / "thumbnails", report, progress)
        with clock.stage("report"):
            report.write(before, after, pictures, folder / "report.html")
        if probability is not None:
            shutil.move(probability, folder / "probability.tif")
        with clock.stage("flush to disk"):
            flush_tree(folder)
        write_record(compared_record(result, clock.stages), folder / "scan.json")


def _write_pictures(
    result: ScanResult,
    before: RasterSource,
    after: RasterSource,
    folder: Path,
    report: Report,
    progress: Progress | None,
) -> dict[int, Pictures]:
    """Write the thumbnails of all changes; return the pictures that the report contains, by number."""
    folder.mkdir()

    def draw(change: Change) -> tuple[int, Pictures | None]:
        drawn = draw_pictures(result, before, after, change)
        for when, data in drawn.thumbnails.items():
            (folder / thumbnail_name(change.number, when)).write_bytes(data)
        return change.number, report.pictures(change, drawn.crop)

    pictures: dict[int, Pictures] = {}
    count = len(result.changes)
    for done, (number, shown) in enumerate(parallel_map(draw, in_reading_order(result.changes, result.grid)), 1):
        if shown is not None:
            pictures[number] = shown
        if progress is not None:
            progress("pictures", done / count)
    return pictures


def write_not_comparable(
    out: Path,
    reason: str,
    before: SceneFacts,
    after: SceneFacts,
    *,
    settings: ScanSettings | None = None,
    alignment: Alignment | None = None,
    stages: dict[str, StageTime] | None = None,
) -> None:
    """Write the folder ``out`` with only a ``scan.json`` that states why two images could not be compared.

    Raises:
        OutputError: as :func:`write_outputs`.
    """
    record = not_comparable_record(reason, before, after, settings, alignment, stages)
    with atomic_folder(out) as folder:
        write_record(record, folder / "scan.json")


def thumbnail_name(number: int, when: str) -> str:
    """Return the file name of the picture of a change on one date (``before`` or ``after``)."""
    return f"{number:04d}_{when}.jpg"
