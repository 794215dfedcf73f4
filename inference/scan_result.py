"""Everything a scan found out, as plain data: outputs and reports are written from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from odc.geo.geobox import GeoBox

from inference.changes import Change
from inference.registration.measure import Alignment
from inference.settings import ScanSettings


@dataclass(frozen=True)
class SceneFacts:
    """What is known about one input image.

    Attributes:
        name: file name without its folder.
        sha256: of the file's bytes.
        date: day of acquisition, if known; ``date_source`` says from where.
        gsd_m: ground sample distance, metres per pixel.
        crs: coordinate reference system as ``EPSG:…`` or WKT; None without coordinates.
        width: pixels.
        height: pixels.
    """

    name: str
    sha256: str
    date: date | None
    date_source: str
    gsd_m: float
    crs: str | None
    width: int
    height: int


@dataclass(frozen=True)
class NetworkFacts:
    """What is known about the network that looked.

    Attributes:
        name: of its weights.
        sha256: their checksum.
        runtime: what computed, with its precision, for example ``openvino bf16``.
    """

    name: str
    sha256: str
    runtime: str


@dataclass(frozen=True)
class ScanResult:
    """What :func:`inference.detect_changes.detect_changes` returns.

    Attributes:
        before: the earlier image.
        after: the later image.
        grid: common grid; its CRS is None when the scan is in pixels.
        resolution_m: side of a grid pixel on the ground, metres.
        alignment: how the earlier image was moved onto the later one.
        changes: what was found, numbered from 1.
        looked_at_m2: ground that was compared.
        not_looked_at_m2: ground inside the overlap that could not be compared, by reason.
        settings: what the scan worked with.
        weights_name: name of the network's weights.
        weights_sha256: their checksum.
        runtime: what computed, with its precision, for example ``openvino bf16``.
        threshold: probability from which a pixel counted as changed, by output.
        timings_s: wall seconds by part of the work; the only thing that differs when a scan is repeated.
    """

    before: SceneFacts
    after: SceneFacts
    grid: GeoBox
    resolution_m: float
    alignment: Alignment
    changes: tuple[Change, ...]
    looked_at_m2: float
    not_looked_at_m2: dict[str, float]
    settings: ScanSettings
    weights_name: str
    weights_sha256: str
    runtime: str
    threshold: dict[str, float]
    timings_s: dict[str, float]

    @property
    def placed(self) -> bool:
        """Whether the scan has coordinates on the earth."""
        return self.grid.crs is not None
