"""Values of documents: numbers, dates, masked identities, the hint at a transfer, and what people may enter."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import pytest

from enforcement.documents.kinds import read_documents
from enforcement.documents.numbers import blank_number, document_number
from enforcement.documents.sample import ALERT, BUREAU
from enforcement.documents.values import (
    Issue,
    alert_values,
    check_data,
    chinese_date,
    degrees_minutes_seconds,
    mask_identity,
    missing_fields,
    proposed_data,
    template_values,
    transfer_hint,
)
from errors import SettingsError

SETTINGS = read_documents()
STOP = SETTINGS.kinds["stop_notice"]
POLICE = SETTINGS.kinds["police_transfer"]
MU = 10000 / 15


def test_a_number_follows_the_scheme_of_its_kind() -> None:
    assert document_number(STOP, "浙某自然资", 2026, 12) == "浙某自然资停〔2026〕12号"
    assert blank_number(STOP, "浙某自然资", 2026) == "浙某自然资停〔2026〕　　号"


def test_every_kind_has_a_series_of_its_own() -> None:
    series = [kind.series for kind in SETTINGS.kinds.values()]
    assert len(set(series)) == len(series)


def test_dates_places_and_identities() -> None:
    assert chinese_date(dt.date(2026, 1, 3)) == "2026年1月3日"
    assert degrees_minutes_seconds(120.0875, 30.264999999) == "东经120°05′15″，北纬30°15′54″"
    assert mask_identity("91330106MA2XXXX12Q") == "9133************2Q"
    assert mask_identity("12345678") == "********"


def test_a_published_document_masks_identity_numbers_and_others_do_not() -> None:
    data = {"party_code": "330106199001011234"}
    values = alert_values(SETTINGS, ALERT, BUREAU)
    listed = template_values(SETTINGS, SETTINGS.kinds["blacklist_entry"], values, data, Issue("x"))
    assert listed["party_code"] == listed["证件号码脱敏"] == "3301************34"
    assert template_values(SETTINGS, STOP, values, data, Issue("x"))["party_code"] == data["party_code"]


@pytest.mark.parametrize(
    ("basic", "farmland", "expected"),
    [(5 * MU, 5 * MU, True), (4.99 * MU, 9 * MU, False), (0, 10 * MU, True), (4 * MU, 13.9 * MU, False)],
)
def test_a_transfer_is_hinted_at_from_the_areas_of_the_settings(basic: float, farmland: float, expected: bool) -> None:
    assert bool(transfer_hint(basic, farmland, 5, 10)) is expected


def test_fields_are_accepted_by_both_names_and_cleaned() -> None:
    data = check_data(SETTINGS, STOP, {"当事人": " 张三\x00\x07 ", "officer_a": "李\n四", "act": "一\r\n二"})
    assert data == {"party": "张三", "officer_a": "李 四", "act": "一\n二"}


@pytest.mark.parametrize(
    "given",
    [
        {"nothing": "x"},
        {"filled": {}},
        {"party": "x" * 101},
        {"enclosures": [{"name": f"{n}"} for n in range(31)]},
    ],
)
def test_what_does_not_fit_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        check_data(SETTINGS, STOP, given)


def test_a_date_has_to_be_one() -> None:
    with pytest.raises(SettingsError, match="not a date"):
        check_data(SETTINGS, SETTINGS.kinds["correction_order"], {"correct_by": "soon"})


def test_proposed_words_do_not_mention_what_is_not_known() -> None:
    known = proposed_data(SETTINGS, STOP, ALERT, BUREAU)
    unknown = proposed_data(SETTINGS, STOP, dataclasses.replace(ALERT, after_on=None), BUREAU)
    assert known["act_from"] == "2026年11月1日前"
    assert "act_from" not in unknown


def test_copies_are_a_number_from_1_to_99() -> None:
    entries = [{"name": "a", "copies": copies} for copies in ("9" * 5000, "-1", "0", 3, None)]
    checked = check_data(SETTINGS, POLICE, {"enclosures": entries})["enclosures"]
    assert [entry["copies"] for entry in checked] == [99, 1, 1, 3, 1]


def test_the_checklist_is_complete_only_with_the_required_enclosures() -> None:
    data = proposed_data(SETTINGS, POLICE, ALERT, BUREAU, {"party": "张三"})
    assert missing_fields(SETTINGS, POLICE, data, "zh") == []
    data["enclosures"][0]["ticked"] = False
    assert missing_fields(SETTINGS, POLICE, data | {"party": ""}, "zh") == ["当事人", "案件调查报告"]
