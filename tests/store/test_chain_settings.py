"""Chain settings: typed definitions with defaults; changes are kept, checked, audited and can be taken back."""

from __future__ import annotations

import datetime as dt

import pytest

from enforcement.chain_settings import ChainSetting, ChainValues, read_chain_definitions
from errors import SettingsError
from store.access.audit_log import actions_about
from store.chain_settings import change_chain_setting, changes_of, read_chain_values
from store.schema.database import Database

NOW = dt.datetime(2026, 11, 29, 12, 0, tzinfo=dt.UTC)
KEY = "steps.bulk_most"


def test_a_change_overrides_the_default_and_is_logged(each_database: Database) -> None:
    with each_database.write() as session:
        assert read_chain_values(session).whole(KEY) == 100
        assert change_chain_setting(session, KEY, 50, who="zhang", now=NOW)
        assert not change_chain_setting(session, KEY, 50, who="zhang", now=NOW)
    with each_database.write() as session:
        assert read_chain_values(session).whole(KEY) == 50
        assert change_chain_setting(session, KEY, None, who="li", now=NOW)
        assert read_chain_values(session).whole(KEY) == 100
        assert [(row.who, row.value) for row in changes_of(session, KEY)] == [("li", None), ("zhang", 50)]
        assert [action.detail for action in actions_about(session, KEY)] == [
            {"from": 50, "to": 100},
            {"from": 100, "to": 50},
        ]


@pytest.mark.parametrize(
    ("kind", "given"),
    [("whole", "1.5"), ("whole", "0"), ("whole", "99"), ("number", "nan"), ("flag", "maybe"), ("choice", "c"),
     ("text", "25:00"), ("text", "x" * 300)],
)  # fmt: skip
def test_a_value_out_of_range_is_refused_with_what_is_expected(kind: str, given: str) -> None:
    setting = ChainSetting.model_validate(
        {
            "kind": kind,
            "zh": "名",
            "en": "Name",
            "default": {"whole": 5, "number": 5.0, "flag": True, "choice": "a", "text": "08:00"}[kind],
            "least": 1,
            "most": 10,
            "choices": {"a": {"zh": "甲", "en": "A"}},
            "pattern": "([01][0-9]|2[0-3]):[0-5][0-9]" if kind == "text" else "",
        }
    )
    with pytest.raises(SettingsError, match="expected"):
        setting.parse("x.y", given)


def test_a_stored_value_that_is_no_longer_allowed_falls_back_to_the_default() -> None:
    assert ChainValues({KEY: 10_000}).whole(KEY) == read_chain_definitions()[KEY].default
    with pytest.raises(SettingsError, match="no chain setting"):
        ChainValues().value("steps.unknown")
