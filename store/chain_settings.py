"""Chain settings that an administrator changed: the values in effect, and the changes with who and when.

Definitions, defaults and ranges are those of :mod:`enforcement.chain_settings`. Use::

    values = read_chain_values(session)
    values.whole("field.photos_least")
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from enforcement.chain_settings import ChainValues, Value, definition_of
from store.access.audit_log import record_action
from store.schema.chain.chain_tables import ChainSettingRow


def read_chain_values(session: Session) -> ChainValues:
    """Return all values in effect, as one snapshot."""
    return ChainValues({row.key: row.value for row in latest_changes(session) if row.value is not None})


def latest_changes(session: Session) -> Sequence[ChainSettingRow]:
    """List the latest change of each setting that was ever changed; a value of None is the default again."""
    latest = select(func.max(ChainSettingRow.id)).group_by(ChainSettingRow.key)
    return session.scalars(select(ChainSettingRow).where(ChainSettingRow.id.in_(latest))).all()


def changes_of(session: Session, key: str, limit: int = 20) -> Sequence[ChainSettingRow]:
    """List the changes of one setting, newest first."""
    query = select(ChainSettingRow).where(ChainSettingRow.key == key).order_by(ChainSettingRow.id.desc())
    return session.scalars(query.limit(limit)).all()


def change_chain_setting(
    session: Session, key: str, value: Value | None, *, who: str, now: dt.datetime, address: str = ""
) -> bool:
    """Change a setting and record it in the audit log; None: back to the default.

    Args:
        session: a writing transaction.
        key: name of the setting.
        value: of the setting's type (:meth:`enforcement.chain_settings.ChainSetting.parse`).
        who: login of the administrator.
        now: current time.
        address: IP address of the browser, for the audit log.

    Returns:
        Whether the value in effect has changed.

    Raises:
        SettingsError: there is no such setting, or the value is not allowed.
    """
    setting = definition_of(key)
    checked = None if value is None else setting.check(key, value)
    if checked == setting.default:
        checked = None
    before = read_chain_values(session).value(key)
    after = setting.check(key, setting.default) if checked is None else checked
    if before == after:
        return False
    session.add(ChainSettingRow(key=key, value=checked, who=who, at=now))
    detail = {"from": before, "to": after}
    record_action(session, who=who, what="changed_setting", now=now, about=key, detail=detail, address=address)
    session.flush()
    return True
