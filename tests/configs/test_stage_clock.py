"""Each stage gets its own wall and CPU seconds, also while threads work beside each other."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from configs.stage_clock import StageClock, StageTime, stage_part, wall_seconds


def _compute(cpu_s: float) -> None:
    """Use ``cpu_s`` seconds of CPU time in this thread."""
    end = time.thread_time() + cpu_s
    while time.thread_time() < end:
        sum(range(1000))


def test_a_stage_counts_cpu_time_and_no_waiting():
    clock = StageClock()
    with clock.stage("computing"):
        _compute(0.1)
    with clock.stage("waiting"):
        time.sleep(0.1)
    assert clock.stages["computing"].cpu_s == pytest.approx(0.1, abs=0.05)
    assert clock.stages["waiting"].cpu_s < 0.03
    assert clock.stages["waiting"].wall_s >= 0.1


def test_the_main_thread_counts_the_helpers_of_its_libraries_but_not_the_side_threads():
    clock = StageClock()

    def read() -> None:
        with clock.stage("reading", side=True):
            _compute(0.3)

    with ThreadPoolExecutor(1) as side:
        reading = side.submit(read)
        with clock.stage("network"):
            helper = threading.Thread(target=_compute, args=(0.2,))  # like a thread of a runtime
            helper.start()
            _compute(0.1)
            helper.join()
        reading.result()
        clock.remove_side_threads()
    assert clock.stages["reading"].side
    assert clock.stages["reading"].cpu_s == pytest.approx(0.3, abs=0.1)
    assert clock.stages["network"].cpu_s == pytest.approx(0.3, abs=0.1)


def test_parts_belong_to_the_stage_of_their_thread():
    clock = StageClock()
    with stage_part("decode"):  # outside of a stage: not measured
        pass
    with clock.stage("registration"):
        with stage_part("decode"):
            _compute(0.05)
        _compute(0.05)
    with clock.stage("hidden ground"), stage_part("decode"):
        pass
    registration = clock.stages["registration"]
    assert registration.parts["decode"].cpu_s == pytest.approx(0.05, abs=0.04)
    assert registration.cpu_s > registration.parts["decode"].cpu_s + 0.03
    assert list(clock.stages["hidden ground"].parts) == ["decode"]


def _fail_in(clock: StageClock) -> None:
    with clock.stage("network"):
        time.sleep(0.02)
        raise OSError("failed")


def test_a_stage_that_fails_is_measured_and_repeated_stages_add_up():
    clock = StageClock()
    for _ in range(2):
        with pytest.raises(OSError, match="failed"):
            _fail_in(clock)
    assert clock.stages["network"].wall_s >= 0.04


def test_wall_seconds_leave_out_side_threads_and_add_up_to_the_total():
    stages = {
        "open": StageTime(1.0, 1.0),
        "reading": StageTime(5.0, 4.0, side=True),
        "network": StageTime(3.0, 6.0, parts={"at 0.50 m": StageTime(2.0, 4.0)}),
    }
    assert wall_seconds(stages) == {"open": 1.0, "network": 3.0, "network at 0.50 m": 2.0, "total": 4.0}


def test_a_record_is_plain_json():
    stage = StageTime(1.23456, 2.0, side=True, parts={"decode": StageTime(0.5, 0.25)})
    assert json.loads(json.dumps(stage.record())) == {
        "wall_s": 1.235,
        "cpu_s": 2.0,
        "side_thread": True,
        "parts": {"decode": {"wall_s": 0.5, "cpu_s": 0.25}},
    }


def test_measuring_a_stage_costs_less_than_a_tenth_of_a_millisecond():
    clock = StageClock()
    begin = time.thread_time()
    for _ in range(1000):
        with clock.stage("reading"), stage_part("decode"):
            pass
    assert time.thread_time() - begin < 0.1
