"""Summary figures of a run's log files (:mod:`training.run_log`)."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True)
class RunFigures:
    """Summary of a training run.

    Attributes:
        rate: median pairs per second, including waiting.
        waited: share of the time that the network waited for samples.
        hours: total time of all steps, without validation.
        validation: step → folder → F1 at probability 0.5.
    """

    rate: float
    waited: float
    hours: float
    validation: dict[int, dict[str, float]]


def _rows(path: Path, step: int) -> list[dict[str, str]]:
    """Read the rows up to ``step``; an interrupted run may have written more after its last checkpoint."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["step"].isdigit() and int(row["step"]) <= step]


def read_run_figures(run: Path, batch: int, step: int) -> RunFigures | None:
    """Read ``log.csv`` and ``validation.csv`` of a run; None if there is no log.

    Args:
        run: folder of the run.
        batch: pairs per step.
        step: of the checkpoint.
    """
    steps = _rows(run / "log.csv", step)
    if not steps:
        return None
    rates = [float(row["pairs_per_second"]) for row in steps]
    seconds = [batch / rate if rate else 0.0 for rate in rates]
    waited = sum(float(row["waited"]) * took for row, took in zip(steps, seconds, strict=True))
    validation: dict[int, dict[str, float]] = {}
    for row in _rows(run / "validation.csv", step):
        validation.setdefault(int(row["step"]), {})[row["folder"]] = float(row["f1"])
    return RunFigures(median(rates), waited / (sum(seconds) or 1.0), sum(seconds) / 3600, validation)
