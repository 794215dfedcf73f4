from __future__ import annotations

from pathlib import Path

import pytest

from enforcement.change_types import read_change_types
from errors import SettingsError

TYPES = read_change_types()


def test_there_are_ten_official_types_under_the_kinds() -> None:
    assert len(TYPES.types) == 10
    assert sum(len(TYPES.of_kind(kind)) for kind in TYPES.kinds) == 10


def test_six_of_them_have_letters_for_vegetation_to_construction() -> None:
    assert [t.letter for t in TYPES.types.values() if t.letter] == list("ABCDEF")


def test_names_are_in_both_languages_and_fit_their_column() -> None:
    assert all(t.zh and t.en and len(name) <= 40 for name, t in TYPES.types.items())


def test_unknown_type_raises_and_lists_the_known_types() -> None:
    with pytest.raises(SettingsError, match="solar_panels"):
        TYPES.find("castle")


def test_type_of_an_unknown_kind_raises(tmp_path: Path) -> None:
    path = tmp_path / "types.yaml"
    path.write_text(
        "kinds: {construction: {zh: 建, en: C}, ground: {zh: 土, en: G}, demolition: {zh: 拆, en: D}}\n"
        "types: {castle: {kind: castles, zh: 城, en: Castle}}\n"
    )
    with pytest.raises(SettingsError, match="castles"):
        read_change_types(path)
