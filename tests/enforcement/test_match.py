from __future__ import annotations

import datetime as dt
import random

import pytest
from shapely.affinity import translate
from shapely.geometry import Polygon, box

from configs.service import AlertSettings
from enforcement.known_alert import KnownAlert, ScanChange
from enforcement.ledger.sighting import Sighting
from enforcement.match import match_changes
from enforcement.states import read_states
from errors import SettingsError
from imagery.error_ellipse import ErrorEllipse

SETTINGS = AlertSettings(overlap=0.3, grown=1.5)
METRE = 1e-5


def place(x: float, y: float = 0, width: float = 20, height: float = 20) -> Polygon:
    """A rectangle in units of about one metre, from 116° east, 40° north."""
    return box(116 + x * METRE, 40 + y * METRE, 116 + (x + width) * METRE, 40 + (y + height) * METRE)


def scan_change(
    number: int, outline: Polygon, kind: str = "construction", m2: float = 400, **dates: dt.date
) -> ScanChange:
    return ScanChange(number, kind, outline, m2, 0.9, **dates)


def alert(
    alert_id: int, outline: Polygon, kind: str = "construction", state: str = "new", m2: float = 400
) -> KnownAlert:
    return KnownAlert(alert_id, kind, outline, m2, state)


def verdict(change: ScanChange, known: KnownAlert) -> str:
    (match,) = match_changes([change], [known], SETTINGS)
    return match.verdict


def test_every_change_is_new_without_known_alerts() -> None:
    (match,) = match_changes([scan_change(1, place(0))], [], SETTINGS)
    assert (match.verdict, match.alert_id, match.kind) == ("new", None, "construction")


def test_smaller_overlap_is_another_place() -> None:
    assert verdict(scan_change(1, place(15)), alert(7, place(0))) == "new"


def test_overlap_equal_to_the_threshold_is_the_same_place() -> None:
    assert verdict(scan_change(1, box(7, 0, 17, 10)), alert(7, box(0, 0, 10, 10))) == "again"


def test_small_polygon_inside_a_large_one_is_the_same_place() -> None:
    assert verdict(scan_change(1, place(80, 80)), alert(7, place(0, 0, 200, 200))) == "again"


def test_touching_polygons_are_different_places() -> None:
    assert verdict(scan_change(1, place(20)), alert(7, place(0))) == "new"


def test_alert_with_the_highest_iou_is_matched_and_the_others_are_named() -> None:
    site, hut = alert(3, place(0, 0, 100, 100)), alert(2, place(90, 0, 20, 20))
    (match,) = match_changes([scan_change(1, place(0, 0, 105, 100))], [hut, site], SETTINGS)
    assert (match.verdict, match.alert_id) == ("again", 3)
    assert "also on alert 2" in match.reason


def test_building_inside_its_excavation_matches_the_building() -> None:
    known = [alert(1, place(0, 0, 100, 100), "ground"), alert(2, place(40, 40))]
    (match,) = match_changes([scan_change(1, place(41, 41))], known, SETTINGS)
    assert match.alert_id == 2


def test_equal_matches_are_decided_by_the_lower_alert_id() -> None:
    known = [alert(9, place(0)), alert(4, place(0))]
    assert match_changes([scan_change(1, place(0))], known, SETTINGS)[0].alert_id == 4


def test_several_changes_on_one_alert_are_all_observations() -> None:
    known = [alert(7, place(0, 0, 100, 100))]
    matches = match_changes([scan_change(1, place(0)), scan_change(2, place(50))], known, SETTINGS)
    assert [(m.change.number, m.verdict, m.alert_id) for m in matches] == [(1, "again", 7), (2, "again", 7)]


def test_excavation_that_becomes_a_building_stays_one_alert_of_kind_construction() -> None:
    (match,) = match_changes([scan_change(1, place(0))], [alert(7, place(0), "ground")], SETTINGS)
    assert (match.verdict, match.alert_id, match.kind) == ("again", 7, "construction")


def test_building_with_ground_works_stays_a_construction() -> None:
    (match,) = match_changes([scan_change(1, place(0), "ground")], [alert(7, place(0))], SETTINGS)
    assert (match.alert_id, match.kind) == (7, "construction")


def test_all_observations_of_one_scan_have_the_same_kind() -> None:
    changes = [scan_change(1, place(0)), scan_change(2, place(50), "ground")]
    matches = match_changes(changes, [alert(7, place(0, 0, 100, 100), "ground")], SETTINGS)
    assert [m.kind for m in matches] == ["construction", "construction"]


@pytest.mark.parametrize("state", ["new", "field_checked", "reviewed", "lawful", "closed", "false_change"])
def test_demolition_does_not_match_the_building(state: str) -> None:
    assert verdict(scan_change(1, place(0), "demolition"), alert(7, place(0), state=state)) == "new"


@pytest.mark.parametrize("state", ["unlawful", "correcting", "rechecked", "case"])
def test_demolition_of_works_to_be_corrected_is_an_observation_of_their_alert(state: str) -> None:
    (match,) = match_changes([scan_change(1, place(0), "demolition")], [alert(7, place(0), state=state)], SETTINGS)
    assert (match.verdict, match.alert_id, match.kind) == ("again", 7, "construction")
    assert "seem to be gone" in match.reason


def test_building_on_cleared_ground_is_a_new_alert() -> None:
    assert verdict(scan_change(1, place(0)), alert(7, place(0), "demolition")) == "new"


def test_how_demolished_works_began_gives_their_alert_its_kind() -> None:
    days = [dt.date(2026, month, 1) for month in (1, 3, 5)]
    removal = Sighting(1, days[1], days[2], "drone", 0.3, place(-50, -50, 200, 200), place(0), "demolition", 0.9)
    known = KnownAlert(7, "demolition", place(0), 400, "new", sightings=(removal,))
    (match,) = match_changes(
        [scan_change(1, place(0), "ground", before_date=days[0], after_date=days[1])], [known], SETTINGS
    )
    assert (match.verdict, match.alert_id, match.kind) == ("again", 7, "ground")


def test_rejected_alert_is_not_returned() -> None:
    (match,) = match_changes([scan_change(1, place(0))], [alert(7, place(0), state="false_change")], SETTINGS)
    assert (match.verdict, match.alert_id) == ("still_rejected", 7)


@pytest.mark.parametrize(("m2", "expected"), [(599, "still_rejected"), (600, "returned"), (2000, "returned")])
def test_rejected_alert_is_returned_when_it_has_grown(m2: float, expected: str) -> None:
    assert verdict(scan_change(1, place(0), m2=m2), alert(7, place(0), state="false_change")) == expected


def test_growth_of_several_pieces_returns_a_rejected_alert_once() -> None:
    known = [alert(7, place(0, 0, 100, 100), state="false_change", m2=1000)]
    changes = [scan_change(n, place(30 * n), m2=600) for n in (1, 2, 3)]
    assert [m.verdict for m in match_changes(changes, known, SETTINGS)] == ["returned", "again", "again"]


def test_building_where_ground_works_were_rejected_is_returned() -> None:
    assert verdict(scan_change(1, place(0)), alert(7, place(0), "ground", "false_change")) == "returned"


def test_ground_works_where_a_building_was_rejected_are_not_returned() -> None:
    assert verdict(scan_change(1, place(0), "ground"), alert(7, place(0), state="false_change")) == "still_rejected"


@pytest.mark.parametrize("state", ["suppressed", "bad_imagery", "returned", "disputed"])
def test_other_alerts_outside_the_queue_get_an_observation(state: str) -> None:
    assert verdict(scan_change(1, place(0)), alert(7, place(0), state=state)) == "again"


@pytest.mark.parametrize("state", ["merged", "split"])
def test_merged_and_split_alerts_are_ignored(state: str) -> None:
    known = [alert(1, place(0), state=state), alert(2, place(5))]
    assert match_changes([scan_change(1, place(0))], known, SETTINGS)[0].alert_id == 2


CLOSED = dt.date(2026, 3, 1)
BEFORE, AFTER = CLOSED - dt.timedelta(90), CLOSED + dt.timedelta(90)


def closed_alert(kind: str = "construction", cleared: bool = False, on: dt.date | None = CLOSED) -> KnownAlert:
    return KnownAlert(7, kind, place(0), 400, "closed", on, cleared)


def test_works_begun_after_the_closing_are_a_new_alert() -> None:
    change = scan_change(1, place(0), before_date=CLOSED, after_date=AFTER)
    (match,) = match_changes([change], [closed_alert()], SETTINGS)
    assert (match.verdict, match.alert_id) == ("new", None)
    assert "alert 7" in match.reason


def test_closed_works_compared_with_an_earlier_image_are_not_a_new_alert() -> None:
    assert verdict(scan_change(1, place(0), before_date=BEFORE, after_date=AFTER), closed_alert()) == "again"


def test_works_on_cleared_ground_are_a_new_alert() -> None:
    change = scan_change(1, place(0), before_date=BEFORE, after_date=AFTER)
    assert verdict(change, closed_alert(cleared=True)) == "new"


def test_grown_works_on_a_closed_alert_are_a_new_alert() -> None:
    assert verdict(scan_change(1, place(0), m2=600, before_date=BEFORE, after_date=AFTER), closed_alert()) == "new"


def test_building_on_closed_ground_works_is_a_new_alert() -> None:
    assert verdict(scan_change(1, place(0), before_date=BEFORE, after_date=AFTER), closed_alert("ground")) == "new"


def test_image_from_before_the_closing_is_one_more_observation() -> None:
    change = scan_change(1, place(0), m2=4000, before_date=BEFORE, after_date=CLOSED)
    assert verdict(change, closed_alert(cleared=True)) == "again"


@pytest.mark.parametrize(("after", "on"), [(None, CLOSED), (AFTER, None)])
def test_closed_alert_gets_an_observation_without_dates(after: dt.date | None, on: dt.date | None) -> None:
    assert verdict(ScanChange(1, "construction", place(0), 4000, 0.9, None, after), closed_alert(on=on)) == "again"


def test_new_works_on_a_closed_alert_match_an_open_alert_at_the_same_place() -> None:
    change = scan_change(1, place(0), before_date=CLOSED, after_date=AFTER)
    (match,) = match_changes([change], [closed_alert(), alert(8, place(5))], SETTINGS)
    assert (match.verdict, match.alert_id) == ("again", 8)


def test_unknown_state_raises() -> None:
    with pytest.raises(SettingsError, match="lost"):
        match_changes([scan_change(1, place(0))], [alert(7, place(0), state="lost")], SETTINGS)


def test_self_intersecting_outline_is_matched() -> None:
    bow = Polygon([(116, 40), (116.0002, 40.0002), (116.0002, 40), (116, 40.0002)])
    assert verdict(scan_change(1, bow), alert(7, place(0))) == "again"


NORTH = ErrorEllipse(major_m=15, minor_m=3, direction_deg=0)
"""Error of a camera that looks north: accurate in direction, inaccurate in distance."""


def camera_change(number: int, outline: Polygon, m2: float = 400, error: ErrorEllipse = NORTH) -> ScanChange:
    return ScanChange(number, "construction", outline, m2, 0.9, error=error)


def test_camera_change_within_its_error_matches_the_drone_alert() -> None:
    (match,) = match_changes([camera_change(1, place(0, 28))], [alert(7, place(0))], SETTINGS)
    assert (match.verdict, match.alert_id) == ("again", 7)
    assert "within the position error" in match.reason


def test_drone_change_at_the_same_offset_is_another_place() -> None:
    assert verdict(scan_change(1, place(0, 28)), alert(7, place(0))) == "new"


def test_error_ellipse_is_directional() -> None:
    assert verdict(camera_change(1, place(28, 0)), alert(7, place(0))) == "new"
    east = ErrorEllipse(15, 3, 90)
    assert verdict(camera_change(1, place(28, 0), error=east), alert(7, place(0))) == "again"


def test_change_beyond_the_error_is_another_place() -> None:
    assert verdict(camera_change(1, place(0, 60)), alert(7, place(0))) == "new"


def test_drone_change_matches_a_camera_alert_within_its_error() -> None:
    known = KnownAlert(7, "construction", place(0, 28), 400, "new", error=NORTH)
    assert verdict(scan_change(1, place(0)), known) == "again"


def test_alert_with_the_smaller_shift_is_matched() -> None:
    known = [alert(1, place(0, -25)), alert(2, place(0, 8))]
    assert match_changes([camera_change(1, place(0))], known, SETTINGS)[0].alert_id == 2


def test_oblique_area_does_not_return_an_alert_rejected_from_above() -> None:
    rejected = alert(7, place(0), state="false_change")
    assert verdict(camera_change(1, place(0), m2=4000), rejected) == "still_rejected"
    once = KnownAlert(7, "construction", place(0), 400, "false_change", error=NORTH)
    assert verdict(camera_change(1, place(0), m2=4000), once) == "returned"


@pytest.mark.parametrize("seed", range(20))
def test_result_is_complete_and_independent_of_order_and_position(seed: int) -> None:
    rng = random.Random(seed)
    states = list(read_states().states)

    def somewhere() -> Polygon:
        return place(rng.randrange(60), rng.randrange(60), rng.randrange(5, 40), rng.randrange(5, 40))

    kinds = ("construction", "ground", "demolition")
    changes = [scan_change(n, somewhere(), rng.choice(kinds), rng.uniform(50, 2000)) for n in range(1, 16)]
    known = [alert(n, somewhere(), rng.choice(kinds), rng.choice(states), rng.uniform(50, 2000)) for n in range(1, 16)]
    matches = match_changes(changes, known, SETTINGS)
    assert [m.change for m in matches] == changes
    assert all((m.alert_id is None) == (m.verdict == "new") for m in matches)
    returned = [m.alert_id for m in matches if m.verdict == "returned"]
    assert len(returned) == len(set(returned))

    shuffled = match_changes(rng.sample(changes, 15), rng.sample(known, 15), SETTINGS)
    assert shuffled == matches

    west = [ScanChange(c.number, c.kind, translate(c.outline, -1), c.area_m2, c.score) for c in changes]
    moved = [KnownAlert(k.alert_id, k.kind, translate(k.outline, -1), k.area_m2, k.state) for k in known]
    elsewhere = match_changes(west, moved, SETTINGS)
    assert [(m.alert_id, m.verdict) for m in elsewhere] == [(m.alert_id, m.verdict) for m in matches]
