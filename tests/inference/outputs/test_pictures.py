"""Pictures are drawn in parallel, in an order that reads neighbours together, and the same by any number of threads."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from shapely.geometry import box

from inference.outputs.pictures import AHEAD, draw_pictures, in_reading_order, parallel_map


def test_results_come_in_the_order_of_the_items():
    def slow_first(item: int) -> int:
        time.sleep(0.02 if item == 0 else 0)
        return item * 10

    assert list(parallel_map(slow_first, range(30), 4)) == [item * 10 for item in range(30)]


def test_only_a_few_items_are_taken_ahead():
    taken = []

    def items():
        for item in range(1000):
            taken.append(item)
            yield item

    results = parallel_map(lambda item: item, items(), 2)
    next(results)
    assert len(taken) <= 2 * AHEAD + 1
    results.close()


def test_after_an_error_no_thread_works_any_more():
    before, done = threading.active_count(), []

    def fail_at_three(item: int) -> None:
        if item == 3:
            raise OSError("disk full")
        time.sleep(0.01)
        done.append(item)

    with pytest.raises(OSError, match="disk full"):
        list(parallel_map(fail_at_three, range(1000), 2))
    count = len(done)
    time.sleep(0.05)
    assert len(done) == count < 30
    assert threading.active_count() == before


def test_neighbours_are_read_one_after_the_other(make_scan):
    change = make_scan(kinds=("ground",)).changes[0]
    grid = GeoBox((4096, 8192), Affine(0.5, 0, 0, 0, -0.5, 0), "EPSG:32650")
    # in the first row of squares: one on the left, one far right, another one on the left
    places = [(10, -10), (3000, -20), (30, -30), (10, -900)]
    changes = [replace(change, number=n, polygon=box(x, y - 5, x + 5, y)) for n, (x, y) in enumerate(places, 1)]
    assert [one.number for one in in_reading_order(changes, grid)] == [1, 3, 2, 4]


def test_pictures_of_one_change_are_the_same_by_any_number_of_threads(make_scan, painted):
    result = make_scan(kinds=("construction", "ground", "demolition"), shift=(4.0, 6.0))
    image = painted([(500_010.0, 3_318_780.0)])

    def draw(change):
        return draw_pictures(result, image, image, change).thumbnails

    alone, together = (list(parallel_map(draw, result.changes, threads)) for threads in (1, 3))
    assert alone == together
    assert set(alone[0]) == {"before", "after"}
