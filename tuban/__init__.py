"""Tuban (图斑): find new construction and ground works between two dates of one place.

>>> import tuban
>>> result = tuban.detect_changes("village_2023.tif", "village_2024.tif")   # doctest: +SKIP
>>> result.to_geodataframe().plot("kind")                                    # doctest: +SKIP
>>> result.write("results")                                                  # doctest: +SKIP

Everything exported here is stable: a name or parameter is removed only after a release that warns about it. What it
finds are suspected changes, to be checked on the ground.
"""

from errors import ImageError, NotComparable, OutputError, SettingsError, TubanError, WeightsError
from imagery import Scene
from inference.changes import Change
from inference.outputs.output_folder import check_output
from tuban.alerts import Alerts, read_alerts
from tuban.detection import ScanResult, detect_changes, open_scene, scan_to_folder

__all__ = [
    "Alerts",
    "Change",
    "ImageError",
    "NotComparable",
    "OutputError",
    "ScanResult",
    "Scene",
    "SettingsError",
    "TubanError",
    "WeightsError",
    "check_output",
    "detect_changes",
    "open_scene",
    "read_alerts",
    "scan_to_folder",
]
