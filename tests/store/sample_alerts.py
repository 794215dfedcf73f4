"""A village with one alert, as recorded by the scan of two scenes."""

from __future__ import annotations

import datetime as dt

from shapely.geometry import Polygon, box
from sqlalchemy import select
from sqlalchemy.orm import Session

from store.alerts.sighting_chain import append_sighting
from store.schema.database import Database
from store.schema.outlines import bounds_of
from store.schema.tables import AlertRow, Area, Observation, Scan, SceneRow

NOW = dt.datetime(2026, 12, 1, 18, 30, tzinfo=dt.UTC)  # in Shanghai it is the second of December
VILLAGE = box(120.0, 30.0, 120.1, 30.1)
PLACE = Polygon([(120.01, 30.01), (120.011, 30.01), (120.011, 30.011), (120.01, 30.011)])


def add_village(session: Session) -> None:
    """Add a county, township and village, and a scan of two scenes in it."""
    for code, name, level in (
        ("330106", "西湖区", "county"),
        ("330106005", "留下街道", "township"),
        ("330106005201", "东穆坞村", "village"),
    ):
        session.add(Area(code=code, name=name, level=level, loaded_at=NOW, **bounds_of(VILLAGE)))
    for index, (day, source) in enumerate(((dt.date(2026, 5, 1), "satellite"), (dt.date(2026, 11, 30), "drone"))):
        session.add(
            SceneRow(
                area_code="330106005201",
                sha256=str(index) * 64,
                name=f"image {index}",
                source=source,
                date=day,
                gsd_m=0.25,
                crs="EPSG:4547",
                width=4000,
                height=4000,
                object_key=f"scenes/{index}.tif",
                object_sha256="f" * 64,
                created_at=NOW,
                **bounds_of(VILLAGE),
            )
        )
    session.flush()
    before, after = session.scalars(select(SceneRow.id).order_by(SceneRow.id))
    session.add(
        Scan(
            unique_key="scan 1",
            area_code="330106005201",
            before_id=before,
            after_id=after,
            state="done",
            result={
                "looked_at": {"area_m2": 2_000_000.0},
                "grid": {"resolution_m": 0.5},
                "alignment": {"residual_px": 0.61, "residual_m": 0.305},
            },
            settings_sha256="5" * 64,
            weights_sha256="3" * 64,
            created_at=NOW - dt.timedelta(hours=2),
            started_at=NOW - dt.timedelta(hours=1),
            finished_at=NOW - dt.timedelta(minutes=30),
        )
    )
    session.flush()


def add_alert(session: Session, number: str = "330106W2026110001") -> AlertRow:
    """Add an alert in that village with one observation."""
    alert = AlertRow(
        number=number,
        kind="construction",
        state="new",
        score=0.87654321,
        area_m2=1234.5,
        detected={"crs": "EPSG:4547", "wkt": "POLYGON ((0 0, 1 0, 1 1, 0 0))"},
        source="drone",
        county_code="330106",
        township_code="330106005",
        grid_code="330106005201",
        overlaps=[{"layer": "耕地2025", "kind": "cultivated", "dated": "2025-12-31", "share": 0.8, "number": ""}],
        week="2026-W49",
        evidence={"before": "evidence/1/before.jpg", "after": "evidence/1/after.jpg"},
        created_at=NOW,
        changed_at=NOW,
        **bounds_of(PLACE),
    )
    session.add(alert)
    session.flush()
    add_observation(session, alert, dt.date(2026, 11, 30), "drone", 1234.5)
    return alert


def add_observation(
    session: Session, alert: AlertRow, day: dt.date, source: str, area_m2: float, at: dt.datetime = NOW
) -> None:
    """Add an observation to an alert."""
    scan = session.scalars(select(Scan.id).order_by(Scan.id)).first()
    assert scan is not None
    append_sighting(
        session,
        Observation(
            alert_id=alert.id,
            scan_id=scan,
            change_number=1,
            source=source,
            before_date=dt.date(2026, 5, 1),
            after_date=day,
            kind=alert.kind,
            score=0.8,
            area_m2=area_m2,
            created_at=at,
            **bounds_of(PLACE),
        ),
    )
    session.flush()


def add_village_with_alert(database: Database, number: str = "330106W2026110001") -> int:
    """Add a village with an alert, and return the alert's id."""
    with database.write() as session:
        add_village(session)
        return add_alert(session, number).id
