"""Nobody grants more rights than they have; a role and a code decide together; keys end with their user."""

from __future__ import annotations

import datetime as dt

import pytest

from errors import SettingsError
from store.access.api_keys import MAX_DAYS, add_key, revoke_keys, user_of_key
from store.access.rights import Viewer
from store.access.users import GrantError, add_user, check_grant, check_user, effective_role, user_by_login
from store.schema.database import Database

NOW = dt.datetime(2026, 11, 24, 1, 0, tzinfo=dt.UTC)
TOWNSHIP = Viewer("town", "town", "township", "330199101", True, 1)
COUNTY = Viewer("county", "county", "county", "330199", True, 2)
EVERYTHING = Viewer("admin", "admin", "city", "", True, 3)


@pytest.mark.parametrize(
    ("granter", "role", "code"),
    [
        (TOWNSHIP, "city", "330199101"),
        (TOWNSHIP, "county", "330199101"),
        (TOWNSHIP, "system", "330199101"),
        (TOWNSHIP, "township", "330199102"),
        (TOWNSHIP, "township", "330199"),
        (COUNTY, "city", "330199"),
        (COUNTY, "county", ""),
        (EVERYTHING, "system", ""),
        (Viewer("li", "li", "county", "330199", False, 4), "village", "330199101001"),
    ],
)
def test_nobody_grants_more_than_they_have(granter: Viewer, role: str, code: str) -> None:
    with pytest.raises(GrantError, match="nobody grants more rights than they have"):
        check_grant(granter, role, code)


@pytest.mark.parametrize(
    ("granter", "role", "code"),
    [
        (TOWNSHIP, "village", "330199101001"),
        (TOWNSHIP, "township", "330199101"),
        (COUNTY, "township", "330199101"),
        (EVERYTHING, "city", ""),
        (EVERYTHING, "county", "440100"),
    ],
)
def test_administrators_grant_what_they_have_in_their_area(granter: Viewer, role: str, code: str) -> None:
    check_grant(granter, role, code)


@pytest.mark.parametrize(
    ("role", "code", "acts_as"),
    [
        ("city", "330199101001", "village"),
        ("city", "330199101", "township"),
        ("city", "330199", "county"),
        ("county", "330199101", "township"),
        ("county", "330199", "county"),
        ("city", "3301", "city"),
        ("city", "", "city"),
        ("village", "330199101001", "village"),
        ("province", "330199", "province"),
    ],
)
def test_a_role_above_the_level_of_its_area_acts_as_that_level(role: str, code: str, acts_as: str) -> None:
    assert effective_role(role, code) == acts_as


@pytest.mark.parametrize(("role", "code"), [("city", "330199"), ("city", "330199101"), ("county", "3301")])
def test_a_role_is_given_only_with_a_code_of_its_level(role: str, code: str) -> None:
    with pytest.raises(SettingsError, match="needs a code of"):
        check_user("li", role, code)


@pytest.mark.parametrize(
    ("scopes", "days"),
    [(["administer"], 10), (["read", "everything"], 10), ([], 10), (["read"], MAX_DAYS + 1), (["read"], 0)],
)
def test_a_key_is_limited_to_the_rights_of_its_user_and_to_a_year(
    sqlite: Database, scopes: list[str], days: int
) -> None:
    with sqlite.write() as session:
        user = add_user(session, login="li", name="", role="county", code="330199", now=NOW)
        with pytest.raises(SettingsError):
            add_key(session, user, "x", NOW, days=days, scopes=scopes)


def test_a_revoked_key_stays_revoked_when_its_user_is_active_again(sqlite: Database) -> None:
    with sqlite.write() as session:
        user = add_user(session, login="li", name="", role="county", code="330199", now=NOW)
        key = add_key(session, user, "x", NOW, days=10)
        assert user_of_key(session, key, NOW) is not None
        user.active = False
        revoke_keys(session, user.id, NOW)
        user.active = True
    with sqlite.read() as session:
        assert user_by_login(session, "li") is not None
        assert user_of_key(session, key, NOW) is None
