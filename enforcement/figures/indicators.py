"""Figures of ``configs/indicators.yaml``: counts and shares with numerator and denominator, by area.

A share whose denominator is 0 has no value: it is neither 0 nor 100 %.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from enforcement.figures.conditions import Condition, Moment, condition_fault, meets
from enforcement.figures.fact_table import FactTable, Mask
from enforcement.settings import BilingualName, StrictModel, read_settings
from enforcement.units import MU_M2

Measure = Literal["alerts", "area", "farmland", "patrols"]
Part = Literal["of", "counted"]


class Counted(BilingualName):
    """A number of alerts; the fields are described in ``configs/indicators.yaml``."""

    of: tuple[Condition, ...] = ()
    measure: Measure = "alerts"
    worse: bool = False

    @field_validator("of", "counted", check_fields=False)
    @classmethod
    def _known(cls, conditions: tuple[Condition, ...]) -> tuple[Condition, ...]:
        for condition in conditions:
            if fault := condition_fault(condition):
                raise ValueError(fault)
        return conditions


class Indicator(Counted):
    """A share: of the alerts of ``of``, those that also meet ``counted``."""

    counted: tuple[Condition, ...] = ()
    direction: Literal["higher", "lower"] = "higher"
    target: Annotated[float, Field(ge=0, le=1)] = 1.0
    weight: Annotated[float, Field(ge=0, le=1000)] = 0.0
    levels: tuple[Literal["county", "township", "village"], ...] = ()
    help_zh: str = ""
    help_en: str = ""


class InterviewRule(BilingualName):
    """Why an area is proposed for an interview; the limit is a chain setting."""

    of: tuple[Condition, ...] = ()
    measure: Measure = "alerts"
    indicator: str = ""
    below: bool = True
    setting: str

    @model_validator(mode="after")
    def _one_of_both(self) -> InterviewRule:
        if bool(self.of) == bool(self.indicator):
            raise ValueError("an interview rule has either the conditions `of` or the name of an `indicator`")
        return self


class Figures(StrictModel):
    """All of ``configs/indicators.yaml``."""

    totals: dict[str, Counted]
    funnel: dict[str, Counted]
    trend: dict[str, Counted]
    indicators: dict[str, Indicator]
    false_alerts: str
    interview: dict[str, InterviewRule]

    @model_validator(mode="after")
    def _names_exist(self) -> Figures:
        named = [self.false_alerts, *(rule.indicator for rule in self.interview.values() if rule.indicator)]
        for name in named:
            if name not in self.indicators:
                raise ValueError(f"there is no indicator {name!r}")
        if not any(one.weight > 0 for one in self.indicators.values()):
            raise ValueError("no indicator has a weight, so that nothing can be ranked")
        return self

    def figure(self, name: str) -> Counted | None:
        """Return a figure by its name, like ``totals.open`` or ``indicators.corrected``; None: there is none."""
        group, _, key = name.partition(".")
        if group not in ("totals", "funnel", "trend", "indicators"):
            return None
        found: Counted | None = getattr(self, group).get(key)
        return found

    def ranked(self, level: str) -> dict[str, Indicator]:
        """Return the indicators with a weight, at a level of area."""
        return {
            name: one
            for name, one in self.indicators.items()
            if one.weight > 0 and (not one.levels or level in one.levels)
        }


@dataclass(frozen=True)
class Share:
    """An indicator of one area in one period.

    Attributes:
        numerator, denominator: numbers of alerts or of weeks, or mu.
    """

    numerator: float
    denominator: float

    @property
    def value(self) -> float | None:
        """The share; None: of nothing, there is none."""
        return self.numerator / self.denominator if self.denominator > 0 else None


NOTHING = Share(0, 0)


def mask_of(table: FactTable, figure: Counted, part: Part, moment: Moment) -> Mask:
    """Return the alerts of a figure; ``counted``: those of the numerator."""
    conditions = list(figure.of)
    if part == "counted" and isinstance(figure, Indicator):
        conditions += figure.counted
    return meets(table, conditions, moment)


def count(table: FactTable, figure: Counted, moment: Moment) -> int:
    """Return the number of alerts of a figure."""
    return int(mask_of(table, figure, "of", moment).sum())


def share(table: FactTable, indicator: Indicator, moment: Moment, only: Mapping[str, str] | None = None) -> Share:
    """Return an indicator of all alerts of a table, or only of those of a ``source`` or ``kind``."""
    weights = _weights(table, indicator.measure)
    limited = meets(table, [{name: value} for name, value in (only or {}).items()], moment)
    of, counted = (mask_of(table, indicator, part, moment) & limited for part in ("of", "counted"))
    return Share(_rounded(weights[counted].sum(), indicator), _rounded(weights[of].sum(), indicator))


def shares_by(
    table: FactTable, indicator: Indicator, moment: Moment, groups: NDArray[np.int64], size: int
) -> list[Share]:
    """Return an indicator of each group of alerts.

    Args:
        table: all alerts.
        indicator: not of patrols.
        moment: period and day.
        groups: number of each alert's group; negative: none.
        size: number of groups.
    """
    weights = _weights(table, indicator.measure)
    totals = []
    for part in ("counted", "of"):
        mask = mask_of(table, indicator, part, moment) & (groups >= 0)
        totals.append(np.bincount(groups[mask], weights[mask], minlength=size))
    return [Share(_rounded(a, indicator), _rounded(b, indicator)) for a, b in zip(*totals, strict=True)]


def counts_by(
    table: FactTable,
    conditions: tuple[Condition, ...],
    measure: Measure,
    moment: Moment,
    groups: NDArray[np.int64],
    size: int,
) -> list[float]:
    """Return how many alerts of each group meet conditions, or their area in mu."""
    weights = _weights(table, measure)
    mask = meets(table, conditions, moment) & (groups >= 0)
    return [round(float(one), 2) for one in np.bincount(groups[mask], weights[mask], minlength=size)]


def points(indicator: Indicator, value: float | None) -> float | None:
    """Return the share of the weight that a value earns, 0…1; None: it has no value and does not count."""
    if value is None:
        return None
    if indicator.direction == "higher":
        return min(1.0, value / indicator.target) if indicator.target > 0 else 1.0
    if value <= indicator.target:
        return 1.0
    return max(0.0, 1 - (value - indicator.target) / (1 - indicator.target)) if indicator.target < 1 else 1.0


def _weights(table: FactTable, measure: Measure) -> NDArray[np.float64]:
    if measure == "area":
        return table.area_m2 / MU_M2
    return table.farmland_m2 / MU_M2 if measure == "farmland" else np.ones(len(table))


def _rounded(value: Any, indicator: Counted) -> float:
    return round(float(value), 2) if indicator.measure in ("area", "farmland") else round(float(value))


@cache
def read_figures(path: Path = Path("indicators.yaml")) -> Figures:
    """Read ``configs/indicators.yaml``, once per process.

    Raises:
        SettingsError: the file is invalid.
    """
    return read_settings(path, Figures)
