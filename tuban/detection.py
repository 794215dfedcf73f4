"""Open two images of one place, detect what changed, and write the results."""

from __future__ import annotations

import datetime as dt
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import imagery
from configs.stage_clock import StageClock
from errors import NotComparable, SettingsError
from imagery import Scene
from inference import detect_changes as scanning
from inference.changes import Change
from inference.outputs.probability_raster import ProbabilityRaster
from inference.outputs.vector_files import FIELDS, attributes
from inference.outputs.write import check_output, write_not_comparable, write_outputs
from inference.pair import Pair, common_pair
from inference.scan_result import ScanResult as ScanDetails
from inference.settings import AUTO, ScanConfig, ScanSettings, read_config, settings_for
from model.calibration import OperatingPoint
from model.detector import Detector

if TYPE_CHECKING:
    import geopandas

ImagePath = str | os.PathLike[str]
Progress = Callable[[str, float], None]
"""Called with the step ("align", "scan" or "pictures") and the share of it that is done, 0…1."""

_CONFIG = Path("profiles.yaml")


class ScanResult:
    """Changes between two dates, and how they were found.

    Attributes:
        details: everything the scan recorded: grid, registration, areas, settings, weights, timings.
    """

    def __init__(self, details: ScanDetails, pair: Pair, probability: ProbabilityRaster | None = None) -> None:
        """Made by :func:`detect_changes`."""
        self.details = details
        self._pair = pair
        self._probability = probability
        self._opened: tuple[Scene, ...] = ()

    @property
    def changes(self) -> tuple[Change, ...]:
        """Polygons in the coordinate system of the scan, numbered from 1, with kind, score and area."""
        return self.details.changes

    def to_geodataframe(self) -> geopandas.GeoDataFrame:
        """Return one row per change: number, kind, score, area in m² and mu, centre, dates, image names, polygon.

        The coordinate system is that of the scan; None where the images have no coordinates (pixels of the later one).

        Raises:
            SettingsError: geopandas is not installed (``pip install 'tuban[geopandas]'``).
        """
        try:
            import geopandas
        except ImportError as error:
            raise SettingsError("to_geodataframe() needs geopandas: pip install 'tuban[geopandas]'.") from error
        rows = [{**attributes(change, self.details), "geometry": change.polygon} for change in self.changes]
        crs = self.details.grid.crs
        return geopandas.GeoDataFrame(
            rows, columns=[*FIELDS, "geometry"], geometry="geometry", crs=None if crs is None else crs.to_wkt()
        )

    def write(self, folder: ImagePath, progress: Progress | None = None) -> Path:
        """Write changes.geojson, changes.gpkg, thumbnails/, report.html, scan.json and, if kept, probability.tif.

        Args:
            folder: missing, empty, or the results of an earlier scan, which are replaced in one step at the end.
            progress: called with ``pictures`` and the share of the pictures that is drawn.

        Returns:
            the folder.

        Raises:
            OutputError: the folder holds other files or cannot be written.
            ImageError: pixels for the pictures cannot be read; the scenes must still be open.
        """
        out = Path(folder)
        probability = None if self._probability is None else self._probability.finish()
        sources = self._pair.before, self._pair.after
        write_outputs(self.details, *sources, out, probability=probability, progress=progress)
        self._drop_probability()
        return out

    def close(self) -> None:
        """Close the scenes that :func:`detect_changes` opened, and delete scratch files."""
        self._drop_probability()
        for scene in self._opened:
            scene.close()

    def _drop_probability(self) -> None:
        if self._probability is not None:
            self._probability.discard()
            self._probability = None

    def __enter__(self) -> Self:
        """Return the result itself; :meth:`close` is called at the end."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close."""
        self.close()

    def __repr__(self) -> str:
        """Name both images and the number of changes."""
        details = self.details
        return f"<ScanResult {details.before.name} → {details.after.name}: {len(self.changes)} changes>"


def open_scene(
    path: ImagePath,
    *,
    gsd: float | None = None,
    bands: Sequence[int] | None = None,
    crs: str | None = None,
    date: dt.date | None = None,
    config: Path = _CONFIG,
) -> Scene:
    """Open an image: GeoTIFF, JPEG, PNG, JPEG 2000 or WebP. Untrusted files are safe to open.

    Args:
        path: of the file.
        gsd: metres per pixel, for an image without coordinates.
        bands: numbers of red, green and blue from 1, where the file does not name them.
        crs: like "EPSG:4547", for a file whose coordinates lack their system.
        date: day of acquisition, where the file does not have it.
        config: settings file with the profiles; an image much finer than all of them gets overviews once.

    Raises:
        ImageError: what was found, what was expected and what to do.
    """
    finest = min(profile.resolution_m for profile in read_config(config).profiles.values())
    return imagery.open_scene(path, gsd=gsd, bands=bands, crs=crs, date=date, resolution=finest)


def detect_changes(
    before: Scene | ImagePath,
    after: Scene | ImagePath,
    *,
    weights: str | None = None,
    profile: str = AUTO,
    weights_folder: Path | None = None,
    runtime: str | None = None,
    threads: int | None = None,
    block_px: int | None = None,
    operating_point: OperatingPoint | None = None,
    position_accuracy_m: float | None = None,
    search_m: float | None = None,
    max_rotation_deg: float | None = None,
    keep_probability: bool = False,
    scratch: Path | None = None,
    config: Path = _CONFIG,
    progress: Progress | None = None,
) -> ScanResult:
    """Compare two dates of one place.

    Args:
        before: the earlier image, as a path or an open scene.
        after: the later image; the changes get its geometry.
        weights: name of the network's weights; those of the settings by default.
        profile: kind of imagery: drone, aerial, satellite, medium; auto chooses by resolution.
        weights_folder: folder of weights that do not ship with Tuban.
        runtime: openvino, torch-cpu or torch-cuda; by default what suits the machine.
        threads: to compute with; all cores by default.
        block_px: side of a block in pixels; a smaller one needs less memory; polygons hardly differ.
        operating_point: thresholds of the weights: inspect (few false alarms) or all (finds more); by default that of
            the settings.
        position_accuracy_m: accuracy of the coordinates of both images towards each other, in metres, if it is known: a
            pair that cannot be registered is then compared as georeferenced, with a lower confidence.
        search_m: largest offset between the images before registration, in metres; by default that of the profile.
        max_rotation_deg: largest rotation between them; likewise.
        keep_probability: also keep the network's probabilities, for :meth:`ScanResult.write`.
        scratch: folder for scratch files; the system's by default.
        config: settings file with the profiles.
        progress: called while it works.

    Returns:
        the result. It closes the images that were given as paths (:meth:`ScanResult.close`, or ``with``).

    Raises:
        ImageError: an image cannot be opened or read.
        NotComparable: no overlap, too different in scale, or not registrable; never the same as "nothing changed".
        SettingsError: a profile or a runtime of that name does not exist.
        WeightsError: the weights cannot be used.
    """
    given = {
        "block_px": block_px,
        "operating_point": operating_point,
        "position_accuracy_m": position_accuracy_m,
        "search_m": search_m,
        "max_rotation_deg": max_rotation_deg,
    }
    opened: list[Scene] = []
    raster: ProbabilityRaster | None = None
    try:
        # before the weights are loaded: a damaged file is reported at once
        earlier, later = (_opened(image, config, opened) for image in (before, after))
        settings_file = read_config(config)
        settings = _settings(settings_file, profile, earlier, later, given)
        where = {} if weights_folder is None else {"folder": weights_folder}
        clock = StageClock()
        with clock.stage("weights"):
            detector = Detector(weights or settings_file.weights, runtime=runtime, threads=threads, **where)
        if keep_probability:
            raster = ProbabilityRaster(scratch or Path(tempfile.gettempdir()) / "scan")
        sink = raster.open if raster else None
        details = scanning.detect_changes(earlier, later, detector, settings, progress, sink, clock)
        result = ScanResult(details, common_pair(earlier, later, settings), raster)
    except BaseException:
        if raster is not None:
            raster.discard()
        for scene in opened:
            scene.close()
        raise
    result._opened = tuple(opened)
    return result


def scan_to_folder(
    before: Scene,
    after: Scene,
    folder: ImagePath,
    *,
    weights: str | None = None,
    profile: str = AUTO,
    weights_folder: Path | None = None,
    runtime: str | None = None,
    threads: int | None = None,
    block_px: int | None = None,
    operating_point: OperatingPoint | None = None,
    position_accuracy_m: float | None = None,
    search_m: float | None = None,
    max_rotation_deg: float | None = None,
    keep_probability: bool = False,
    config: Path = _CONFIG,
    progress: Progress | None = None,
) -> ScanResult:
    """Detect changes and write them to a folder, which is checked first.

    Args: as of :func:`detect_changes` and :meth:`ScanResult.write`.

    Raises:
        NotComparable: the folder then holds scan.json with the reason.
        OutputError: the folder holds other files or cannot be written.
        ImageError, SettingsError, WeightsError: as :func:`detect_changes`.
    """
    out = Path(folder)
    check_output(out)
    given = {
        "block_px": block_px,
        "operating_point": operating_point,
        "position_accuracy_m": position_accuracy_m,
        "search_m": search_m,
        "max_rotation_deg": max_rotation_deg,
    }
    settings = _settings(read_config(config), profile, before, after, given)
    try:
        result = detect_changes(
            before,
            after,
            weights=weights,
            profile=profile,
            weights_folder=weights_folder,
            runtime=runtime,
            threads=threads,
            block_px=block_px,
            operating_point=operating_point,
            position_accuracy_m=position_accuracy_m,
            search_m=search_m,
            max_rotation_deg=max_rotation_deg,
            keep_probability=keep_probability,
            scratch=out,
            config=config,
            progress=progress,
        )
    except NotComparable as outcome:
        facts = scanning.scene_facts(before), scanning.scene_facts(after)
        write_not_comparable(out, str(outcome), *facts, settings=settings)
        raise
    try:
        result.write(out, progress)
    finally:
        result.close()
    return result


def _opened(image: Scene | ImagePath, config: Path, opened: list[Scene]) -> Scene:
    """Return an open scene; one that is opened here is added to ``opened``."""
    if isinstance(image, Scene):
        return image
    scene = open_scene(image, config=config)
    opened.append(scene)
    return scene


def _settings(
    config: ScanConfig,
    profile: str,
    before: Scene,
    after: Scene,
    given: Mapping[str, object],
) -> ScanSettings:
    changed = {name: value for name, value in given.items() if value is not None}
    return settings_for(config, profile, max(before.gsd_m, after.gsd_m), **changed)
