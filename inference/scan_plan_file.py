"""What every block of a scan needs, as a file: a block compared on another machine gives the very same result."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox

from errors import TubanError
from imagery import Scene
from inference.array_file import Arrays, pack, unpack
from inference.detect_changes import Prepared
from inference.pair import Exposure, Pair, common_pair
from inference.registration.measure import Alignment
from inference.registration.shift_field import Lattice, ShiftField
from inference.settings import ScanSettings

SCHEMA = "tuban-prepared/1"

_MEASURED = (
    "usable",
    "reason",
    "residual_px",
    "residual_p90_px",
    "residual_before_px",
    "windows_used",
    "windows_tried",
    "max_shift_px",
)
_GRIDS_DIFFER_PX = 1.5
"""Grid corners further apart than this are not the rounding of another machine but of other scenes."""


def write_prepared(prepared: Prepared) -> bytes:
    """Write what was measured once for a scan; the scenes themselves stay where they are."""
    pair, alignment = prepared.pair, prepared.alignment
    field = alignment.field
    record = {
        "grid": {"shape": [int(side) for side in pair.grid.shape], "affine": list(pair.grid.affine[:6])},
        "resolution_m": pair.resolution_m,
        "pixel_area_m2": pair.pixel_area_m2,
        "alignment": {name: getattr(alignment, name) for name in _MEASURED},
        "centre": [float(value) for value in field.centre],
        "lattice": None if field.lattice is None else asdict(field.lattice),
        "threshold": prepared.threshold,
        "smallest_px": prepared.smallest_px,
    }
    arrays: Arrays = {
        "before_table": prepared.exposure.before,
        "after_table": prepared.exposure.after,
        "affine": field.affine,
    }
    if field.nodes is not None:
        arrays["nodes"] = field.nodes
    return pack(SCHEMA, record, arrays)


def read_prepared(data: bytes, before: Scene, after: Scene, settings: ScanSettings) -> Prepared:
    """What :func:`write_prepared` wrote, over the same two scenes opened again.

    Args:
        data: the file.
        before: the earlier image that the scan was prepared from.
        after: the later one.
        settings: those that the scan was prepared with.

    Raises:
        TubanError: the file is damaged, or the scenes or settings are not those of it.
        NotComparable: the scenes have nothing in common, so they are not those of it either.
    """
    record, arrays = unpack(SCHEMA, data)
    lattice = None if record["lattice"] is None else Lattice(**record["lattice"])
    centre_x, centre_y = record["centre"]
    field = ShiftField((centre_x, centre_y), arrays["affine"], lattice, arrays.get("nodes"))
    pair = common_pair(before, after, settings)
    shape, affine = tuple(record["grid"]["shape"]), Affine(*record["grid"]["affine"])
    _check_grid(pair, shape, affine)
    return Prepared(
        replace(
            pair,
            grid=GeoBox(shape, affine, pair.grid.crs),
            resolution_m=record["resolution_m"],
            pixel_area_m2=record["pixel_area_m2"],
        ),
        Exposure(arrays["before_table"], arrays["after_table"]),
        Alignment(**record["alignment"], field=field),
        record["threshold"],
        record["smallest_px"],
    )


def _check_grid(pair: Pair, shape: tuple[int, ...], affine: Affine) -> None:
    to_pixels = ~affine
    found = [to_pixels @ (pair.grid.affine @ corner) for corner in ((0, 0), tuple(pair.grid.shape)[::-1])]
    expected = [(0, 0), shape[::-1]]
    if np.abs(np.subtract(found, expected)).max() > _GRIDS_DIFFER_PX:
        raise TubanError(
            f"The scan was prepared on a grid of {shape[1]} × {shape[0]} pixels that these two scenes, or these "
            "settings, do not give. Prepare the scan again."
        )
