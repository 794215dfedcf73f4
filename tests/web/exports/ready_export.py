"""An export of a user whose file is written."""

from __future__ import annotations

from service.context import Context
from store.access.users import user_by_login
from store.exports.export_rows import READY, add_export
from tests.web.people import NOW


def add_ready_export(service: Context, login: str) -> str:
    """Add a finished export of a user with its file; return its uid."""
    with service.database.write() as session:
        user = user_by_login(session, login)
        assert user is not None
        options = {"crs": "4490", "encoding": "UTF-8", "language": "zh"}
        row = add_export(session, user.id, "csv", options, {"place": user.code}, NOW)
        row.state, row.finished_at, row.object_key = READY, NOW, f"exports/{row.uid}"
        row.alerts, row.size, row.sha256 = 1, 3, "0" * 64
        service.objects.put(row.object_key, b"csv")
        return row.uid
