"""Alerts as KML and KMZ for globes and map apps: outlines by kind, their columns; in a KMZ also their two pictures.

KML is WGS 84, of which CGCS2000 differs by less than a metre.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable
from html import escape
from pathlib import Path
from xml.etree import ElementTree as ET

import shapely
from shapely.geometry.base import BaseGeometry

from enforcement.alert import STATEMENT, Alert
from enforcement.change_types import read_change_types
from enforcement.evidence.sheet_texts import Language, SheetTexts
from enforcement.exports.columns import COLUMNS, Value, column_values
from enforcement.exports.qgis_style import COLOURS, OTHER_COLOUR
from enforcement.exports.vector_files import ExportResult, atomic_write

MOST_WITH_PICTURES = 1000
"""Alerts whose pictures are included; a larger file would be of no use to a phone."""

_KML = "http://www.opengis.net/kml/2.2"
_CAPTIONS = {"before": ("前时相", "Earlier image"), "after": ("后时相", "Later image")}

ReadPicture = Callable[[str], bytes | None]
"""Returns the picture of an object key; None: there is none."""


def write_kmz(alerts: Iterable[Alert], path: Path, language: Language, read_picture: ReadPicture) -> ExportResult:
    """Write a KMZ.

    Args:
        alerts: alerts to be written.
        path: path of the file.
        language: of names and values.
        read_picture: reads the pictures of the alerts.

    Raises:
        OutputError: the file cannot be written.
    """
    texts = SheetTexts(language)
    root, document = _document(language)
    count = 0
    with (
        atomic_write(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for count, alert in enumerate(alerts, start=1):
            pictures = _add_pictures(archive, alert, read_picture) if count <= MOST_WITH_PICTURES else {}
            _placemark(document, alert, texts, pictures)
        archive.writestr("doc.kml", ET.tostring(root, encoding="utf-8", xml_declaration=True))
    remarks: tuple[str, ...] = ()
    if count > MOST_WITH_PICTURES:
        remarks = (f"Pictures are included for the first {MOST_WITH_PICTURES} of {count} alerts.",)
    return ExportResult(count, remarks)


def write_kml(alerts: Iterable[Alert], path: Path, language: Language) -> ExportResult:
    """Write a KML file: as a KMZ, without pictures.

    Raises:
        OutputError: the file cannot be written.
    """
    texts = SheetTexts(language)
    root, document = _document(language)
    for alert in alerts:
        _placemark(document, alert, texts, {})
    with atomic_write(path) as temporary:
        temporary.write_bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))
    return ExportResult(len(document.findall(_tag("Placemark"))))


def _document(language: Language) -> tuple[ET.Element, ET.Element]:
    """Return the root of a KML file, and its document with the styles of all kinds."""
    ET.register_namespace("", _KML)
    root = ET.Element(_tag("kml"))
    document = ET.SubElement(root, _tag("Document"))
    ET.SubElement(document, _tag("name")).text = "图斑" if language == "zh" else "Alerts"
    ET.SubElement(document, _tag("description")).text = STATEMENT[0 if language == "zh" else 1]
    for kind in (*read_change_types().kinds, "other"):
        _style(document, kind)
    return root, document


def _tag(name: str) -> str:
    return f"{{{_KML}}}{name}"


def _style(document: ET.Element, kind: str) -> None:
    red, green, blue = (int(value) for value in COLOURS.get(kind, OTHER_COLOUR).split(","))
    style = ET.SubElement(document, _tag("Style"), {"id": kind})
    line, fill = ET.SubElement(style, _tag("LineStyle")), ET.SubElement(style, _tag("PolyStyle"))
    colour = f"{blue:02x}{green:02x}{red:02x}"  # alpha, blue, green, red
    ET.SubElement(line, _tag("color")).text = f"ff{colour}"
    ET.SubElement(line, _tag("width")).text = "2"
    ET.SubElement(fill, _tag("color")).text = f"40{colour}"


def _add_pictures(archive: zipfile.ZipFile, alert: Alert, read_picture: ReadPicture) -> dict[str, str]:
    """Add the pictures of an alert; return name → path in the archive."""
    added = {}
    for picture in alert.evidence:
        if picture.name in _CAPTIONS and picture.key and (content := read_picture(picture.key)) is not None:
            suffix = Path(picture.key).suffix or ".jpg"
            added[picture.name] = f"files/{alert.number}-{picture.name}{suffix}"
            archive.writestr(added[picture.name], content, zipfile.ZIP_STORED)
    return added


def _placemark(document: ET.Element, alert: Alert, texts: SheetTexts, pictures: dict[str, str]) -> None:
    which = 0 if texts.language == "zh" else 1
    style = alert.kind if alert.kind in read_change_types().kinds else "other"
    placemark = ET.SubElement(document, _tag("Placemark"))
    ET.SubElement(placemark, _tag("name")).text = alert.number
    values = [
        (column.headings[which], _text(value, column.decimals))
        for column, value in zip(COLUMNS, column_values(alert, texts), strict=True)
    ]
    rows = "".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in values if value)
    images = "".join(
        f'<p>{escape(_CAPTIONS[name][which])}<br><img src="{escape(path)}" width="320"></p>'
        for name, path in pictures.items()
    )
    ET.SubElement(placemark, _tag("description")).text = f"{images}<table>{rows}</table>"
    ET.SubElement(placemark, _tag("styleUrl")).text = f"#{style}"
    extended = ET.SubElement(placemark, _tag("ExtendedData"))
    for name, value in values:
        data = ET.SubElement(extended, _tag("Data"), {"name": name})
        ET.SubElement(data, _tag("value")).text = value
    _geometry(placemark, alert.outline)


def _text(value: Value, decimals: int) -> str:
    if value is None:
        return ""
    text = f"{value:.{decimals}f}" if isinstance(value, float) else str(value)
    return "".join(one if one.isprintable() else " " for one in text)  # XML has no control characters


def _geometry(placemark: ET.Element, outline: BaseGeometry) -> None:
    oriented = shapely.orient_polygons(shapely.force_2d(outline), exterior_cw=False)
    several = ET.SubElement(placemark, _tag("MultiGeometry"))
    for part in shapely.get_parts(oriented):
        polygon = ET.SubElement(several, _tag("Polygon"))
        ET.SubElement(polygon, _tag("tessellate")).text = "1"
        for name, ring in (("outerBoundaryIs", part.exterior), *(("innerBoundaryIs", one) for one in part.interiors)):
            linear = ET.SubElement(ET.SubElement(polygon, _tag(name)), _tag("LinearRing"))
            ET.SubElement(linear, _tag("coordinates")).text = " ".join(f"{x:.8f},{y:.8f}" for x, y in ring.coords)
