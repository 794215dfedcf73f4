"""Delete evidence files that were uploaded and never submitted with a step."""

from __future__ import annotations

import datetime as dt

import structlog

from service.context import Context
from store.chain_settings import read_chain_values
from store.evidence.evidence_files import EvidenceConflict, abandoned_files, remove_file
from store.retention.expired_rows import PURGED, kept_alerts

logger = structlog.get_logger("tuban.retention")


def delete_abandoned(context: Context) -> int:
    """Delete the files that no step, tip or patrol uses after the days of the chain setting; return their number."""
    now, keys, deleted = context.clock(), [], 0
    with context.database.write() as session:
        days = read_chain_values(session).whole("evidence.abandoned_days")
        held = kept_alerts(session, open_ones=False)
        for file in abandoned_files(session, now - dt.timedelta(days=days)):
            if file.alert_id in held or file.state == PURGED:
                continue
            try:
                keys += remove_file(session, file)
                deleted += 1
            except EvidenceConflict:
                continue
    for key in keys:
        context.objects.delete(key)
    if deleted:
        logger.info("deleted evidence files that were never submitted", files=deleted)
    return deleted
