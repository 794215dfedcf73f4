"""Output folder of a scan: vector files, pictures, report and record."""

from __future__ import annotations

import shutil
from pathlib import Path

from inference.outputs.crop_evidence import close_up, crop_evidence
from inference.outputs.output_folder import atomic_folder, check_output
from inference.outputs.report import Report
from inference.outputs.scan_json import compared_record, not_comparable_record, write_record
from inference.outputs.thumbnails import SIDE_PX, thumbnail
from inference.outputs.vector_files import write_geojson, write_geopackage
from inference.raster_source import RasterSource
from inference.registration.measure import Alignment
from inference.scan_result import ScanResult, SceneFacts
from inference.settings import ScanSettings

__all__ = ["check_output", "write_not_comparable", "write_outputs"]


def write_outputs(
    result: ScanResult, before: RasterSource, after: RasterSource, out: Path, *, probability: Path | None = None
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

    Raises:
        OutputError: ``out`` contains other files or cannot be written.
        ImageError: pixels cannot be read.
    """
    with atomic_folder(out) as folder:
        write_geojson(result, folder / "changes.geojson")
        write_geopackage(result, folder / "changes.gpkg")
        (folder / "thumbnails").mkdir()
        report = Report(result)
        for change in result.changes:
            crop = crop_evidence(result, before, after, close_up(result, change, SIDE_PX))
            for when, picture, facts in (("before", crop.before, result.before), ("after", crop.after, result.after)):
                drawn = thumbnail(picture, crop.view, change.polygon, change.kind, change.number, when, facts.date)
                (folder / "thumbnails" / thumbnail_name(change.number, when)).write_bytes(drawn)
            report.add(change, crop)
        report.write(before, after, folder / "report.html")
        if probability is not None:
            shutil.move(probability, folder / "probability.tif")
        write_record(compared_record(result), folder / "scan.json")


def write_not_comparable(
    out: Path,
    reason: str,
    before: SceneFacts,
    after: SceneFacts,
    *,
    settings: ScanSettings | None = None,
    alignment: Alignment | None = None,
    timings_s: dict[str, float] | None = None,
) -> None:
    """Write the folder ``out`` with only a ``scan.json`` that states why two images could not be compared.

    Raises:
        OutputError: as :func:`write_outputs`.
    """
    record = not_comparable_record(reason, before, after, settings, alignment, timings_s)
    with atomic_folder(out) as folder:
        write_record(record, folder / "scan.json")


def thumbnail_name(number: int, when: str) -> str:
    """Return the file name of the picture of a change on one date (``before`` or ``after``)."""
    return f"{number:04d}_{when}.jpg"
