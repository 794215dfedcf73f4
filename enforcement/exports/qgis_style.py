"""The style that QGIS applies by itself to a GeoPackage: one colour per kind, field aliases in the user's language.

QGIS reads the table ``layer_styles``; other programs ignore it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from xml.etree import ElementTree as ET

from enforcement.change_types import read_change_types
from enforcement.evidence.sheet_texts import Language
from enforcement.exports.columns import COLUMNS, Column

COLOURS = {"construction": "214,39,40", "ground": "227,136,20", "demolition": "44,130,80"}
OTHER_COLOUR = "110,110,110"

_TABLE = """
CREATE TABLE layer_styles (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    f_table_catalog TEXT(256), f_table_schema TEXT(256), f_table_name TEXT(256), f_geometry_column TEXT(256),
    styleName TEXT(30), styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN, description TEXT, owner TEXT(30),
    ui TEXT(30), update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
)
"""


def add_style(path: Path, layer: str, geometry_column: str, language: Language) -> None:
    """Add the default style of a layer of alerts to a GeoPackage.

    Args:
        path: the GeoPackage.
        layer: its layer, with the columns :data:`enforcement.exports.columns.COLUMNS`.
        geometry_column: of the layer.
        language: of legend and aliases.
    """
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(_TABLE)
        database.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier) VALUES ('layer_styles', 'attributes', "
            "'layer_styles')"
        )
        database.execute(
            "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, styleName, "
            "styleQML, styleSLD, useAsDefault, description, owner) VALUES ('', '', ?, ?, 'Tuban', ?, '', 1, '', '')",
            (layer, geometry_column, qml(COLUMNS, language)),
        )


def qml(columns: Sequence[Column], language: Language) -> str:
    """Return the style as QML."""
    root = ET.Element("qgis", {"version": "3.22", "styleCategories": "Symbology|Fields|AttributeTable|MapTips"})
    root.extend(layer_style(columns, language))
    return "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n" + ET.tostring(root, encoding="unicode")


def layer_style(columns: Sequence[Column], language: Language) -> list[ET.Element]:
    """Return the style as the elements of a QML file or of a layer in a project."""
    root = ET.Element("qgis")
    renderer = ET.SubElement(root, "renderer-v2", {"type": "categorizedSymbol", "attr": "kind", "forceraster": "0"})
    categories, symbols = ET.SubElement(renderer, "categories"), ET.SubElement(renderer, "symbols")
    kinds = read_change_types().kinds
    labels = {kind: str(getattr(names, language)) for kind, names in kinds.items()}
    labels[""] = "其他" if language == "zh" else "Other"
    for index, (kind, label) in enumerate(labels.items()):
        values = {"value": kind, "symbol": str(index), "label": label, "render": "true"}
        ET.SubElement(categories, "category", values)
        _symbol(symbols, str(index), COLOURS.get(kind, OTHER_COLOUR))
    aliases = ET.SubElement(root, "aliases")
    for number, column in enumerate(columns, start=1):  # the first field is the row number
        heading = column.headings[0 if language == "zh" else 1]
        ET.SubElement(aliases, "alias", {"field": column.name, "index": str(number), "name": heading})
    ET.SubElement(root, "previewExpression").text = '"number"'
    return list(root)


def _symbol(symbols: ET.Element, name: str, colour: str) -> None:
    symbol = ET.SubElement(symbols, "symbol", {"type": "fill", "name": name, "alpha": "1", "clip_to_extent": "1"})
    layer = ET.SubElement(symbol, "layer", {"class": "SimpleFill", "enabled": "1", "pass": "0", "locked": "0"})
    options = {
        "color": f"{colour},70",
        "style": "solid",
        "outline_color": f"{colour},255",
        "outline_style": "solid",
        "outline_width": "0.6",
        "outline_width_unit": "MM",
        "joinstyle": "round",
    }
    values = ET.SubElement(layer, "Option", {"type": "Map"})
    for key, value in options.items():
        ET.SubElement(values, "Option", {"type": "QString", "name": key, "value": value})
    for key, value in options.items():  # QGIS before 3.18
        ET.SubElement(layer, "prop", {"k": key, "v": value})
