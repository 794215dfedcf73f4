"""Ranking of areas by weighted indicators, and proposals for interviews, by ``configs/indicators.yaml``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from enforcement.chain_settings import ChainValues
from enforcement.figures.conditions import Moment
from enforcement.figures.fact_table import FactTable
from enforcement.figures.indicators import (
    NOTHING,
    Figures,
    Indicator,
    InterviewRule,
    Share,
    counts_by,
    points,
    shares_by,
)

Level = Literal["county", "township", "village"]
DIGITS: Mapping[Level, int] = {"county": 6, "township": 9, "village": 12}
"""Digits of the administrative code of each level that is ranked."""


@dataclass(frozen=True)
class InterviewReason:
    """Why an area is proposed for an interview: rule of ``configs/indicators.yaml``, value, and limit."""

    rule: str
    value: float
    limit: float


@dataclass(frozen=True)
class AreaRank:
    """An area in the ranking.

    Attributes:
        code, name: of the area.
        rank: 1 is the best; equal scores share one; None: nothing could be counted.
        score: 0…100 of the weights of the indicators that have a value.
        shares: all indicators, by name.
        points: what each ranked indicator earned, 0…its weight; None: it has no value.
        found, confirmed: alerts of the period.
        confirmed_mu: area of the confirmed ones, mu.
        interview: reasons for an interview; none: it is not proposed.
    """

    code: str
    name: str
    rank: int | None
    score: float | None
    shares: Mapping[str, Share]
    points: Mapping[str, float | None]
    found: int
    confirmed: int
    confirmed_mu: float
    interview: tuple[InterviewReason, ...] = field(default=())


@dataclass(frozen=True)
class Ranking:
    """Areas of one level, the best first; those without a rank at the end, by code."""

    level: Level
    moment: Moment
    areas: tuple[AreaRank, ...]


def rank_areas(
    table: FactTable,
    figures: Figures,
    moment: Moment,
    areas: Sequence[tuple[str, str]],
    level: Level,
    patrols: Callable[[str], Share],
    values: ChainValues,
) -> Ranking:
    """Rank areas.

    Args:
        table: alerts of all of them.
        figures: definitions and weights.
        moment: period and day.
        areas: code and name.
        level: of all of them.
        patrols: share of the weeks with enough patrols, by code.
        values: limits of the interviews.
    """
    numbers, known = table.area_numbers(DIGITS[level])
    place = {code: number for number, (code, _) in enumerate(areas)}
    to_place = np.array([place.get(code, -1) for code in known], np.int64)
    groups = np.where(numbers >= 0, to_place[numbers] if len(to_place) else -1, -1)
    size = len(areas)
    shares: dict[str, list[Share]] = {}
    for name, indicator in figures.indicators.items():
        if indicator.measure == "patrols":
            shares[name] = [patrols(code) for code, _ in areas]
        else:
            shares[name] = shares_by(table, indicator, moment, groups, size)
    found = counts_by(table, ("found",), "alerts", moment, groups, size)
    confirmed = counts_by(table, ("confirmed",), "alerts", moment, groups, size)
    confirmed_mu = counts_by(table, ("confirmed",), "area", moment, groups, size)
    ranked = figures.ranked(level)
    rows = [
        _area(code, name, {key: column[i] for key, column in shares.items()}, ranked)
        for i, (code, name) in enumerate(areas)
    ]
    rows = [
        replace(row, found=int(found[i]), confirmed=int(confirmed[i]), confirmed_mu=confirmed_mu[i])
        for i, row in enumerate(rows)
    ]
    reasons: list[list[InterviewReason]] = [[] for _ in rows]
    for rule_name, rule in figures.interview.items():
        measured = counts_by(table, rule.of, rule.measure, moment, groups, size) if rule.of else []
        for number, reason in _reasons(rule_name, rule, rows, measured, confirmed, values):
            reasons[number].append(reason)
    rows = [replace(row, interview=tuple(found_reasons)) for row, found_reasons in zip(rows, reasons, strict=True)]
    return Ranking(level, moment, tuple(_in_order(rows)))


def _area(code: str, name: str, shares: Mapping[str, Share], ranked: Mapping[str, Indicator]) -> AreaRank:
    earned: dict[str, float | None] = {}
    for key, indicator in ranked.items():
        part = points(indicator, shares.get(key, NOTHING).value)
        earned[key] = None if part is None else round(part * indicator.weight, 2)
    weight = sum(ranked[key].weight for key, part in earned.items() if part is not None)
    total = sum(part for part in earned.values() if part is not None)
    score = round(100 * total / weight, 1) if weight > 0 else None
    return AreaRank(code, name, None, score, shares, earned, 0, 0, 0.0)


def _in_order(rows: Sequence[AreaRank]) -> list[AreaRank]:
    ordered = sorted(rows, key=lambda row: (row.score is None, -(row.score or 0.0), row.code))
    found: list[AreaRank] = []
    for number, row in enumerate(ordered, 1):
        if row.score is None:
            found.append(row)
        elif found and found[-1].score == row.score:
            found.append(replace(row, rank=found[-1].rank))
        else:
            found.append(replace(row, rank=number))
    return found


def _reasons(
    name: str,
    rule: InterviewRule,
    rows: Sequence[AreaRank],
    measured: Sequence[float],
    confirmed: Sequence[float],
    values: ChainValues,
) -> list[tuple[int, InterviewReason]]:
    least = values.whole("figures.interview_least")
    if rule.of:
        top = values.whole(rule.setting)
        # an area with few alerts is not proposed, however high it stands
        eligible = [number for number in range(len(rows)) if measured[number] > 0 and confirmed[number] >= least]
        eligible.sort(key=lambda number: -measured[number])
        last = measured[eligible[min(top, len(eligible)) - 1]] if eligible and top > 0 else float("inf")
        return [
            (number, InterviewReason(name, measured[number], top)) for number in eligible if measured[number] >= last
        ]
    limit = values.number(rule.setting) / 100
    if limit <= 0:
        return []
    found = []
    for number, row in enumerate(rows):
        share = row.shares[rule.indicator]
        value = share.value
        if value is None or confirmed[number] < least:
            continue
        if value < limit if rule.below else value >= limit:
            found.append((number, InterviewReason(name, value, limit)))
    return found
