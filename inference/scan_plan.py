"""Scan plan: the common grid, radiometric normalization, registration and thresholds that all blocks share."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from configs.stage_clock import StageClock
from errors import NotComparable
from imagery import Scene
from inference.blocks import Block, plan_blocks
from inference.looks import choose_looks, choose_thresholds
from inference.pair import NormalizationTables, Pair, common_pair, measure_normalization
from inference.pair_reader import PairReader
from inference.progress import Progress
from inference.registration.measure import Alignment, AlignSettings, measure_alignment
from inference.settings import ScanSettings
from inference.visibility.hidden_ground import HiddenGround, measure_hidden_ground
from model.descriptor import shared_descriptor
from model.detector import Detector
from model.looks import Looks
from model.multi_scale import MultiScaleDetector


@dataclass(frozen=True)
class ScanPlan:
    """What every block of a scan needs.

    Attributes:
        pair: both dates on one grid.
        normalization: radiometric normalization of each date.
        alignment: registration of the earlier date to the later one.
        threshold: probability from which a pixel counts as changed, by output.
        smallest_px: area of the smallest fragment to keep, grid pixels, by output.
        looks: resolutions at which the network looks, and the calibration of its scores.
        hidden: ground that either date covers but does not show.
    """

    pair: Pair
    normalization: NormalizationTables
    alignment: Alignment
    threshold: dict[str, float]
    smallest_px: dict[str, float]
    looks: Looks
    hidden: HiddenGround

    @property
    def grid_shape(self) -> tuple[int, int]:
        """Rows and columns of the common grid."""
        rows, columns = self.pair.grid.shape
        return int(rows), int(columns)

    def blocks(self, detector: Detector, side: int) -> list[Block]:
        """Divide the grid into blocks of at most ``side`` pixels."""
        scales = MultiScaleDetector(detector, self.looks)
        return plan_blocks(self.grid_shape, side, scales.halo, scales.stride)

    def reader(self) -> PairReader:
        """Return a new reader of both dates, for use by one thread at a time."""
        return PairReader(self.pair, self.normalization, self.alignment, self.hidden)


def align_settings(settings: ScanSettings, resolution_m: float) -> AlignSettings:
    """Return the settings of the registration on a grid of ``resolution_m`` metres per pixel."""
    profile = settings.profile
    search_m = max(profile.search_m, settings.position_accuracy_m or 0.0)
    return AlignSettings(
        search_m=search_m,
        search_px=max(16.0, search_m / resolution_m),
        max_residual_px=profile.max_residual_px,
        max_rotation_deg=profile.max_rotation_deg,
        position_accuracy_m=settings.position_accuracy_m,
    )


def coregister(
    before: Scene,
    after: Scene,
    settings: ScanSettings,
    progress: Progress | None = None,
    clock: StageClock | None = None,
) -> PairReader:
    """Put both dates on one grid, measure normalization and registration, and return a reader of the result.

    Raises:
        NotComparable: the dates cannot be compared; the message says why.
    """
    clock = clock or StageClock()
    with clock.stage("common grid"):
        pair = common_pair(before, after, settings)

    def visibility() -> tuple[HiddenGround, NormalizationTables]:
        with clock.stage("hidden ground", side=True):
            hidden = measure_hidden_ground(pair)
        with clock.stage("radiometry", side=True):
            return hidden, measure_normalization(pair, hidden.visible)

    # neither needs the other, and each uses little more than one core
    with ThreadPoolExecutor(1, "visibility") as thread:
        measuring = thread.submit(visibility)
        with clock.stage("registration"):
            alignment = measure_alignment(
                pair.before,
                pair.after,
                pair.grid,
                align_settings(settings, pair.resolution_m),
                None if progress is None else lambda done: progress("align", done),
                shared_descriptor,
            )
        with clock.stage("waiting for hidden ground"):
            hidden, normalization = measuring.result()
        clock.remove_side_threads()
    if not alignment.usable:
        raise NotComparable(
            f"The earlier image {before.name} and the later one {after.name} cannot be registered: {alignment.reason}.",
            "pair.unaligned",
            before=before.name,
            after=after.name,
            why=alignment.reason,
        )
    return PairReader(pair, normalization, alignment, hidden)


def plan_scan(
    before: Scene,
    after: Scene,
    detector: Detector,
    settings: ScanSettings,
    progress: Progress | None = None,
    clock: StageClock | None = None,
) -> ScanPlan:
    """Coregister two dates and add what their blocks need besides: thresholds and smallest areas.

    Raises:
        NotComparable: the dates cannot be compared; the message says why.
    """
    reader = coregister(before, after, settings, progress, clock)
    pair = reader.pair
    minimum = settings.profile.min_area_m2
    # a margin below the minimum mapping unit: the exact area is only known once the outline is on the ellipsoid
    smallest = {
        "building": 0.8 * min(minimum.construction, minimum.demolition) / pair.pixel_area_m2,
        "ground": 0.8 * min(minimum.ground, minimum.demolition) / pair.pixel_area_m2,
    }
    gsd_m = max(before.gsd_m, after.gsd_m)
    looks = choose_looks(detector.weights, settings.profile, gsd_m, pair.resolution_m)
    threshold = choose_thresholds(detector.weights, settings.operating_point, gsd_m, settings.threshold)
    return ScanPlan(pair, reader.normalization, reader.alignment, threshold, smallest, looks, reader.hidden)
