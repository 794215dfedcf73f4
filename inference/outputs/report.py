"""``report.html``: a scan as one HTML page for the person who decides what to check.

Up to :data:`MOST_EMBEDDED` changes, the page contains its pictures and can be sent alone. With more, it shows
a part of the list at a time and loads the pictures from ``thumbnails/`` beside it (``report_list.js.j2``).
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray
from shapely.geometry import Polygon

from configs.texts import texts, translate
from enforcement.units import mu
from errors import Reason
from inference.changes import Change, Kind
from inference.outputs.crop_evidence import Evidence, View, crop_evidence, overview
from inference.outputs.report_labels import Mark, place_labels
from inference.outputs.thumbnails import COLOURS, FOOT_PX, SIDE_PX, jpeg_within
from inference.outputs.vector_files import attributes
from inference.outputs.wording import KINDS, STATEMENT, crs_label, printable, term
from inference.raster_source import RasterSource
from inference.scan_result import ScanResult, SceneFacts

OVERVIEW_PX = 1600
OVERVIEW_BYTES = 900_000
PICTURES_BYTES = 8_500_000
"""Total size of embedded thumbnails; a third more as base64, so that a report stays below 15 MB."""

MOST_EMBEDDED = 400
"""Largest number of changes whose pictures the page contains."""

_MOST_LABELS = 60  # on the overview of many changes: the largest ones
_SIMPLIFY_PX = 0.5  # of outlines on the overview of many changes
_SIDES = ((80, 400), (160, 320), (MOST_EMBEDDED, 256))  # (largest number of changes, side of a picture in pixels)
_MOST_PICTURE_BYTES = 60_000


@dataclass(frozen=True)
class Pictures:
    """Pictures of one change in the list: JPEG of both dates, outline as an SVG path, scale bar."""

    before: bytes
    after: bytes
    side: int
    path: str
    bar_px: int
    bar_label: str


class Report:
    """The page of one scan."""

    def __init__(self, result: ScanResult) -> None:
        """Choose the size of pictures by the number of changes."""
        count = len(result.changes)
        self._result = result
        self.embedded = count <= MOST_EMBEDDED
        self._side = next((side for most, side in _SIDES if count <= most), 0)
        self._most_bytes = min(_MOST_PICTURE_BYTES, PICTURES_BYTES // max(1, 2 * count))

    def pictures(self, change: Change, crop: Evidence) -> Pictures | None:
        """Return the pictures of a change that the page contains; None if it loads them. Thread-safe."""
        if not self.embedded:
            return None
        before, after = (jpeg_within(picture, self._side, self._most_bytes) for picture in (crop.before, crop.after))
        bar = crop.view.scale_bar(crop.view.width / 3.5)
        return Pictures(before, after, crop.view.width, svg_path(crop.view, change.polygon), *bar)

    def write(self, before: RasterSource, after: RasterSource, pictures: dict[int, Pictures], path: Path) -> None:
        """Read the overview of both dates and write the page.

        Args:
            before: the earlier image.
            after: the later image.
            pictures: of all changes by number, from :meth:`pictures`; empty if the page loads them.
            path: of the page.
        """
        crop = crop_evidence(self._result, before, after, overview(self._result, OVERVIEW_PX))
        page = render(self._result, crop, None if not self.embedded else pictures)
        path.write_text(page, encoding="utf-8", newline="\n")


def render(result: ScanResult, overview_crop: Evidence, pictures: dict[int, Pictures] | None) -> str:
    """Render the page. File names are untrusted: everything is escaped, and only the page's own script may run.

    Args:
        result: of the scan.
        overview_crop: the whole grid on both dates.
        pictures: of all changes by number; None: the page loads them.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": _number, "percent": lambda share: f"{100 * share:.1f}%"}
    environment.globals["words"] = lambda name, **values: texts(f"report.{name}", **values)
    names = ["report.js.j2", "report_list.js.j2"] if pictures is None else ["report.js.j2"]
    script = "".join(environment.get_template(name).render() for name in names)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("report.html.j2").render(
        **_context(result, overview_crop, pictures),
        script=Markup(script),  # a file of this package
        script_hash=digest,
    )


def svg_path(view: View, polygon: Polygon) -> str:
    """Return an outline as SVG path data in pixels of a view."""
    return _path_data(view.rings(polygon))


def _path_data(rings: list[NDArray[np.float64]]) -> str:
    parts = []
    for ring in rings:
        points = [f"{x:.1f} {y:.1f}" for x, y in ring[:-1].tolist()]
        parts.append(f"M{points[0]}L{' '.join(points[1:])}Z")
    return "".join(parts)


def _context(result: ScanResult, overview_crop: Evidence, pictures: dict[int, Pictures] | None) -> dict[str, Any]:
    compared = result.compared_area_m2
    missing = sum(result.not_compared_area_m2.values())
    return {
        "result": result,
        "statement": STATEMENT,
        "kinds": [_kind(result, kind, *names) for kind, names in KINDS.items()],
        "total": _area(sum(change.area_m2 for change in result.changes)),
        "compared": _area(compared),
        "not_compared": _area(missing),
        "share": compared / (compared + missing) if compared + missing else 0.0,
        "reasons": [
            {**dict(zip(("zh", "en"), map(printable, term("not_compared", reason)), strict=True)), **_area(area)}
            for reason, area in sorted(result.not_compared_area_m2.items(), key=lambda item: -item[1])
        ],
        "images": [_image(facts) for facts in (result.before, result.after)],
        "count": len(result.changes),
        "picture_size": (SIDE_PX, SIDE_PX + FOOT_PX),
        "map": _map(result, overview_crop, pictures is None),
        "rows": [_row(change, result, pictures[change.number]) for change in result.changes] if pictures else [],
        "entries": _entries(result, overview_crop.view) if pictures is None else None,
        "crs": crs_label(result.grid.crs) if result.georeferenced else None,
        "outputs": [(*term("output", name), value) for name, value in sorted(result.threshold.items())],
        "registration": _registration(result),
    }


def _kind(result: ScanResult, kind: Kind, zh: str, en: str) -> dict[str, Any]:
    areas = [change.area_m2 for change in result.changes if change.kind == kind]
    least = getattr(result.settings.profile.min_area_m2, kind)
    colour = "#{:02x}{:02x}{:02x}".format(*COLOURS[kind])
    summary = {"kind": kind, "zh": zh, "en": en, "colour": colour, "count": len(areas), "least": least}
    return summary | _area(sum(areas))


def _area(area_m2: float) -> dict[str, float]:
    return {"m2": area_m2, "mu": mu(area_m2)}


def _image(facts: SceneFacts) -> dict[str, Any]:
    source = printable(facts.date_source)
    return {
        "name": printable(facts.name),
        "date": facts.date.isoformat() if facts.date else None,
        "source_zh": term("date_source", source)[0],
        "source_en": source,
        "gsd": f"{facts.gsd_m:.4g}",
        "size": f"{facts.width:,} × {facts.height:,}",
        "crs": crs_label(facts.crs) if facts.crs else None,
        "sha256": facts.sha256,
        "remarks": [(printable(translate(remark, "zh")), printable(remark)) for remark in facts.remarks],
    }


def _map(result: ScanResult, overview_crop: Evidence, many: bool) -> dict[str, Any]:
    """Return the overview: with an element for each outline or, if there are many, with one for each kind."""
    view = overview_crop.view
    rings = [view.rings(change.polygon) for change in result.changes]
    labelled = [
        Mark(change.number, change.kind, ring[0], change.area_m2)
        for change, ring in zip(result.changes, rings, strict=True)
    ]
    if many:
        labelled = sorted(labelled, key=lambda mark: (-mark.area_m2, mark.number))[:_MOST_LABELS]
    marks = place_labels(labelled, view.width, view.height)
    length, label = view.scale_bar(max(view.width, view.height) / 6)
    paths = [] if many else [_path_data(ring) for ring in rings]
    return {
        "width": view.width,
        "height": view.height,
        "before": _uri(jpeg_within(overview_crop.before, OVERVIEW_PX, OVERVIEW_BYTES)),
        "after": _uri(jpeg_within(overview_crop.after, OVERVIEW_PX, OVERVIEW_BYTES)),
        "marks": [] if many else list(zip(marks, paths, strict=True)),
        "labels": marks if many else [],
        "outlines": _outlines_by_kind(result, rings) if many else {},
        "bar_px": length,
        "bar_label": label,
        "complete": overview_crop.complete,
    }


def _outlines_by_kind(result: ScanResult, rings: list[list[NDArray[np.float64]]]) -> dict[Kind, str]:
    """Return the outer rings of all changes as one SVG path for each kind."""
    paths: dict[Kind, list[str]] = {}
    for change, (outer, *_) in zip(result.changes, rings, strict=True):
        simple = shapely.simplify(Polygon(outer), _SIMPLIFY_PX)
        drawn = outer if simple.is_empty else shapely.get_coordinates(simple.exterior)
        paths.setdefault(change.kind, []).append(_path_data([drawn]))
    return {kind: "".join(parts) for kind, parts in paths.items()}


def _entries(result: ScanResult, view: View) -> str:
    """Return the list of changes as JSON: one array of numbers for each, in the order that the script expects."""
    kinds = list(KINDS)
    rows = []
    for change in result.changes:
        values = attributes(change, result)
        ring = view.rings(change.polygon)[0]
        box = [round(float(side), 1) for side in (*ring.min(axis=0), *ring.max(axis=0))]
        numbers = [values[name] for name in ("number", "area_m2", "score", "lon", "lat", "x", "y")]
        rows.append([*numbers, kinds.index(change.kind), *box])
    return json.dumps(rows, separators=(",", ":"), allow_nan=False)


def _row(change: Change, result: ScanResult, pictures: Pictures) -> dict[str, Any]:
    values = attributes(change, result)
    lon, lat = values["lon"], values["lat"]
    place = None
    if lon is not None:
        place = f"{abs(lon):.6f}°{'E' if lon >= 0 else 'W'}, {abs(lat):.6f}°{'N' if lat >= 0 else 'S'}"
    shown = {**vars(pictures), "before": _uri(pictures.before), "after": _uri(pictures.after)}
    return {**values, "kind_en": KINDS[change.kind][1], "place": place, "pictures": shown}


def _registration(result: ScanResult) -> dict[str, Any]:
    alignment = result.alignment
    lengths = {
        "before": alignment.residual_before_px,
        "after": alignment.residual_px,
        "p90": alignment.residual_p90_px,
    }
    texts: dict[str, Any] = {
        name: None if px is None else f"{px:.2f} px ({px * result.resolution_m:.2f} m)" for name, px in lengths.items()
    }
    reason = None if alignment.reason is None else Reason.from_json(alignment.reason, Reason.json_of(alignment.reason))
    return {
        **texts,
        "used": alignment.windows_used,
        "tried": alignment.windows_tried,
        "reason": None if reason is None else (printable(translate(reason, "zh")), printable(reason)),
    }


def _number(value: float, decimals: int = 0) -> str:
    return f"{value:,.{decimals}f}"


def _uri(data: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()
