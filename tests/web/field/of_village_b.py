"""A check of the other village with a stored photo, for the tests of authorization."""

from __future__ import annotations

from sqlalchemy import select

from service.context import Context
from store.evidence.evidence_files import Owner, ReceivedFile, add_file, object_key
from store.field.announced_steps import APPLIED
from store.schema.chain.field_tables import FieldStep
from store.schema.tables import AlertRow
from tests.web.field.field_service import new_id, photo, photo_step
from tests.web.people import NOW


def add_photo(context: Context, number: str, login: str) -> str:
    """Add a photo of a check to an alert, and return its id."""
    content = photo(1)
    announced, uid = photo_step(content), new_id()
    described = announced["content"]
    key = object_key(uid, described["sha256"], "jpg")
    context.objects.put(key, content)
    with context.database.write() as session:
        alert = session.scalars(select(AlertRow).where(AlertRow.number == number)).one()
        received = ReceivedFile(
            uid=uid,
            kind="photo",
            object_key=key,
            shown_key=key,
            sha256=described["sha256"],
            size=len(content),
            media_type="image/jpeg",
            record=described["record"],
        )
        add_file(session, received, Owner(alert.id), who=login, now=NOW)
        session.add(
            FieldStep(
                uid=uid,
                check_uid=new_id(),
                alert_id=alert.id,
                who=login,
                kind="photo",
                after=[],
                content=described,
                state=APPLIED,
                device_time=NOW,
                received_at=NOW,
            )
        )
    return uid
