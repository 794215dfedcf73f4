"""``scan.json``: inputs, settings, outcome and timings of a scan. No other file contains timings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import shapely

from configs.stage_clock import StageTime, wall_seconds
from enforcement.units import mu
from inference.outputs.output_folder import SCHEMA
from inference.outputs.wording import KINDS, STATEMENT, crs_code, printable
from inference.registration.measure import Alignment
from inference.scan_result import ScanResult, SceneFacts
from inference.settings import ScanSettings


def compared_record(result: ScanResult, stages: dict[str, StageTime] | None = None) -> dict[str, Any]:
    """Return the record of a scan that compared its images, in fixed key order.

    Args:
        result: of the scan.
        stages: time spent; None: as in the result.
    """
    grid = result.grid
    rows, columns = (int(side) for side in grid.shape)
    return {
        **_head("compared", None),
        "inputs": {"before": facts_record(result.before), "after": facts_record(result.after)},
        "coordinates": "map" if result.georeferenced else "pixels of the later image",
        "grid": {
            "crs": crs_code(grid.crs) if result.georeferenced else None,
            "transform": [float(value) for value in grid.affine[:6]],
            "width": columns,
            "height": rows,
            "resolution_m": result.resolution_m,
        },
        "alignment": _alignment_record(result.alignment, result.resolution_m),
        "weights": {"name": result.weights_name, "sha256": result.weights_sha256},
        "runtime": result.runtime,
        "threshold": {name: round(value, 6) for name, value in sorted(result.threshold.items())},
        "settings": _settings_record(result.settings),
        "looked_at": area_record(result.compared_area_m2),
        "not_looked_at": {reason: area_record(area) for reason, area in sorted(result.not_compared_area_m2.items())},
        "hidden": {
            date: shapely.to_wkt(outline, rounding_precision=6)
            for date, outline in sorted(result.hidden_outlines.items())
        },
        "changes": {
            "count": len(result.changes),
            **area_record(sum(change.area_m2 for change in result.changes)),
            "by_kind": {kind: _kind_record(result, kind) for kind in KINDS},
        },
        **_timings(result.stages if stages is None else stages),
    }


def not_comparable_record(
    reason: str,
    before: SceneFacts,
    after: SceneFacts,
    settings: ScanSettings | None = None,
    alignment: Alignment | None = None,
    stages: dict[str, StageTime] | None = None,
) -> dict[str, Any]:
    """Return the record of two images that could not be compared, which never means that nothing changed."""
    return {
        **_head("not comparable", reason),
        "inputs": {"before": facts_record(before), "after": facts_record(after)},
        "alignment": None if alignment is None else _alignment_record(alignment, None),
        "settings": None if settings is None else _settings_record(settings),
        **_timings(stages or {}),
    }


def record_bytes(record: dict[str, Any]) -> bytes:
    """Serialize a record as UTF-8 JSON, preserving its key order."""
    return (json.dumps(record, ensure_ascii=False, indent=2, allow_nan=False) + "\n").encode()


def write_record(record: dict[str, Any], path: Path) -> None:
    """Write a record to a file; see :func:`record_bytes`."""
    path.write_bytes(record_bytes(record))


def facts_record(facts: SceneFacts) -> dict[str, Any]:
    """Return the record of one input image."""
    return {
        "name": printable(facts.name),
        "sha256": facts.sha256,
        "date": None if facts.date is None else facts.date.isoformat(),
        "date_source": printable(facts.date_source),
        "gsd_m": float(facts.gsd_m),
        "crs": None if facts.crs is None else crs_code(facts.crs),
        "width": facts.width,
        "height": facts.height,
        "remarks": [printable(remark) for remark in facts.remarks],
    }


def area_record(area_m2: float) -> dict[str, float]:
    """Return an area in both units, rounded to 0.01 m² and 0.0001 mu."""
    return {"area_m2": round(float(area_m2), 2), "area_mu": round(float(mu(area_m2)), 4)}


def _head(outcome: str, reason: str | None) -> dict[str, Any]:
    details = {} if reason is None else {"reason": printable(reason)}
    return {"schema": SCHEMA, "outcome": outcome, **details, "statement": {"zh": STATEMENT[0], "en": STATEMENT[1]}}


def _timings(stages: dict[str, StageTime]) -> dict[str, Any]:
    return {
        "timings_s": {name: round(seconds, 3) for name, seconds in wall_seconds(stages).items()},
        "stages": {name: stage.record() for name, stage in stages.items()},
    }


def _kind_record(result: ScanResult, kind: str) -> dict[str, Any]:
    areas = [change.area_m2 for change in result.changes if change.kind == kind]
    return {"count": len(areas), **area_record(sum(areas))}


def _settings_record(settings: ScanSettings) -> dict[str, Any]:
    return {"sha256": settings.sha256, **settings.model_dump(mode="json")}


def _alignment_record(alignment: Alignment, resolution_m: float | None) -> dict[str, Any]:
    record = alignment.summary()
    if resolution_m is not None and alignment.residual_px is not None:
        record["residual_m"] = round(alignment.residual_px * resolution_m, 3)
    if resolution_m is not None and alignment.accuracy_px is not None:
        record["accuracy_m"] = round(alignment.accuracy_px * resolution_m, 3)
    return record
