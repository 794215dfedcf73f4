"""Test data: a county with two villages and alerts to review."""

from __future__ import annotations

import datetime as dt
from typing import Any

from shapely.geometry import MultiPolygon, box
from sqlalchemy import select

from service.context import Context
from store.alerts.sighting_chain import append_sighting
from store.schema.outlines import bounds_of
from store.schema.tables import AlertRow, Area, Observation, Scan, SceneRow

VILLAGES = {"330199101001": (120.0, "上河村"), "330199101002": (120.05, "石桥村")}
A, B = "330199U2026110001", "330199U2026119001"
"""An alert of village A, and one of village B."""


def add_alerts(context: Context, number: int = 1) -> list[str]:
    """Add areas, a scan, ``number`` alerts of decreasing score in village A, and one in village B.

    Returns:
        The numbers of the alerts in village A.
    """
    now = context.clock()
    with context.database.write() as session:
        ground = box(120.0, 30.0, 120.1, 30.05)
        session.add(Area(code="330199", name="样例县", level="county", loaded_at=now, **bounds_of(ground)))
        session.add(Area(code="330199101", name="样例镇", level="township", loaded_at=now, **bounds_of(ground)))
        for code, (west, name) in VILLAGES.items():
            outline = box(west, 30.0, west + 0.05, 30.05)
            session.add(Area(code=code, name=name, level="village", loaded_at=now, **bounds_of(outline)))
        scenes = [
            SceneRow(
                area_code="330199",
                sha256=str(index) * 64,
                name=f"image {index}.tif",
                source=source,
                date=day,
                gsd_m=0.25,
                crs="EPSG:4549",
                width=4000,
                height=4000,
                object_key=f"scenes/{index}.tif",
                object_sha256=str(index) * 64,
                created_at=now,
                **bounds_of(ground),
            )
            for index, (day, source) in enumerate(
                ((dt.date(2026, 5, 1), "satellite"), (dt.date(2026, 11, 20), "drone"))
            )
        ]
        session.add_all(scenes)
        session.flush()
        scan = Scan(
            unique_key="scan",
            area_code="330199",
            before_id=scenes[0].id,
            after_id=scenes[1].id,
            state="done",
            result={"alignment": {"residual_px": 0.6, "residual_m": 0.3}},
            created_at=now,
        )
        session.add(scan)
        session.flush()
        numbers = [f"330199U20261{100001 + index}" for index in range(number)]
        wanted = [(numbers[index], "330199101001", 120.001, index) for index in range(number)]
        for alert, code, west, index in [*wanted, (B, "330199101002", 120.051, 99)]:
            left, bottom = west + 0.002 * (index % 20), 30.001 + 0.002 * (index // 20)
            pieces = (
                box(left, bottom, left + 0.0004, bottom + 0.001),
                box(left + 0.0006, bottom, left + 0.001, bottom + 0.001),
            )
            _add(session, scan.id, alert, code, MultiPolygon(pieces), index, now)
    return numbers


def _add(session: Any, scan: int, number: str, code: str, outline: MultiPolygon, index: int, now: dt.datetime) -> None:
    alert = AlertRow(
        number=number,
        kind=("construction", "ground", "demolition")[index % 3],
        state="new",
        score=0.99 - 0.01 * index,
        area_m2=800.0 + 10 * index,
        detected={"crs": "EPSG:4490", "wkt": outline.wkt},
        source="drone",
        county_code=code[:6],
        township_code=code[:9],
        grid_code=code,
        overlaps=[{"layer": "耕地2025", "kind": "cultivated", "dated": "2025-12-31", "share": 0.8, "number": ""}],
        week="2026-W48",
        rank=index + 1,
        first_date=dt.date(2026, 11, 20),
        last_date=dt.date(2026, 11, 20),
        due_on=dt.date(2026, 11, 25),
        evidence={"before": f"scans/1/{index}_before.jpg", "after": f"scans/1/{index}_after.jpg"},
        created_at=now,
        changed_at=now,
        **bounds_of(outline),
    )
    session.add(alert)
    session.flush()
    for month, share in ((8, 0.5), (11, 1.0)):
        append_sighting(
            session,
            Observation(
                alert_id=alert.id,
                scan_id=scan,
                change_number=1,
                source="drone",
                before_date=dt.date(2026, 5, 1),
                after_date=dt.date(2026, month, 20),
                kind=alert.kind,
                score=alert.score,
                area_m2=alert.area_m2 * share,
                created_at=now,
                **bounds_of(outline),
            ),
        )


def add_site(context: Context) -> list[str]:
    """Add three alerts of village A, of which the first two are a site; return their numbers."""
    numbers = add_alerts(context, 3)
    with context.database.write() as session:
        for alert in session.scalars(select(AlertRow).where(AlertRow.number.in_(numbers[:2]))):
            alert.site = numbers[0]
    return numbers
