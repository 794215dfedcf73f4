"""Sightings of an alert are linked by hashes, as its transitions are.

A released revision never changes; add a new one instead.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import shapely
import sqlalchemy as sa
from alembic import op

from enforcement.hash_chain import GENESIS_HASH, row_hash
from store.schema.column_types import Instant, Outline

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_PAGE = 500  # alerts

_ALERTS = sa.table(
    "alerts", sa.column("id", sa.Integer()), sa.column("number", sa.String()), sa.column("sighting_hash")
)
_SIGHTINGS = sa.table(
    "observations",
    sa.column("id", sa.Integer()),
    sa.column("alert_id", sa.Integer()),
    sa.column("scan_id", sa.Integer()),
    sa.column("change_number", sa.Integer()),
    sa.column("source", sa.String()),
    sa.column("before_date", sa.Date()),
    sa.column("after_date", sa.Date()),
    sa.column("kind", sa.String()),
    sa.column("score", sa.Double()),
    sa.column("area_m2", sa.Double()),
    sa.column("position_error", sa.JSON()),
    sa.column("gsd_m", sa.Double()),
    sa.column("copied_from", sa.String()),
    sa.column("evidence", sa.JSON()),
    sa.column("outline", Outline()),
    sa.column("created_at", Instant()),
    sa.column("sequence", sa.Integer()),
    sa.column("previous_hash", sa.String()),
    sa.column("hash", sa.String()),
)
_ADDED = (("sequence", sa.Integer()), ("previous_hash", sa.String(length=64)), ("hash", sa.String(length=64)))


def upgrade() -> None:
    """Add the columns, and link the sightings of each alert in the order in which they were stored."""
    with op.batch_alter_table("alerts") as table:
        table.add_column(sa.Column("sighting_hash", sa.String(length=64), nullable=False, server_default=""))
    with op.batch_alter_table("observations") as table:
        for name, kind in _ADDED:
            table.add_column(sa.Column(name, kind, nullable=True))
    connection, after = op.get_bind(), 0
    while alerts := connection.execute(_page(after)).all():
        numbers = {row.id: row.number for row in alerts}
        latest: dict[int, tuple[int, str]] = {}
        links = []
        for row in connection.execute(_sightings(alerts[0].id, alerts[-1].id)).mappings().all():
            alert = row["alert_id"]
            last, previous = latest.get(alert, (0, GENESIS_HASH))
            hashed = row_hash(previous, _fields(numbers[alert], last + 1, row))
            links.append({"row": row["id"], "number": last + 1, "previous": previous, "own": hashed})
            latest[alert] = last + 1, hashed
        if links:
            where = _SIGHTINGS.c.id == sa.bindparam("row")
            link: dict[Any, Any] = {
                _SIGHTINGS.c.sequence: sa.bindparam("number"),
                _SIGHTINGS.c.previous_hash: sa.bindparam("previous"),
                _SIGHTINGS.c.hash: sa.bindparam("own"),
            }
            connection.execute(sa.update(_SIGHTINGS).where(where).values(link), links)
            connection.execute(
                sa.update(_ALERTS)
                .where(_ALERTS.c.id == sa.bindparam("row"))
                .values({_ALERTS.c.sighting_hash: sa.bindparam("own")}),
                [{"row": alert, "own": own} for alert, (_, own) in latest.items()],
            )
        after = alerts[-1].id
    with op.batch_alter_table("observations") as table:
        for name, kind in _ADDED:
            table.alter_column(name, existing_type=kind, nullable=False)
        table.create_unique_constraint("uq_observations_alert_id_sequence", ["alert_id", "sequence"])
    with op.batch_alter_table("alerts") as table:
        table.alter_column(
            "sighting_hash", existing_type=sa.String(length=64), existing_nullable=False, server_default=None
        )


def downgrade() -> None:
    """Remove the columns; sightings stay."""
    with op.batch_alter_table("observations") as table:
        table.drop_constraint("uq_observations_alert_id_sequence", type_="unique")
        for name, _ in _ADDED:
            table.drop_column(name)
    with op.batch_alter_table("alerts") as table:
        table.drop_column("sighting_hash")


def _page(after: int) -> sa.Select[Any]:
    return sa.select(_ALERTS.c.id, _ALERTS.c.number).where(_ALERTS.c.id > after).order_by(_ALERTS.c.id).limit(_PAGE)


def _sightings(first: int, last: int) -> sa.Select[Any]:
    of_page = _SIGHTINGS.c.alert_id.between(first, last)
    return sa.select(_SIGHTINGS).where(of_page).order_by(_SIGHTINGS.c.alert_id, _SIGHTINGS.c.id)


def _fields(number: str, sequence: int, row: Any) -> dict[str, Any]:
    """Return the hashed fields, as `store.alerts.sighting_chain` had them at this revision."""
    return {
        "alert": number,
        "sequence": sequence,
        "scan": row["scan_id"],
        "change": row["change_number"],
        "source": row["source"],
        "before": _day(row["before_date"]),
        "after": _day(row["after_date"]),
        "kind": row["kind"],
        "score": float(row["score"]),
        "area_m2": float(row["area_m2"]),
        "position_error": row["position_error"],
        "gsd_m": None if row["gsd_m"] is None else float(row["gsd_m"]),
        "copied_from": row["copied_from"],
        "evidence": row["evidence"],
        "outline": shapely.to_wkb(row["outline"], hex=True, output_dimension=2, byte_order=1),
        "at": row["created_at"],
    }


def _day(day: dt.date | None) -> str | None:
    return day.isoformat() if day else None
