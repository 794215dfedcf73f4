"""Reviewed alerts as folders that ``tuban reviewed`` takes, in one zip: per scan its record, outlines and verdicts.

The images are not in it, they are large; ``reviewed.sh`` fetches them with a key, and makes the labelled pairs.
"""

from __future__ import annotations

import csv
import io
import json
import shlex
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from pyproj import Transformer

from store.review.reviewed_scans import ReviewedAlert, ReviewedScan

_SCRIPT = """\
#!/bin/sh
# Makes labelled pairs of {alerts} reviewed alerts, by `tuban reviewed`, and tells how to train on them.
# TUBAN_KEY must hold a key for {base}, made on the page of one's account.
set -eu
: "${{TUBAN_KEY:?}}"
cd "$(dirname "$0")"
"""


def write_training_zip(scans: Sequence[ReviewedScan], base: str, path: Path) -> int:
    """Write the zip; returns how many alerts are in it. Scans without a record of their grid are left out.

    Args:
        scans: with their reviewed alerts.
        base: address of the service, from which the images are fetched.
        path: of the zip.
    """
    usable = [reviewed for reviewed in scans if (reviewed.scan.result.get("grid") or {}).get("crs")]
    alerts = sum(len(reviewed.alerts) for reviewed in usable)
    script = [_SCRIPT.format(alerts=alerts, base=base)]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for reviewed in usable:
            name = f"scan-{reviewed.scan.id}"
            archive.writestr(f"{name}/scan.json", json.dumps(_record(reviewed), ensure_ascii=False, indent=1))
            archive.writestr(f"{name}/changes.gpkg", _outlines(reviewed.alerts, reviewed.scan.result["grid"]["crs"]))
            archive.writestr(f"{name}/verdicts.csv", _verdicts(reviewed.alerts))
            script += _lines(reviewed, name, base)
        given = " ".join(f"--reviews reviewed/scan-{reviewed.scan.id}" for reviewed in usable)
        script.append(f'echo "Now: tuban train configs/training/own.yaml {given}"\n')
        entry = zipfile.ZipInfo("reviewed.sh")
        entry.external_attr = 0o100755 << 16
        archive.writestr(entry, "".join(script))
    return alerts


def _record(reviewed: ReviewedScan) -> dict[str, Any]:
    """The scan's record, its images known by the checksums of our COGs: those are what is fetched."""
    record: dict[str, Any] = json.loads(json.dumps(reviewed.scan.result))
    for when, scene in (("before", reviewed.before), ("after", reviewed.after)):
        record["inputs"][when] |= {"came_as_sha256": scene.sha256, "sha256": scene.object_sha256}
    return record


def _outlines(alerts: Sequence[ReviewedAlert], crs: str) -> bytes:
    import pyogrio  # here, as it brings pandas, which most processes never need

    to_grid = Transformer.from_crs("EPSG:4490", crs, always_xy=True)
    outlines = [
        shapely.transform(alert.outline, lambda lonlat: np.column_stack(to_grid.transform(*lonlat.T)))
        for alert in alerts
    ]
    parts = [shapely.MultiPolygon(list(shapely.get_parts(outline))) for outline in outlines]
    shapes: Any = np.empty(len(parts), object)
    shapes[:] = [shapely.to_wkb(part) for part in parts]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "changes.gpkg"
        pyogrio.raw.write(
            path,
            geometry=shapes,
            field_data=[np.arange(1, len(alerts) + 1), np.array([alert.kind for alert in alerts], object)],
            fields=np.array(["number", "kind"], object),
            geometry_type="MultiPolygon",
            crs=crs,
            driver="GPKG",
            layer="changes",
        )
        return path.read_bytes()


def _verdicts(alerts: Sequence[ReviewedAlert]) -> str:
    held = io.StringIO()
    writer = csv.writer(held, lineterminator="\n")
    writer.writerow(["number", "verdict", "alert"])
    writer.writerows((number, str(alert.confirmed).lower(), alert.alert) for number, alert in enumerate(alerts, 1))
    return held.getvalue()


def _lines(reviewed: ReviewedScan, name: str, base: str) -> list[str]:
    fetched = [
        f'curl -fsS -H "Authorization: Bearer $TUBAN_KEY" -o {name}/{when}.tif '
        f"{shlex.quote(f'{base}/api/scenes/{scene.id}/image.tif')}\n"
        for when, scene in (("before", reviewed.before), ("after", reviewed.after))
    ]
    made = (
        f"tuban reviewed {name}/before.tif {name}/after.tif --results {name} --verdicts {name}/verdicts.csv "
        f"--out reviewed/{name}\n"
    )
    return [*fetched, made]
