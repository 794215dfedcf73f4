"""Load alerts (OGC API - Features) and the latest images (WMTS) with Debian's QGIS, offscreen: URL, API key, PNG."""

from __future__ import annotations

import json
import sys
from urllib.parse import quote

from qgis.core import (
    QgsApplication,
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsMapRendererSequentialJob,
    QgsMapSettings,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QEventLoop, QSize

url, key, picture = sys.argv[1:]
application = QgsApplication([], False)
application.initQgis()
features = QgsVectorLayer(
    f"url='{url}/api/ogc' typename='alerts' username='any' password='{key}' version='OGC_API_FEATURES'",
    "alerts",
    "OAPIF",
)
assert features.isValid(), features.error().message()
found = {feature["number"]: feature.geometry().asWkt(6) for feature in features.getFeatures()}
address = quote(f"{url}/api/tiles/1.0.0/WMTSCapabilities.xml", safe="")
tiles = QgsRasterLayer(
    "crs=EPSG:3857&format=image/png&layers=latest&styles=default&tileMatrixSet=GoogleMapsCompatible&tileDimensions="
    f"time%3Dlatest&url={address}&username=any&password={key}",
    "latest",
    "wms",
)
assert tiles.isValid(), tiles.error().message()
metres = QgsCoordinateReferenceSystem("EPSG:3857")
extent = QgsCoordinateTransform(features.crs(), metres, QgsProject.instance()).transform(features.extent())
extent.scale(2)
settings = QgsMapSettings()
settings.setLayers([features, tiles])
settings.setDestinationCrs(metres)
settings.setOutputSize(QSize(600, 300))
settings.setExtent(extent)
job = QgsMapRendererSequentialJob(settings)
loop = QEventLoop()
job.finished.connect(loop.quit)
job.start()
loop.exec_()
job.renderedImage().save(picture, "png")
print(json.dumps(found))
del features, tiles, job
application.exitQgis()
