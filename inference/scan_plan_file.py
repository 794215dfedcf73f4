"""Serialization of a scan plan, so that blocks compared on other machines give bit-identical results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox

from errors import TubanError
from imagery import Scene
from inference.array_file import Arrays, pack, unpack
from inference.pair import NormalizationTables, Pair, common_pair
from inference.registration.measure import Alignment
from inference.registration.shift_field import Lattice, Parts, ShiftField
from inference.scan_plan import ScanPlan
from inference.settings import ScanSettings
from inference.visibility.hidden_ground import HiddenGround
from model.looks import Looks

SCHEMA = "tuban-prepared/2"

_ALIGNMENT_FIELDS = (
    "usable",
    "reason",
    "residual_px",
    "residual_p90_px",
    "residual_before_px",
    "windows_used",
    "windows_tried",
    "max_shift_px",
    "method",
    "accuracy_px",
)
_GRID_TOLERANCE_PX = 1.5
"""Distance of grid corners that rounding on another machine explains; beyond it the scenes are different ones."""


def write_scan_plan(plan: ScanPlan) -> bytes:
    """Serialize a scan plan. The pixels of its scenes are not part of the file."""
    pair, alignment = plan.pair, plan.alignment
    field = alignment.field
    record = {
        "grid": {"shape": [int(side) for side in pair.grid.shape], "affine": list(pair.grid.affine[:6])},
        "resolution_m": pair.resolution_m,
        "pixel_area_m2": pair.pixel_area_m2,
        "alignment": {name: getattr(alignment, name) for name in _ALIGNMENT_FIELDS},
        "centre": [float(value) for value in field.centre],
        "lattice": None if field.lattice is None else asdict(field.lattice),
        "threshold": plan.threshold,
        "smallest_px": plan.smallest_px,
        "looks": plan.looks.as_json(),
        "part_cell_px": None if field.parts is None else field.parts.cell_px,
    }
    arrays: Arrays = {
        "before_table": plan.normalization.before,
        "after_table": plan.normalization.after,
        "affine": field.affine,
        "hidden_before": plan.hidden.before,
        "hidden_after": plan.hidden.after,
    }
    if field.nodes is not None:
        arrays["nodes"] = field.nodes
    if field.parts is not None:
        arrays["part_labels"], arrays["part_offsets"] = field.parts.labels, field.parts.offsets
    return pack(SCHEMA, record, arrays)


def read_scan_plan(data: bytes, before: Scene, after: Scene, settings: ScanSettings) -> ScanPlan:
    """Read the file of :func:`write_scan_plan` and attach the reopened scenes.

    Args:
        data: content of the file.
        before: the earlier image of the plan.
        after: the later image of the plan.
        settings: settings of the plan.

    Raises:
        TubanError: the file is damaged, or the scenes or settings are not those of the plan.
        NotComparable: the scenes do not overlap, so they are not those of the plan either.
    """
    record, arrays = unpack(SCHEMA, data)
    pair = common_pair(before, after, settings)
    shape, affine = tuple(record["grid"]["shape"]), Affine(*record["grid"]["affine"])
    _check_grid(pair, shape, affine)
    return ScanPlan(
        replace(
            pair,
            grid=GeoBox(shape, affine, pair.grid.crs),
            resolution_m=record["resolution_m"],
            pixel_area_m2=record["pixel_area_m2"],
        ),
        NormalizationTables(arrays["before_table"], arrays["after_table"]),
        Alignment(**record["alignment"], field=read_field(record, arrays)),
        record["threshold"],
        record["smallest_px"],
        Looks.from_json(record["looks"]),
        HiddenGround(arrays["hidden_before"], arrays["hidden_after"]),
    )


def read_field(record: Mapping[str, Any], arrays: Arrays) -> ShiftField:
    """Return the shift field of an unpacked plan file.

    Raises:
        KeyError, TypeError: the file is of another version.
    """
    lattice = None if record["lattice"] is None else Lattice(**record["lattice"])
    cell_px = record.get("part_cell_px")
    parts = None if cell_px is None else Parts(cell_px, arrays["part_labels"], arrays["part_offsets"])
    centre_x, centre_y = record["centre"]
    return ShiftField((centre_x, centre_y), arrays["affine"], lattice, arrays.get("nodes"), parts)


def _check_grid(pair: Pair, shape: tuple[int, ...], affine: Affine) -> None:
    to_pixels = ~affine
    found = [to_pixels @ (pair.grid.affine @ corner) for corner in ((0, 0), tuple(pair.grid.shape)[::-1])]
    expected = [(0, 0), shape[::-1]]
    if np.abs(np.subtract(found, expected)).max() > _GRID_TOLERANCE_PX:
        raise TubanError(
            f"The scan was planned on a grid of {shape[1]} × {shape[0]} pixels, which these scenes and settings do not "
            "give. Plan the scan again."
        )
