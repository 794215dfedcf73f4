"""Zip of reviewed alerts for ``tuban reviewed``: per scan a folder with its record, outlines and verdicts.

The images are not included because they are large; the script ``reviewed.sh`` downloads them with an API key and
creates the labelled pairs.
"""

from __future__ import annotations

import csv
import io
import json
import shlex
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from pyproj import Transformer

from store.review.reviewed_scans import ReviewedAlert, ReviewedScan

_SCRIPT = """\
#!/bin/sh
# Create labelled pairs of {alerts} reviewed alerts by `tuban reviewed`, and print the command to train on them.
# TUBAN_KEY must contain an API key of {base}, created on the account page.
set -eu
: "${{TUBAN_KEY:?}}"
cd "$(dirname "$0")"
"""


def write_training_zip(scans: Sequence[ReviewedScan], base: str, path: Path) -> int:
    """Write the zip; held-back alerts, and scans without a record of their grid, are excluded.

    Args:
        scans: scans with their reviewed alerts.
        base: public URL of the service, from which the script downloads the images.
        path: path of the zip.

    Returns:
        The number of alerts in the zip.
    """
    usable = [
        replace(reviewed, alerts=trained_on)
        for reviewed in scans
        if (reviewed.scan.result.get("grid") or {}).get("crs")
        and (trained_on := tuple(alert for alert in reviewed.alerts if not alert.held_back))
    ]
    alerts = sum(len(reviewed.alerts) for reviewed in usable)
    script = [_SCRIPT.format(alerts=alerts, base=base)]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for reviewed in usable:
            name = f"scan-{reviewed.scan.id}"
            archive.writestr(f"{name}/scan.json", json.dumps(_record(reviewed), ensure_ascii=False, indent=1))
            archive.writestr(f"{name}/changes.gpkg", _outlines(reviewed.alerts, reviewed.scan.result["grid"]["crs"]))
            archive.writestr(f"{name}/verdicts.csv", _verdicts(reviewed.alerts))
            script += _script_lines(reviewed, name, base)
        options = " ".join(f"--reviews reviewed/scan-{reviewed.scan.id}" for reviewed in usable)
        script.append(f'echo "Now: tuban train configs/training/own.yaml {options}"\n')
        entry = zipfile.ZipInfo("reviewed.sh")
        entry.external_attr = 0o100755 << 16
        archive.writestr(entry, "".join(script))
    return alerts


def _record(reviewed: ReviewedScan) -> dict[str, Any]:
    """Return the scan's record with the checksums of the stored COGs, which the script downloads."""
    record: dict[str, Any] = json.loads(json.dumps(reviewed.scan.result))
    for when, scene in (("before", reviewed.before), ("after", reviewed.after)):
        record["inputs"][when] |= {"came_as_sha256": scene.sha256, "sha256": scene.object_sha256}
    return record


def _outlines(alerts: Sequence[ReviewedAlert], crs: str) -> bytes:
    import pyogrio  # imported here because it imports pandas, which most processes do not need

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
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["number", "verdict", "alert", "origin"])
    writer.writerows(
        (number, str(alert.confirmed).lower(), alert.alert, alert.origin) for number, alert in enumerate(alerts, 1)
    )
    return table.getvalue()


def _script_lines(reviewed: ReviewedScan, name: str, base: str) -> list[str]:
    downloads = [
        f'curl -fsS -H "Authorization: Bearer $TUBAN_KEY" -o {name}/{when}.tif '
        f"{shlex.quote(f'{base}/api/scenes/{scene.id}/image.tif')}\n"
        for when, scene in (("before", reviewed.before), ("after", reviewed.after))
    ]
    labelling = (
        f"tuban reviewed {name}/before.tif {name}/after.tif --results {name} --verdicts {name}/verdicts.csv "
        f"--out reviewed/{name}\n"
    )
    return [*downloads, labelling]
