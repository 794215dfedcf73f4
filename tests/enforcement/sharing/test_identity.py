"""Identity numbers are validated and masked, and the blacklist's files contain no formula and no raw number."""

from __future__ import annotations

import datetime as dt
from xml.etree import ElementTree as ET

import pytest

from enforcement.sharing.blacklist_files import BlacklistEntry, blacklist_csv, blacklist_xml
from enforcement.sharing.identity import is_credit_code, is_identity_card, mask_identity, mask_numbers, parse_identity
from enforcement.sharing.matters import MatterFacts, Matters
from errors import SettingsError

CARD, CODE = "11010519491231002X", "91350100M000100Y43"


@pytest.mark.parametrize("number", ["110105194912310021", "11010519491331002X", "1101051949123100", ""])
def test_wrong_cards_are_refused(number: str) -> None:
    assert not is_identity_card(number)


def test_numbers_are_valid_masked_and_not_repeated_in_messages() -> None:
    assert (parse_identity("person", " 11010519491231002x"), is_credit_code(CODE)) == (CARD, True)
    assert mask_identity("person", CARD) == "110105***********X"
    with pytest.raises(SettingsError) as error:
        parse_identity("organisation", "91350100M000100Y44")
    assert "Y44" not in str(error.value)


def test_numbers_in_a_text_are_masked() -> None:
    masked = mask_numbers(f"电话13812345678，证{CARD}；330106U2026110001")
    assert masked == "电话138******78，证110*************2X；330106U2026110001"


def test_files_of_the_blacklist() -> None:
    entry = BlacklistEntry(
        "1", "=1+1", "person", mask_identity("person", CARD), "", f"<a> & {CARD}\x0b", "", 10.0, "D",
        dt.date(2026, 1, 2), None, "", "", "bureau", None, "",
    )  # fmt: skip
    text, root = blacklist_csv([entry], "zh"), ET.fromstring(blacklist_xml([entry]))
    assert text.startswith("\ufeff序号,主体名称,")
    assert "'=1+1" in text
    assert CARD not in text
    assert root.findtext("entry/facts") == "<a> & 110*************2X"
    assert root.findtext("entry/listed_on") == "2026-01-02"


def test_matters_include_alerts_that_meet_all_conditions() -> None:
    facts = MatterFacts("330106001001", "construction", "case", "unlawful", 900.0, 0.0, 1000.0, case=True)
    assert Matters().include(facts)
    assert Matters.from_json({"land": "cultivated", "min_land_m2": 900, "determinations": ["unlawful"]}).include(facts)
    assert not Matters.from_json({"land": "basic_farmland"}).include(facts)
    assert not Matters.from_json({"kinds": ["ground"]}).include(facts)
    with pytest.raises(SettingsError):
        Matters.from_json({"secret": True})
