"""Pictures of all changes of a scan, drawn in parallel."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from odc.geo.geobox import GeoBox

from configs.machine import usable_cores
from inference.changes import Change
from inference.outputs.crop_evidence import Evidence, close_up, crop_evidence
from inference.outputs.thumbnails import SIDE_PX, thumbnail
from inference.raster_source import RasterSource
from inference.scan_result import ScanResult

MOST_THREADS = 8
"""More threads would wait for the files, which one thread at a time decodes."""

AHEAD = 4
"""Pictures per thread that are drawn before they are asked for; bounds the memory."""

NEAR_PX = 1024
"""Side, in grid pixels, of the squares whose pictures are drawn one after the other: they share decoded tiles."""

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class ChangePictures:
    """Pictures of one change.

    Attributes:
        change: the change.
        crop: the window of both dates.
        thumbnails: JPEG by date, ``before`` and ``after``.
    """

    change: Change
    crop: Evidence
    thumbnails: dict[str, bytes]


def draw_pictures(result: ScanResult, before: RasterSource, after: RasterSource, change: Change) -> ChangePictures:
    """Read both dates around a change and draw its thumbnails; thread-safe as far as the sources are.

    Raises:
        ImageError: pixels cannot be read.
    """
    crop = crop_evidence(result, before, after, close_up(result, change, SIDE_PX))
    dates = (("before", crop.before, result.before), ("after", crop.after, result.after))
    return ChangePictures(
        change,
        crop,
        {
            when: thumbnail(picture, crop.view, change.polygon, change.kind, change.number, when, facts.date)
            for when, picture, facts in dates
        },
    )


def in_reading_order(changes: Sequence[Change], grid: GeoBox) -> list[Change]:
    """Return changes sorted by squares of :data:`NEAR_PX`, so that neighbours are read one after the other."""
    to_grid = ~grid.affine

    def square(change: Change) -> tuple[int, int, int]:
        left, _, _, top = change.polygon.bounds
        column, row = to_grid @ (left, top)
        return int(row // NEAR_PX), int(column // NEAR_PX), change.number

    return sorted(changes, key=square)


def parallel_map(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int | None = None
) -> Iterator[Result]:
    """Apply a function to items in threads; yield the results in the order of the items.

    At an error, an interrupt or the end of the iteration, what has not begun is cancelled and what runs is waited for:
    afterwards no thread works any more.

    Args:
        function: thread-safe.
        items: any number; only :data:`AHEAD` per thread are held at once.
        threads: number of threads; None: one per available core, at most :data:`MOST_THREADS`.
    """
    count = threads or min(MOST_THREADS, usable_cores())
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(count, "pictures") as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > AHEAD * count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
