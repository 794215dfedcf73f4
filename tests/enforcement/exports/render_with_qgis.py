"""Open a GeoPackage with Debian's QGIS, offscreen, and render it: GeoPackage, PNG."""

from __future__ import annotations

import json
import sys

from qgis.core import QgsApplication, QgsMapRendererParallelJob, QgsMapSettings, QgsVectorLayer
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor

package, picture = sys.argv[1:]
application = QgsApplication([], False)
application.initQgis()
layer = QgsVectorLayer(f"{package}|layername=alerts", "alerts", "ogr")
assert layer.isValid()
settings = QgsMapSettings()
settings.setLayers([layer])
settings.setDestinationCrs(layer.crs())
settings.setBackgroundColor(QColor("white"))
settings.setOutputSize(QSize(400, 300))
extent = layer.extent()
extent.scale(1.2)
settings.setExtent(extent)
job = QgsMapRendererParallelJob(settings)
job.start()
job.waitForFinished()
job.renderedImage().save(picture, "png")
renderer = layer.renderer()
legend = {}
if renderer.type() == "categorizedSymbol":
    for one in renderer.categories():
        legend[one.value()] = [one.label(), one.symbol().symbolLayer(0).strokeColor().name()]
aliases = {field.name(): layer.attributeDisplayName(index) for index, field in enumerate(layer.fields())}
print(json.dumps([renderer.type(), legend, aliases, layer.crs().authid(), layer.featureCount()]))
del layer, job
application.exitQgis()
