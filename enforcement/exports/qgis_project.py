"""Alerts as a QGIS project: a zip with ``alerts.qgz`` and beside it the GeoPackage that it shows.

The project has the style of :mod:`enforcement.exports.qgis_style`. Paths are relative, so the folder may be moved.
"""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pyproj

from enforcement.alert import CRS, STATEMENT, Alert
from enforcement.evidence.sheet_texts import Language
from enforcement.exports.columns import COLUMNS
from enforcement.exports.qgis_style import layer_style
from enforcement.exports.vector_files import LAYER, ExportResult, atomic_write, write_geopackage

PROJECT = "alerts.qgz"
PACKAGE = "alerts.gpkg"

_LAYER_ID = "tuban_alerts"
_MARGIN = 0.1
_WHOLE = (73.0, 18.0, 135.0, 54.0)  # shown if there are no alerts: China, degrees


def write_qgis_project(alerts: Iterable[Alert], path: Path, language: Language = "zh") -> ExportResult:
    """Write a zip with project and GeoPackage.

    Raises:
        OutputError: a file cannot be written.
    """
    with atomic_write(path) as temporary, tempfile.TemporaryDirectory(dir=temporary.parent) as folder:
        package = Path(folder) / PACKAGE
        result = write_geopackage(alerts, package, language)
        import pyogrio  # imported here, because it imports pandas, which most processes never need

        bounds = pyogrio.read_info(package, layer=LAYER, force_total_bounds=True)["total_bounds"]
        project = Path(folder) / PROJECT
        with zipfile.ZipFile(project, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("alerts.qgs", project_xml(tuple(bounds) if result.alerts else _WHOLE, language))
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(project, PROJECT, zipfile.ZIP_STORED)
            archive.write(package, PACKAGE)
    return result


def project_xml(bounds: Sequence[float], language: Language) -> str:
    """Return the project as QGS.

    Args:
        bounds: west, south, east, north in degrees, shown when it is opened.
        language: of names, legend and aliases.
    """
    which = 0 if language == "zh" else 1
    name = ("图斑", "Alerts")[which]
    root = ET.Element("qgis", {"projectname": name, "version": "3.22.0"})
    ET.SubElement(root, "title").text = f"{name} · {STATEMENT[which]}"
    _crs(ET.SubElement(root, "projectCrs"))
    source = f"./{PACKAGE}|layername={LAYER}"
    tree = ET.SubElement(root, "layer-tree-group")
    attributes = {"id": _LAYER_ID, "name": name, "source": source, "providerKey": "ogr"}
    ET.SubElement(tree, "layer-tree-layer", attributes | {"checked": "Qt::Checked", "expanded": "1"})
    canvas = ET.SubElement(root, "mapcanvas", {"name": "theMapCanvas"})
    ET.SubElement(canvas, "units").text = "degrees"
    _extent(canvas, bounds)
    _crs(ET.SubElement(canvas, "destinationsrs"))
    layer = ET.SubElement(
        ET.SubElement(root, "projectlayers"),
        "maplayer",
        {"type": "vector", "geometry": "Polygon", "wkbType": "MultiPolygon", "hasScaleBasedVisibilityFlag": "0"},
    )
    ET.SubElement(layer, "id").text = _LAYER_ID
    ET.SubElement(layer, "datasource").text = source
    ET.SubElement(layer, "layername").text = name
    ET.SubElement(layer, "provider", {"encoding": "UTF-8"}).text = "ogr"
    _crs(ET.SubElement(layer, "srs"))
    layer.extend(layer_style(COLUMNS, language))
    ET.SubElement(ET.SubElement(root, "layerorder"), "layer", {"id": _LAYER_ID})
    properties = ET.SubElement(root, "properties")
    ET.SubElement(ET.SubElement(properties, "Paths"), "Absolute", {"type": "bool"}).text = "false"
    reference = ET.SubElement(properties, "SpatialRefSys")  # without it the project has no coordinate system
    ET.SubElement(reference, "ProjectionsEnabled", {"type": "int"}).text = "1"
    return "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n" + ET.tostring(root, encoding="unicode")


def _extent(parent: ET.Element, bounds: Sequence[float]) -> None:
    west, south, east, north = bounds
    x, y = max(_MARGIN * (east - west), 0.001), max(_MARGIN * (north - south), 0.001)
    extent = ET.SubElement(parent, "extent")
    values = {"xmin": west - x, "ymin": south - y, "xmax": east + x, "ymax": north + y}
    for key, value in values.items():
        ET.SubElement(extent, key).text = f"{value:.8f}"


def _crs(parent: ET.Element) -> None:
    system: Any = pyproj.CRS.from_user_input(CRS)
    spatial = ET.SubElement(parent, "spatialrefsys", {"nativeFormat": "Wkt"})
    ET.SubElement(spatial, "wkt").text = system.to_wkt()
    ET.SubElement(spatial, "authid").text = CRS
    ET.SubElement(spatial, "description").text = system.name
    ET.SubElement(spatial, "geographicflag").text = "true"
