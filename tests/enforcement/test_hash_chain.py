from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import pytest

from enforcement.hash_chain import START, Row, canonical, link, verify

MOMENT = dt.datetime(2026, 11, 25, 1, 2, 3, 4, tzinfo=dt.UTC)


def chain(length: int) -> list[Row]:
    rows: list[Row] = []
    for n in range(1, length + 1):
        previous = rows[-1].hash if rows else START
        fields = {"sequence": n, "at": MOMENT, "why": f"因为 {n}", "evidence": {"m2": n / 3}}
        rows.append(Row(n, fields, previous, link(previous, fields)))
    return rows


def test_a_chain_as_it_was_written_is_whole() -> None:
    assert verify(chain(5)) is None
    assert verify([]) is None


@pytest.mark.parametrize("at", [1, 3, 5])
def test_a_changed_row_is_found(at: int) -> None:
    rows = chain(5)
    rows[at - 1] = rows[at - 1]._replace(fields={**rows[at - 1].fields, "why": "for another reason"})
    assert verify(rows) == at


@pytest.mark.parametrize("at", [1, 3, 4])
def test_a_removed_row_is_found(at: int) -> None:
    rows = chain(5)
    del rows[at - 1]
    assert verify(rows) == at


def test_a_removed_row_is_found_even_if_the_others_are_counted_anew() -> None:
    rows = chain(4)
    del rows[1]
    assert verify([row._replace(sequence=n) for n, row in enumerate(rows, 1)]) == 2


def test_a_changed_row_with_a_fitting_hash_breaks_the_one_after_it() -> None:
    rows = chain(3)
    fields = {**rows[1].fields, "why": "for another reason"}
    rows[1] = Row(2, fields, rows[1].previous_hash, link(rows[1].previous_hash, fields))
    assert verify(rows) == 3


def test_exchanged_rows_are_found() -> None:
    rows = chain(3)
    rows[1], rows[2] = rows[2], rows[1]
    assert verify(rows) == 2


def test_the_order_of_names_does_not_matter() -> None:
    assert link(START, {"a": 1, "b": {"c": 2, "d": 3}}) == link(START, {"b": {"d": 3, "c": 2}, "a": 1})


def test_a_moment_is_the_same_in_every_zone() -> None:
    east = MOMENT.astimezone(dt.timezone(dt.timedelta(hours=8)))
    assert canonical(east) == canonical(MOMENT) == b'"2026-11-25T01:02:03.000004+00:00"'


def test_the_hash_stays_what_it_was() -> None:
    # rows written by this version must verify in every later one
    fields = {"alert": "130131U2026110001", "sequence": 1, "at": MOMENT, "evidence": {"面积": 12.5}, "why": ""}
    assert link(START, fields) == "6ea2d3a2eb6791876aecde67056edb7f14ad5e493c55a123ea21eeb34979f4e8"


@dataclass
class Other:
    value: int


@pytest.mark.parametrize("value", [float("nan"), float("inf"), Other(1), dt.datetime(2026, 1, 1), {1, 2}])  # noqa: DTZ001
def test_what_has_no_one_text_is_refused(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        canonical({"value": value})
