"""A new version of a layer shows what it would change before it is used, changes that, and is kept with its proof."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path

import pytest
from shapely import box, union
from sqlalchemy import func, select

from errors import SettingsError
from service.layers.administration import add_ended_job
from store.areas.layers import list_layers
from store.integrity.references import references
from store.schema.database import Database
from store.schema.tables import Delivery, Feature, Layer
from store.schema.user_tables import Action
from tests.service.layers.layer_service import LayerService, number, place


@pytest.fixture
def service(database: Database, tmp_path: Path) -> LayerService:
    """Five alerts that a scan found; nobody has judged them."""
    return LayerService.create(database, tmp_path)


@pytest.fixture
def one(sqlite: Database, tmp_path: Path) -> LayerService:
    """The same on SQLite alone."""
    return LayerService.create(sqlite, tmp_path)


def test_a_version_is_previewed_then_used_and_the_next_one_returns_what_it_no_longer_covers(
    service: LayerService,
) -> None:
    service.move(2, "triaged", "published")  # a person has acted
    path = service.write("PZWJ.gpkg", [place(i) for i in range(3)], {"PZWH": ["1号", "2号", "3号"]})
    first = service.load(path, "批文")
    assert (first.state, first.kind, first.number, first.features) == ("checked", "approval", 1, 3)
    assert first.preview["counts"] == {"suppressed": 2, "uncovered": 0, "decided": 1, "changed": 0, "same": 2}
    assert [entry["number"] for entry in first.preview["alerts"]["suppressed"]] == [number(0), number(1)]
    assert service.states() == ["new", "new", "published", "new", "new"]  # nothing before it is used
    assert service.alert(0).overlaps == []

    first = service.use(first)
    assert service.states() == ["suppressed", "suppressed", "published", "new", "new"]
    assert first.applied["counts"] == first.preview["counts"]
    assert (first.valid_from, first.valid_to, first.used_by, first.loaded_by) == (
        dt.date(2026, 12, 2), None, "chief", "chief",
    )  # fmt: skip
    assert first.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    step = service.last_step(0)
    assert "1号 (批文)" in step.why
    assert (step.evidence["layer"], step.evidence["version"], step.evidence["file_sha256"]) == ("批文", 1, first.sha256)
    assert [(e["layer"], e["version"], e["number"]) for e in service.alert(0).overlaps] == [("批文", 1, "1号")]
    assert [(e["version"], e["share"]) for e in service.alert(4).overlaps] == [(1, 0.0)]  # compared, not on it

    second = service.load(service.write("b.gpkg", [place(1), place(3)], {"PZWH": ["2号", "4号"]}), "批文", "approval")
    assert second.preview["counts"] == {"suppressed": 1, "uncovered": 1, "decided": 0, "changed": 1, "same": 2}
    assert service.alert(0).overlaps[0]["version"] == 1
    second = service.use(second)
    assert service.states() == ["returned", "suppressed", "published", "suppressed", "new"]
    assert service.last_step(0).evidence["version"] == 2
    assert service.version(first.id).state == "former"
    assert service.version(first.id).valid_to == dt.date(2026, 12, 2)
    assert service.alert(1).overlaps[0]["version"] == 2
    with service.context.database.read() as session:
        events = session.scalars(select(Delivery.event).order_by(Delivery.id)).all()
        kinds = [event["type"].rpartition(".")[2] for event in events]
        assert sorted(kinds) == ["returned", "suppressed", "suppressed", "suppressed"]
        assert [action.what for action in session.scalars(select(Action).order_by(Action.id))] == [
            "loaded_layer", "used_layer", "loaded_layer", "used_layer",
        ]  # fmt: skip
        assert references(session)[second.object_key].sha256 == second.sha256


def test_a_former_version_is_used_again_and_older_polygons_are_deleted(one: LayerService) -> None:
    versions = []
    for index in range(4):
        path = one.write(f"{index}.gpkg", [place(index)], {"PZWH": [str(index)]})
        versions.append(one.use(one.load(path, "批文", "approval")))
    assert one.states() == ["returned", "returned", "returned", "suppressed", "new"]
    again = one.use(one.version(versions[2].id))
    assert one.states() == ["returned", "returned", "suppressed", "returned", "new"]
    assert (again.state, again.number) == ("used", 3)
    with pytest.raises(SettingsError, match="were deleted") as caught:
        one.use(one.version(versions[0].id))  # layers.keep_versions: 2
    assert caught.value.reason.code == "layer.polygons_gone"


def test_a_discarded_and_a_failed_version_change_nothing(one: LayerService) -> None:
    one.use(one.load(one.write("a.gpkg", [place(0)], {"PZWH": ["1"]}), "批文", "approval"))
    other = one.load(one.write("b.gpkg", [place(1)], {"PZWH": ["2"]}), "批文", "approval")
    one.discard(other)
    (one.folder / "c.geojson").write_text("{}")
    failed = one.load(one.folder / "c.geojson", "批文", "approval")
    assert (failed.state, failed.why["code"]) == ("failed", "polygons.unreadable")
    assert one.states() == ["suppressed", "new", "new", "new", "new"]
    with one.context.database.read() as session:
        assert session.scalar(select(func.count(Feature.id))) == 1
        ((layer, count),) = list_layers(session)
        assert (layer.version, count) == (1, 1)
    for version in (one.version(other.id), failed):
        with pytest.raises(SettingsError, match="cannot be taken into use"):
            one.use(version)


def test_files_are_added_to_the_version_in_use(one: LayerService) -> None:
    one.use(one.load(one.write("a.gpkg", [place(0)], {"PZWH": ["1"]}), "批文", "approval"))
    added = one.load(one.write("b.gpkg", [place(1)], {"PZWH": ["2"]}), "批文", "approval", add=True)
    assert added.features == 2
    assert added.preview["counts"]["uncovered"] == 0
    one.use(added)
    assert one.states()[:2] == ["suppressed", "suppressed"]
    with pytest.raises(SettingsError, match="cannot be added"):
        one.load(one.write("c.gpkg", [place(1)], {"TBBH": ["2"]}), "批文", "plan", add=True)


def test_an_approval_that_has_ended_no_longer_covers(service: LayerService) -> None:
    """Temporary use: the day of approval and a term, or the term of the settings; the image is from within it."""
    path = service.write(
        "LSYD_2026.gpkg",
        [place(0), place(1), place(2), place(3)],
        {"PZWH": ["甲", "乙", "丙", "丁"], "PZRQ": ["2026-01-15", "2025-01-15", "2024-12-20", None],
         "SYQX": ["12个月", None, "两年", None]},
    )  # fmt: skip
    version = service.load(path, "临时用地")
    assert (version.kind, version.features) == ("temporary_use", 3)
    assert version.options["found"] == {"number": "PZWH", "from": "PZRQ", "term": "SYQX"}
    assert [(row["number"], row["why"]["code"]) for row in version.invalid] == [(4, "layer.no_period")]
    service.use(version)
    assert service.states() == ["suppressed", "suppressed", "suppressed", "new", "new"]
    assert service.alert(0).overlaps[0]["to"] == "2027-01-14"
    for day, states in (
        (dt.date(2026, 12, 19), ["suppressed"] * 3),
        (dt.date(2026, 12, 20), ["suppressed", "suppressed", "returned"]),
        (dt.date(2027, 1, 14), ["suppressed", "suppressed", "returned"]),
        (dt.date(2027, 1, 15), ["returned", "returned", "returned"]),
    ):
        service.at(day)
        with service.context.database.write() as session:
            add_ended_job(session, day, service.context.clock())
        service.run_jobs()
        assert service.states()[:3] == states, day
    step = service.last_step(0)
    assert (step.evidence["why"]["code"], step.evidence["why"]["names"]) == ("layer.ended", "甲 (2027-01-14)")


def test_an_alert_that_a_person_suppressed_is_left_alone(one: LayerService) -> None:
    one.use(one.load(one.write("a.gpkg", [place(4)], {"PZWH": ["1"]}), "批文", "approval"))
    with one.context.database.write() as session:
        from store.alerts.transitions import append_transition
        from store.schema.tables import AlertRow

        alert = session.scalars(select(AlertRow).where(AlertRow.number == number(0))).one()
        append_transition(session, alert, "suppressed", who="li", role="county", why="known", at=one.context.clock(),
                          evidence={"approval": "letter 12"})  # fmt: skip
    preview = one.load(one.write("b.gpkg", [place(3)], {"PZWH": ["1"]}), "批文", "approval").preview
    assert [entry["number"] for entry in preview["alerts"]["uncovered"]] == [number(4)]


def test_classes_of_the_land_survey_count_as_their_kind_of_land(one: LayerService) -> None:
    half = box(120.01, 30.01, 120.0105, 30.011)
    rest = box(120.0105, 30.01, 120.011, 30.011)
    path = one.write("DLTB.gpkg", [half, rest, place(1)],
                     {"DLBM": ["0103", "1202", "0301"], "DLMC": ["旱地", "设施农用地", "乔木林地"]})  # fmt: skip
    version = one.use(one.load(path, "三调地类"))
    assert version.kind == "land_use"
    first = {e["number"]: (e["kind"], round(e["share"], 2)) for e in one.alert(0).overlaps}
    assert first == {"0103 旱地": ("cultivated", 0.5), "1202 设施农用地": ("farm_facility", 0.5)}
    assert one.alert(1).overlaps[0]["kind"] == "land_use"
    assert one.alert(0).legal_weight > one.alert(1).legal_weight == 10
    assert version.applied["counts"]["changed"] == 2
    basic = one.use(one.load(one.write("YJJBNTTB.gpkg", [union(place(1), place(2))], {"YJJBNTTBBH": ["7"]}), "农田"))
    assert basic.kind == "basic_farmland"
    assert one.alert(1).legal_weight > one.alert(0).legal_weight


def test_a_layer_of_one_area_does_not_concern_the_others(one: LayerService) -> None:
    path = one.write("a.gpkg", [place(0)], {"PZWH": ["1"]})
    other = one.load(path, "批文", "approval", "330106006")
    assert other.preview["checked"] == 0
    one.use(other)
    assert one.states()[0] == "new"
    own = one.use(one.load(path, "批文", "approval", "330106005"))
    assert (own.number, one.states()[0]) == (1, "suppressed")
    with one.context.database.read() as session:
        assert session.scalar(select(func.count(Layer.id))) == 2


def test_a_change_between_preview_and_use_is_seen(one: LayerService) -> None:
    version = one.load(one.write("a.gpkg", [place(0), place(1)], {"PZWH": ["1", "2"]}), "批文", "approval")
    one.move(0, "triaged")
    used = one.use(version)
    assert used.applied["counts"]["suppressed"] == 1
    assert one.states()[:2] == ["triaged", "suppressed"]
