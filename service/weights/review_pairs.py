"""Held-back reviewed alerts of the service as labelled pairs, on which weights are compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np
import shapely
import structlog
from pyproj import Transformer

from errors import ImageError, NotComparable, SettingsError
from imagery import open_scene
from inference.changes import Kind
from inference.settings import ScanSettings
from store.objects.object_store import ObjectNotFound, ObjectStore
from store.review.reviewed_scans import ReviewedScan

if TYPE_CHECKING:
    from training.reviews.labelled_pairs import ReviewedAlert

logger = structlog.get_logger("tuban.weights")


def write_held_back_pairs(
    objects: ObjectStore,
    scans: Sequence[ReviewedScan],
    out: Path,
    progress: Callable[[float], None] = lambda _: None,
) -> list[Path]:
    """Write the windows of all held-back alerts, one folder of labelled pairs for each scan.

    Args:
        objects: with the images.
        scans: reviewed scans.
        out: a folder.
        progress: called with the fraction of scans written, 0…1.

    Returns:
        The folders that were written. Scans whose images can no longer be opened or registered are logged and skipped.
    """
    folders = []
    for done, reviewed in enumerate(scans, 1):
        alerts = held_back_alerts(reviewed)
        if alerts:
            folder = out / f"scan-{reviewed.scan.id}"
            try:
                _write(objects, reviewed, alerts, folder)
                folders.append(folder)
            except (ImageError, NotComparable, SettingsError, ObjectNotFound, KeyError) as error:
                logger.warning("held-back reviews cannot be used", scan=reviewed.scan.id, error=str(error))
        progress(done / len(scans))
    return folders


def held_back_alerts(reviewed: ReviewedScan) -> list[ReviewedAlert]:
    """Return the held-back alerts of a scan, with outlines in the CRS of its grid; none if it is not georeferenced."""
    from training.reviews.labelled_pairs import ReviewedAlert

    crs = (reviewed.scan.result.get("grid") or {}).get("crs")
    if not crs:
        return []
    to_grid = Transformer.from_crs("EPSG:4490", crs, always_xy=True)
    kinds: dict[str, Kind] = {kind: kind for kind in get_args(Kind)}
    return [
        ReviewedAlert(
            number,
            kinds[alert.kind],
            shapely.transform(alert.outline, lambda lonlat: np.column_stack(to_grid.transform(*lonlat.T))),
            alert.confirmed,
        )
        for number, alert in enumerate(reviewed.alerts, 1)
        if alert.held_back and alert.kind in kinds
    ]


def _write(objects: ObjectStore, reviewed: ReviewedScan, alerts: list[ReviewedAlert], folder: Path) -> None:
    from inference.scan_plan import coregister
    from training.reviews.labelled_pairs import write_labelled_pairs

    values = {name: value for name, value in reviewed.scan.result["settings"].items() if name != "sha256"}
    settings = ScanSettings.model_validate(values)
    with ExitStack() as stack:
        scenes = []
        for row in (reviewed.before, reviewed.after):
            path = stack.enter_context(objects.local(row.object_key))
            scenes.append(stack.enter_context(open_scene(path, date=row.date, name=row.name)))
        write_labelled_pairs(coregister(scenes[0], scenes[1], settings), alerts, folder)
