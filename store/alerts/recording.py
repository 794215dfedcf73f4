"""Recording of scan results: each changed place is one alert, with an observation per scan that shows it.

Events for the enforcement queue, stored in the same transaction:

- *created*: a new alert that no approval covers, if it is within the weekly quota of its area. An alert beyond the
  quota is stored, ranked and visible, but not announced: flooding the townships with alerts is itself a fault. It is
  announced as *created* when a place becomes free because another alert of that week is suppressed;
- *suppressed*: an alert that an approval covers, with the reason;
- *seen again*: a later image shows an open alert; another comparison with the same image sends no event;
- *grown*: an open alert has grown, or others were merged into it;
- *merged*: an alert that nobody has judged turned out to be part of another one, which replaces it;
- *vanished*: the works of an open alert are gone. An alert that nobody has judged is closed as transient;
- *returned*: a rejected or permitted alert has grown or changed, an approval no longer covers a suppressed one, or a
  transient one is there again.

The last four say what changed, with the areas before and after, in the property ``change``. Rejected alerts that are
unchanged, and closed ones, get a sighting but no event.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy.orm import Session

from configs.service import ServiceSettings
from enforcement.match import Match, match_changes
from store.alerts.alert_recorder import AlertRecorder
from store.alerts.placed_changes import PlacedChange
from store.alerts.scan_record import Recorded
from store.schema.counters import lock_counter
from store.schema.tables import Scan, SceneRow

_ALERTS = "alerts"


def lock_alerts(session: Session) -> None:
    """Block other transactions from adding or ranking alerts until this one ends.

    There is one lock for all areas: scans of neighbouring areas overlap, and the transactions are short. Acquire it
    before changing the row of any alert.
    """
    lock_counter(session, _ALERTS)


def record_changes(
    session: Session, scan: Scan, changes: Sequence[PlacedChange], settings: ServiceSettings, now: dt.datetime
) -> Recorded:
    """Record the changes of a scan: new alerts, observations of existing ones, events for the queue.

    Args:
        session: the transaction that ends the scan, so that changes are recorded exactly once.
        scan: with its result set.
        changes: all changes of the scan.
        settings: matching thresholds, quota, targets of events.
        now: current time.
    """
    lock_alerts(session)
    after = session.get(SceneRow, scan.after_id)
    before = session.get(SceneRow, scan.before_id)
    assert after is not None  # foreign keys
    assert before is not None
    recorder = AlertRecorder(session, scan, before, after, settings, now)
    by_number = {placed.change.number: placed for placed in changes}
    known = recorder.known(changes)
    matches_by_alert: dict[int, list[Match]] = {}
    for match in match_changes(recorder.found(changes), known, settings.alerts):
        if match.alert_id is None:
            recorder.add(by_number[match.change.number], match)
        else:
            matches_by_alert.setdefault(match.alert_id, []).append(match)
    for alert_id, matches in matches_by_alert.items():
        recorder.see_again(alert_id, [by_number[match.change.number] for match in matches], matches)
    recorder.look_at_others()
    recorder.announce()
    return recorder.recorded
