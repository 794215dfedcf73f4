"""Document of the demo: the draft of a stop notice for the most serious alert."""

from __future__ import annotations

from pathlib import Path

from service.context import Context
from service.documents.on_demand import document_files
from store.alerts.alert_data import alerts_by_severity


def write_stop_notice(context: Context, out: Path) -> list[Path]:
    """Write the draft of a stop notice into ``out``; return the files: Word, and PDF where LibreOffice is installed."""
    with context.database.read() as session:
        alerts = [alert for alert in alerts_by_severity(session) if alert.state != "suppressed"]
        numbers = [alert.number for alert in alerts]
    return document_files(context, "stop_notice", numbers[0]).write(out) if numbers else []
