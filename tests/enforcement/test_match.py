from __future__ import annotations

import datetime as dt
import random

import pytest
from shapely.affinity import translate
from shapely.geometry import Polygon, box

from configs.service import AlertSettings
from enforcement.match import Found, Known, match_changes
from enforcement.states import read_states
from errors import SettingsError
from imagery.error_ellipse import ErrorEllipse

SETTINGS = AlertSettings(overlap=0.3, grown=1.5)
METRE = 1e-5


def place(x: float, y: float = 0, wide: float = 20, tall: float = 20) -> Polygon:
    """A rectangle, in units of about a metre, beside 116° east, 40° north."""
    return box(116 + x * METRE, 40 + y * METRE, 116 + (x + wide) * METRE, 40 + (y + tall) * METRE)


def found(number: int, outline: Polygon, kind: str = "construction", m2: float = 400, **dates: dt.date) -> Found:
    return Found(number, kind, outline, m2, 0.9, **dates)


def alert(alert_id: int, outline: Polygon, kind: str = "construction", state: str = "new", m2: float = 400) -> Known:
    return Known(alert_id, kind, outline, m2, state)


def verdict(change: Found, known: Known) -> str:
    (match,) = match_changes([change], [known], SETTINGS)
    return match.verdict


def test_where_nothing_is_known_everything_is_new() -> None:
    (match,) = match_changes([found(1, place(0))], [], SETTINGS)
    assert (match.verdict, match.alert_id, match.kind) == ("new", None, "construction")


def test_less_than_the_overlap_is_another_place() -> None:
    assert verdict(found(1, place(15)), alert(7, place(0))) == "new"


def test_the_overlap_itself_is_one_place() -> None:
    assert verdict(found(1, box(7, 0, 17, 10)), alert(7, box(0, 0, 10, 10))) == "again"


def test_a_small_polygon_inside_a_large_one_is_one_place() -> None:
    assert verdict(found(1, place(80, 80)), alert(7, place(0, 0, 200, 200))) == "again"


def test_touching_edges_are_two_places() -> None:
    assert verdict(found(1, place(20)), alert(7, place(0))) == "new"


def test_of_several_alerts_the_one_most_alike_is_seen_again_and_the_others_are_named() -> None:
    site, hut = alert(3, place(0, 0, 100, 100)), alert(2, place(90, 0, 20, 20))
    (match,) = match_changes([found(1, place(0, 0, 105, 100))], [hut, site], SETTINGS)
    assert (match.verdict, match.alert_id) == ("again", 3)
    assert "also on alert 2" in match.why


def test_a_building_seen_again_inside_its_excavation_stays_the_building() -> None:
    known = [alert(1, place(0, 0, 100, 100), "ground"), alert(2, place(40, 40))]
    (match,) = match_changes([found(1, place(41, 41))], known, SETTINGS)
    assert match.alert_id == 2


def test_alerts_that_fit_equally_well_are_taken_by_their_number() -> None:
    known = [alert(9, place(0)), alert(4, place(0))]
    assert match_changes([found(1, place(0))], known, SETTINGS)[0].alert_id == 4


def test_several_changes_on_one_alert_are_each_one_more_observation() -> None:
    known = [alert(7, place(0, 0, 100, 100))]
    matches = match_changes([found(1, place(0)), found(2, place(50))], known, SETTINGS)
    assert [(m.found.number, m.verdict, m.alert_id) for m in matches] == [(1, "again", 7), (2, "again", 7)]


def test_an_excavation_that_becomes_a_building_is_one_alert_and_now_a_construction() -> None:
    (match,) = match_changes([found(1, place(0))], [alert(7, place(0), "ground")], SETTINGS)
    assert (match.verdict, match.alert_id, match.kind) == ("again", 7, "construction")


def test_a_building_with_ground_works_around_it_stays_a_construction() -> None:
    (match,) = match_changes([found(1, place(0), "ground")], [alert(7, place(0))], SETTINGS)
    assert (match.alert_id, match.kind) == (7, "construction")


def test_every_observation_of_one_scan_tells_the_same_kind() -> None:
    changes = [found(1, place(0)), found(2, place(50), "ground")]
    matches = match_changes(changes, [alert(7, place(0, 0, 100, 100), "ground")], SETTINGS)
    assert [m.kind for m in matches] == ["construction", "construction"]


@pytest.mark.parametrize("state", ["new", "field_checked", "reviewed", "lawful", "closed", "false_change"])
def test_a_demolition_is_another_story_than_the_building(state: str) -> None:
    assert verdict(found(1, place(0), "demolition"), alert(7, place(0), state=state)) == "new"


@pytest.mark.parametrize("state", ["unlawful", "correcting", "rechecked", "case"])
def test_a_demolition_where_works_are_to_be_corrected_is_the_evidence_for_it(state: str) -> None:
    (match,) = match_changes([found(1, place(0), "demolition")], [alert(7, place(0), state=state)], SETTINGS)
    assert (match.verdict, match.alert_id, match.kind) == ("again", 7, "construction")
    assert "seems to be gone" in match.why


def test_a_building_on_cleared_ground_is_a_new_alert() -> None:
    assert verdict(found(1, place(0)), alert(7, place(0), "demolition")) == "new"


def test_what_a_person_rejected_does_not_come_back() -> None:
    (match,) = match_changes([found(1, place(0))], [alert(7, place(0), state="false_change")], SETTINGS)
    assert (match.verdict, match.alert_id) == ("still_rejected", 7)


@pytest.mark.parametrize(("m2", "expected"), [(599, "still_rejected"), (600, "returned"), (2000, "returned")])
def test_a_rejected_alert_comes_back_when_it_has_grown(m2: float, expected: str) -> None:
    assert verdict(found(1, place(0), m2=m2), alert(7, place(0), state="false_change")) == expected


def test_pieces_that_have_grown_together_bring_a_rejected_alert_back_once() -> None:
    known = [alert(7, place(0, 0, 100, 100), state="false_change", m2=1000)]
    changes = [found(n, place(30 * n), m2=600) for n in (1, 2, 3)]
    assert [m.verdict for m in match_changes(changes, known, SETTINGS)] == ["returned", "again", "again"]


def test_a_building_where_ground_works_were_rejected_comes_back() -> None:
    assert verdict(found(1, place(0)), alert(7, place(0), "ground", "false_change")) == "returned"


def test_ground_works_where_a_building_was_rejected_do_not_come_back() -> None:
    assert verdict(found(1, place(0), "ground"), alert(7, place(0), state="false_change")) == "still_rejected"


@pytest.mark.parametrize("state", ["suppressed", "bad_imagery", "returned", "disputed"])
def test_other_alerts_out_of_the_queue_are_seen_again(state: str) -> None:
    assert verdict(found(1, place(0)), alert(7, place(0), state=state)) == "again"


@pytest.mark.parametrize("state", ["merged", "split"])
def test_alerts_that_live_on_in_others_are_not_asked(state: str) -> None:
    known = [alert(1, place(0), state=state), alert(2, place(5))]
    assert match_changes([found(1, place(0))], known, SETTINGS)[0].alert_id == 2


CLOSED = dt.date(2026, 3, 1)
BEFORE, AFTER = CLOSED - dt.timedelta(90), CLOSED + dt.timedelta(90)


def closed_alert(kind: str = "construction", cleared: bool = False, on: dt.date | None = CLOSED) -> Known:
    return Known(7, kind, place(0), 400, "closed", on, cleared)


def test_works_that_began_after_the_closing_are_a_new_alert() -> None:
    change = found(1, place(0), before_date=CLOSED, after_date=AFTER)
    (match,) = match_changes([change], [closed_alert()], SETTINGS)
    assert (match.verdict, match.alert_id) == ("new", None)
    assert "alert 7" in match.why


def test_the_closed_works_seen_from_an_earlier_image_are_not_a_new_alert() -> None:
    assert verdict(found(1, place(0), before_date=BEFORE, after_date=AFTER), closed_alert()) == "again"


def test_where_all_was_cleared_a_later_image_shows_new_works() -> None:
    change = found(1, place(0), before_date=BEFORE, after_date=AFTER)
    assert verdict(change, closed_alert(cleared=True)) == "new"


def test_closed_works_that_have_grown_are_a_new_alert() -> None:
    assert verdict(found(1, place(0), m2=600, before_date=BEFORE, after_date=AFTER), closed_alert()) == "new"


def test_a_building_on_closed_ground_works_is_a_new_alert() -> None:
    assert verdict(found(1, place(0), before_date=BEFORE, after_date=AFTER), closed_alert("ground")) == "new"


def test_an_image_from_before_the_closing_tells_nothing_new() -> None:
    change = found(1, place(0), m2=4000, before_date=BEFORE, after_date=CLOSED)
    assert verdict(change, closed_alert(cleared=True)) == "again"


@pytest.mark.parametrize(("after", "on"), [(None, CLOSED), (AFTER, None)])
def test_without_dates_a_closed_alert_is_seen_again(after: dt.date | None, on: dt.date | None) -> None:
    assert verdict(Found(1, "construction", place(0), 4000, 0.9, None, after), closed_alert(on=on)) == "again"


def test_new_works_on_a_closed_alert_go_to_the_open_alert_that_lies_there_too() -> None:
    change = found(1, place(0), before_date=CLOSED, after_date=AFTER)
    (match,) = match_changes([change], [closed_alert(), alert(8, place(5))], SETTINGS)
    assert (match.verdict, match.alert_id) == ("again", 8)


def test_a_state_that_the_table_does_not_have_is_told() -> None:
    with pytest.raises(SettingsError, match="lost"):
        match_changes([found(1, place(0))], [alert(7, place(0), state="lost")], SETTINGS)


def test_outlines_with_crossing_edges_are_compared() -> None:
    bow = Polygon([(116, 40), (116.0002, 40.0002), (116.0002, 40), (116, 40.0002)])
    assert verdict(found(1, bow), alert(7, place(0))) == "again"


NORTH = ErrorEllipse(major_m=15, minor_m=3, direction_deg=0)
"""A camera that looks north: it knows the direction well and the distance badly."""


def by_camera(number: int, outline: Polygon, m2: float = 400, error: ErrorEllipse = NORTH) -> Found:
    return Found(number, "construction", outline, m2, 0.9, error=error)


def test_a_cameras_change_within_its_error_is_the_drones_alert() -> None:
    (match,) = match_changes([by_camera(1, place(0, 28))], [alert(7, place(0))], SETTINGS)
    assert (match.verdict, match.alert_id) == ("again", 7)
    assert "within the error of its position" in match.why


def test_the_same_from_a_drone_is_another_place() -> None:
    assert verdict(found(1, place(0, 28)), alert(7, place(0))) == "new"


def test_the_error_counts_in_its_own_direction() -> None:
    assert verdict(by_camera(1, place(28, 0)), alert(7, place(0))) == "new"
    east = ErrorEllipse(15, 3, 90)
    assert verdict(by_camera(1, place(28, 0), error=east), alert(7, place(0))) == "again"


def test_beyond_the_error_is_another_place() -> None:
    assert verdict(by_camera(1, place(0, 60)), alert(7, place(0))) == "new"


def test_a_drones_change_is_the_cameras_alert_too() -> None:
    known = Known(7, "construction", place(0, 28), 400, "new", error=NORTH)
    assert verdict(found(1, place(0)), known) == "again"


def test_the_alert_that_needs_the_smaller_move_is_meant() -> None:
    known = [alert(1, place(0, -25)), alert(2, place(0, 8))]
    assert match_changes([by_camera(1, place(0))], known, SETTINGS)[0].alert_id == 2


def test_an_area_seen_from_the_side_brings_no_rejected_alert_back() -> None:
    rejected = alert(7, place(0), state="false_change")
    assert verdict(by_camera(1, place(0), m2=4000), rejected) == "still_rejected"
    once = Known(7, "construction", place(0), 400, "false_change", error=NORTH)
    assert verdict(by_camera(1, place(0), m2=4000), once) == "returned"


@pytest.mark.parametrize("seed", range(20))
def test_in_any_order_and_place_the_answer_is_the_same_and_whole(seed: int) -> None:
    rng = random.Random(seed)
    states = list(read_states().states)

    def somewhere() -> Polygon:
        return place(rng.randrange(60), rng.randrange(60), rng.randrange(5, 40), rng.randrange(5, 40))

    kinds = ("construction", "ground", "demolition")
    changes = [found(n, somewhere(), rng.choice(kinds), rng.uniform(50, 2000)) for n in range(1, 16)]
    known = [alert(n, somewhere(), rng.choice(kinds), rng.choice(states), rng.uniform(50, 2000)) for n in range(1, 16)]
    matches = match_changes(changes, known, SETTINGS)
    assert [m.found for m in matches] == changes
    assert all((m.alert_id is None) == (m.verdict == "new") for m in matches)
    returned = [m.alert_id for m in matches if m.verdict == "returned"]
    assert len(returned) == len(set(returned))

    shuffled = match_changes(rng.sample(changes, 15), rng.sample(known, 15), SETTINGS)
    assert shuffled == matches

    west = [Found(c.number, c.kind, translate(c.outline, -1), c.area_m2, c.score) for c in changes]
    moved = [Known(k.alert_id, k.kind, translate(k.outline, -1), k.area_m2, k.state) for k in known]
    elsewhere = match_changes(west, moved, SETTINGS)
    assert [(m.alert_id, m.verdict) for m in elsewhere] == [(m.alert_id, m.verdict) for m in matches]
