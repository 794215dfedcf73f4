"""Open a project with Debian's QGIS, offscreen, and render it: project, PNG."""

from __future__ import annotations

import json
import sys

from qgis.core import QgsApplication, QgsMapRendererParallelJob, QgsMapSettings, QgsProject
from qgis.PyQt.QtCore import QSize

file, picture = sys.argv[1:]
application = QgsApplication([], False)
application.initQgis()
project = QgsProject.instance()
assert project.read(file)
(layer,) = project.mapLayers().values()
assert layer.isValid()
settings = QgsMapSettings()
settings.setLayers([layer])
settings.setDestinationCrs(project.crs())
settings.setOutputSize(QSize(400, 300))
extent = layer.extent()
extent.scale(1.2)
settings.setExtent(extent)
job = QgsMapRendererParallelJob(settings)
job.start()
job.waitForFinished()
job.renderedImage().save(picture, "png")
facts = [layer.name(), layer.featureCount(), layer.renderer().type(), layer.attributeDisplayName(1)]
print(json.dumps([project.title(), project.crs().authid(), *facts]))
del layer, job
project.clear()
application.exitQgis()
