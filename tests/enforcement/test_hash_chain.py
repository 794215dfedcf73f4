from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import pytest

from enforcement.hash_chain import GENESIS_HASH, Row, canonical_json, row_hash, verify

TIME = dt.datetime(2026, 11, 25, 1, 2, 3, 4, tzinfo=dt.UTC)


def chain(length: int) -> list[Row]:
    rows: list[Row] = []
    for n in range(1, length + 1):
        previous = rows[-1].hash if rows else GENESIS_HASH
        fields = {"sequence": n, "at": TIME, "why": f"因为 {n}", "evidence": {"m2": n / 3}}
        rows.append(Row(n, fields, previous, row_hash(previous, fields)))
    return rows


def test_unchanged_chain_is_consistent() -> None:
    assert verify(chain(5)) is None
    assert verify([]) is None


@pytest.mark.parametrize("at", [1, 3, 5])
def test_changed_row_is_detected(at: int) -> None:
    rows = chain(5)
    rows[at - 1] = rows[at - 1]._replace(fields={**rows[at - 1].fields, "why": "for another reason"})
    assert verify(rows) == at


@pytest.mark.parametrize("at", [1, 3, 4])
def test_removed_row_is_detected(at: int) -> None:
    rows = chain(5)
    del rows[at - 1]
    assert verify(rows) == at


def test_removed_row_is_detected_even_if_the_others_are_renumbered() -> None:
    rows = chain(4)
    del rows[1]
    assert verify([row._replace(sequence=n) for n, row in enumerate(rows, 1)]) == 2


def test_changed_row_with_a_recomputed_hash_breaks_the_next_row() -> None:
    rows = chain(3)
    fields = {**rows[1].fields, "why": "for another reason"}
    rows[1] = Row(2, fields, rows[1].previous_hash, row_hash(rows[1].previous_hash, fields))
    assert verify(rows) == 3


def test_swapped_rows_are_detected() -> None:
    rows = chain(3)
    rows[1], rows[2] = rows[2], rows[1]
    assert verify(rows) == 2


def test_order_of_keys_does_not_matter() -> None:
    assert row_hash(GENESIS_HASH, {"a": 1, "b": {"c": 2, "d": 3}}) == row_hash(
        GENESIS_HASH, {"b": {"d": 3, "c": 2}, "a": 1}
    )


def test_hash_does_not_depend_on_the_time_zone() -> None:
    east = TIME.astimezone(dt.timezone(dt.timedelta(hours=8)))
    assert canonical_json(east) == canonical_json(TIME) == b'"2026-11-25T01:02:03.000004+00:00"'


def test_hash_is_stable_across_versions() -> None:
    # rows written by this version have to verify in all later versions
    fields = {"alert": "130131U2026110001", "sequence": 1, "at": TIME, "evidence": {"面积": 12.5}, "why": ""}
    assert row_hash(GENESIS_HASH, fields) == "6ea2d3a2eb6791876aecde67056edb7f14ad5e493c55a123ea21eeb34979f4e8"


@dataclass
class Other:
    value: int


@pytest.mark.parametrize("value", [float("nan"), float("inf"), Other(1), dt.datetime(2026, 1, 1), {1, 2}])  # noqa: DTZ001
def test_values_without_canonical_json_raise(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        canonical_json({"value": value})
