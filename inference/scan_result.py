"""Result of a scan as plain data, the input of all output files and reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from odc.geo.geobox import GeoBox
from shapely.geometry import MultiPolygon

from configs.stage_clock import StageTime, wall_seconds
from errors import Reason
from inference.changes import Change
from inference.registration.measure import Alignment
from inference.settings import ScanSettings


@dataclass(frozen=True)
class SceneFacts:
    """Description of one input image.

    Attributes:
        name: file name without its folder.
        sha256: of the file's bytes.
        date: day of acquisition, if known.
        date_source: where the date comes from: ``given``, ``file name``, ``unknown`` or the name of a tag.
        gsd_m: ground sample distance, metres per pixel.
        crs: coordinate reference system as ``EPSG:…`` or WKT; None without coordinates.
        width: pixels.
        height: pixels.
        remarks: what people should know about it: datum, margins, kind.
    """

    name: str
    sha256: str
    date: date | None
    date_source: str
    gsd_m: float
    crs: str | None
    width: int
    height: int
    remarks: tuple[Reason, ...] = ()


@dataclass(frozen=True)
class NetworkFacts:
    """Description of the network that ran.

    Attributes:
        name: of its weights.
        sha256: checksum of its weights.
        runtime: runtime and precision, for example ``openvino bf16``.
    """

    name: str
    sha256: str
    runtime: str


@dataclass(frozen=True)
class ScanResult:
    """Result of :func:`inference.detect_changes.detect_changes`.

    Attributes:
        before: the earlier image.
        after: the later image.
        grid: common grid; its CRS is None when the images have no coordinates.
        resolution_m: side of a grid pixel on the ground, metres.
        alignment: registration of the earlier image to the later one.
        changes: detected changes, numbered from 1.
        compared_area_m2: ground that was compared.
        not_compared_area_m2: ground inside the overlap that could not be compared, by reason.
        settings: of the scan.
        weights_name: name of the network's weights.
        weights_sha256: checksum of the weights.
        runtime: runtime and precision, for example ``openvino bf16``.
        threshold: probability from which a pixel counted as changed, by output.
        hidden_outlines: ground that a date does not show, in longitude and latitude
            (:func:`inference.visibility.outlines.hidden_outlines`).
        stages: wall and CPU seconds by stage; the only field that differs when a scan is repeated.
    """

    before: SceneFacts
    after: SceneFacts
    grid: GeoBox
    resolution_m: float
    alignment: Alignment
    changes: tuple[Change, ...]
    compared_area_m2: float
    not_compared_area_m2: dict[str, float]
    settings: ScanSettings
    weights_name: str
    weights_sha256: str
    runtime: str
    threshold: dict[str, float]
    stages: dict[str, StageTime] = field(default_factory=dict)
    hidden_outlines: dict[str, MultiPolygon] = field(default_factory=dict)

    @property
    def timings_s(self) -> dict[str, float]:
        """Wall seconds by stage of the main thread, by part of a stage, and in ``total``."""
        return wall_seconds(self.stages)

    @property
    def georeferenced(self) -> bool:
        """Whether the scan has a coordinate reference system."""
        return self.grid.crs is not None
