"""A person holds several roles in one area; a role that only views changes nothing."""

from __future__ import annotations

import datetime as dt

import pytest

from enforcement.states import read_states
from errors import SettingsError
from store.access.rights import Viewer
from store.access.users import GrantError, add_user, check_grant, set_roles, viewer_of
from store.schema.database import Database

NOW = dt.datetime(2026, 11, 24, 1, 0, tzinfo=dt.UTC)
TOWNSHIP = Viewer("town", "town", "township", "330199101", True, 1, ("village",))


def test_the_highest_role_comes_first_and_decides_on_the_code(sqlite: Database) -> None:
    with sqlite.write() as session:
        user = add_user(
            session, login="li", name="", role="village", other_roles=["township"], code="330199101", now=NOW
        )
        assert viewer_of(user).roles == ("township", "village")
        with pytest.raises(SettingsError, match="needs a code of"):
            set_roles(session, user, ["village", "county"], "330199101", administrator=False)
        set_roles(session, user, ["village", "leader", "village"], "330199101001", administrator=False)
        assert viewer_of(user).roles == ("village", "leader")
        assert not viewer_of(user).views_only


def test_a_leader_sees_any_area_and_is_no_administrator(sqlite: Database) -> None:
    with sqlite.write() as session:
        leader = add_user(session, login="zhang", name="", role="leader", code="330199101", now=NOW)
        assert viewer_of(leader).views_only
        with pytest.raises(SettingsError, match="changes nothing"):
            set_roles(session, leader, ["leader"], "330199", administrator=True)


@pytest.mark.parametrize("others", [["county"], ["system"], ["village", "city"]])
def test_no_further_role_is_above_the_granters(others: list[str]) -> None:
    check_grant(TOWNSHIP, "township", "330199101", ["village", "leader"])
    with pytest.raises(GrantError):
        check_grant(TOWNSHIP, "township", "330199101", others)


def test_a_step_is_made_in_the_role_that_may_make_it() -> None:
    states = read_states()
    assert states.acting_role("accepted", "field_checked", ("county", "village")) == "village"
    assert states.acting_role("reviewed", "lawful", ("county", "village")) == "county"
    assert states.acting_role("reviewed", "lawful", ("township", "village")) == "township"  # and is refused
    assert {"field_checked", "bad_imagery"} <= set(states.allowed_targets("returned", ("county", "village")))
    assert states.allowed_targets("new", ("leader",)) == []
