"""``report.html``: a scan as one self-contained HTML file for the person who decides what to check."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from shapely.geometry import Polygon

from configs.texts import texts, translate
from enforcement.units import mu
from errors import Reason
from inference.changes import Change, Kind
from inference.outputs.crop_evidence import Evidence, View, crop_evidence, overview
from inference.outputs.report_labels import Mark, place_labels
from inference.outputs.thumbnails import COLOURS, jpeg_within
from inference.outputs.vector_files import attributes
from inference.outputs.wording import KINDS, STATEMENT, crs_label, printable, term
from inference.raster_source import RasterSource
from inference.scan_result import ScanResult, SceneFacts

OVERVIEW_PX = 1600
OVERVIEW_BYTES = 900_000
PICTURES_BYTES = 8_500_000
"""Total size of embedded thumbnails; a third more as base64, so that a report stays below 15 MB."""

MOST_PICTURES = 400
"""Number of changes with pictures in the report, largest first; pictures of all changes are in ``thumbnails/``."""

_SIDES = ((80, 400), (160, 320), (MOST_PICTURES, 256))  # (largest number of changes, side of a picture in pixels)
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
    """Collects the pictures of all changes, one by one, and writes the page."""

    def __init__(self, result: ScanResult) -> None:
        """Choose the size of pictures by the number of changes."""
        self._result = result
        largest = sorted(result.changes, key=lambda change: (-change.area_m2, change.number))[:MOST_PICTURES]
        self._shown = {change.number for change in largest}
        self._side = next(side for most, side in _SIDES if len(largest) <= most)
        self._most_bytes = min(_MOST_PICTURE_BYTES, PICTURES_BYTES // max(1, 2 * len(largest)))
        self._pictures: dict[int, Pictures] = {}

    def add(self, change: Change, crop: Evidence) -> None:
        """Add reduced pictures of a change."""
        if change.number not in self._shown:
            return
        before, after = (jpeg_within(picture, self._side, self._most_bytes) for picture in (crop.before, crop.after))
        bar = crop.view.scale_bar(crop.view.width / 3.5)
        self._pictures[change.number] = Pictures(
            before, after, crop.view.width, svg_path(crop.view, change.polygon), *bar
        )

    def write(self, before: RasterSource, after: RasterSource, path: Path) -> None:
        """Read the overview of both dates and write the page."""
        view = overview(self._result, OVERVIEW_PX)
        page = render(self._result, crop_evidence(self._result, before, after, view), self._pictures)
        path.write_text(page, encoding="utf-8", newline="\n")


def render(result: ScanResult, overview_crop: Evidence, pictures: dict[int, Pictures]) -> str:
    """Render the page. File names are untrusted: everything is escaped, and only the page's own script may run."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": _number, "percent": lambda share: f"{100 * share:.1f}%"}
    environment.globals["words"] = lambda name, **values: texts(f"report.{name}", **values)
    script = environment.get_template("report.js.j2").render()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("report.html.j2").render(
        **_context(result, overview_crop, pictures),
        script=Markup(script),  # a file of this package
        script_hash=digest,
    )


def svg_path(view: View, polygon: Polygon) -> str:
    """Return an outline as SVG path data in pixels of a view."""
    parts = []
    for ring in view.rings(polygon):
        points = [f"{x:.1f} {y:.1f}" for x, y in ring[:-1]]
        parts.append(f"M{points[0]}L{' '.join(points[1:])}Z")
    return "".join(parts)


def _context(result: ScanResult, overview_crop: Evidence, pictures: dict[int, Pictures]) -> dict[str, Any]:
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
        "map": _map(result, overview_crop),
        "rows": [_row(change, result, pictures.get(change.number)) for change in result.changes],
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


def _map(result: ScanResult, overview_crop: Evidence) -> dict[str, Any]:
    view = overview_crop.view
    marks = place_labels(
        [Mark(change.number, change.kind, view.rings(change.polygon)[0], change.area_m2) for change in result.changes],
        view.width,
        view.height,
    )
    paths = [svg_path(view, change.polygon) for change in result.changes]
    length, label = view.scale_bar(max(view.width, view.height) / 6)
    return {
        "width": view.width,
        "height": view.height,
        "before": _uri(jpeg_within(overview_crop.before, OVERVIEW_PX, OVERVIEW_BYTES)),
        "after": _uri(jpeg_within(overview_crop.after, OVERVIEW_PX, OVERVIEW_BYTES)),
        "marks": list(zip(marks, paths, strict=True)),
        "bar_px": length,
        "bar_label": label,
        "complete": overview_crop.complete,
    }


def _row(change: Change, result: ScanResult, pictures: Pictures | None) -> dict[str, Any]:
    values = attributes(change, result)
    lon, lat = values["lon"], values["lat"]
    place = None
    if lon is not None:
        place = f"{abs(lon):.6f}°{'E' if lon >= 0 else 'W'}, {abs(lat):.6f}°{'N' if lat >= 0 else 'S'}"
    shown = None
    if pictures is not None:
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
