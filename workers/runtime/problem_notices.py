"""Tell administrators of problems of the service, by e-mail and hooks, once a day for each kind of problem.

The supervisor of each `tuban up` runs this, not the schedule, whose own absence is one of the problems.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Callable, Sequence

import structlog

from configs.service import HookSettings
from configs.texts import text, translate
from errors import OutputError
from service.context import Context
from service.monitoring.mail import send_mail
from service.monitoring.problems import ServiceProblem, find_problems
from service.night_schedule import local_time_to_utc
from store.jobs.schedule_slots import claim_slot, release_slot
from store.schema.database_errors import DatabaseError
from workers.delivery.delivery_errors import DeliveryRejected
from workers.delivery.web_hooks import post_to_hook

SLOT = "problem notice"
EVENT_KIND = "tuban.service.problem"

LASTING = dt.timedelta(minutes=10)
"""Problems other than those of a night are told when they last this long, since restarts are no problem."""

CHECK_INTERVAL = dt.timedelta(minutes=1)
RETRY_INTERVAL = dt.timedelta(minutes=5)

logger = structlog.get_logger("tuban.notices")

PostHook = Callable[[bytes, HookSettings, str], None]


class ProblemNotices:
    """Finds problems regularly and sends notices of them."""

    def __init__(self, context: Context, owner: str) -> None:
        """Prepare; ``owner`` is this process."""
        self._context = context
        self._owner = owner
        self._since: dict[str, dt.datetime] = {}
        self._told: set[tuple[str, str]] = set()  # local day and kind, while the database cannot say so
        self._next_check: dt.datetime | None = None

    @property
    def enabled(self) -> bool:
        """Whether the settings name a recipient."""
        notices = self._context.settings.notices
        return bool(notices.hooks or notices.mail.host)

    def run_due(self) -> None:
        """Check for problems if it is time to, and send one notice of those that were not told today."""
        now = self._context.clock()
        if not self.enabled or (self._next_check is not None and now < self._next_check):
            return
        self._next_check = now + CHECK_INTERVAL
        problems = find_problems(self._context)
        self._since = {problem.kind: self._since.get(problem.kind, now) for problem in problems}
        settings = self._context.settings
        day = now.astimezone(settings.zone).date()
        if now < local_time_to_utc(day, settings.notices.at, settings.zone):
            return
        lasting = [p for p in problems if p.kind.startswith("night") or now - self._since[p.kind] >= LASTING]
        claimed = [problem for problem in lasting if self._claim(day, problem.kind, now)]
        if not claimed:
            return
        sent = self._send(claimed, now)
        if not sent:
            self._next_check = now + RETRY_INTERVAL
            for problem in claimed:
                self._release(day, problem.kind)

    def _claim(self, day: dt.date, kind: str, now: dt.datetime) -> bool:
        told = (day.isoformat(), kind)
        if told in self._told:
            return False
        try:
            with self._context.database.write() as session:
                claimed = claim_slot(session, SLOT, ":".join(told), self._owner, now)
        except DatabaseError:  # every machine tells of it
            claimed = True
        self._told = {each for each in self._told if each[0] == told[0]} | {told}
        return claimed

    def _release(self, day: dt.date, kind: str) -> None:
        self._told.discard((day.isoformat(), kind))
        try:
            with self._context.database.write() as session:
                release_slot(session, SLOT, f"{day.isoformat()}:{kind}")
        except DatabaseError as error:
            logger.warning("database unavailable", error=str(error).splitlines()[0])

    def _send(self, problems: Sequence[ServiceProblem], now: dt.datetime) -> bool:
        """Send to all recipients; return whether at least one has accepted."""
        notices = self._context.settings.notices
        accepted = False
        for hook in notices.hooks:
            try:
                self._post(hook, problems, now)
                accepted = True
            except DeliveryRejected as error:
                logger.error("notice not delivered", reason=str(error))
        if notices.mail.host:
            try:
                send_mail(notices.mail, *compose(problems, self._context.settings.pages_url), now)
                accepted = True
            except OutputError as error:
                logger.error("notice not delivered", reason=str(error))
        logger.info("administrators notified", problems=[problem.kind for problem in problems], accepted=accepted)
        return accepted

    def _post(self, hook: HookSettings, problems: Sequence[ServiceProblem], now: dt.datetime) -> None:
        settings = self._context.settings
        event_id = str(uuid.uuid4())
        event = {
            "specversion": "1.0",
            "id": event_id,
            "source": settings.pages_url,
            "type": EVENT_KIND,
            "time": now.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "datacontenttype": "application/json",
            "data": {
                "problems": [
                    {"kind": p.kind, "zh": translate(p.reason, "zh"), "en": translate(p.reason, "en")} for p in problems
                ]
            },
        }
        post_to_hook(
            json.dumps(event, ensure_ascii=False).encode(),
            hook,
            event_id=event_id,
            allowed_hosts=settings.delivery.allowed_hosts,
            timeout_seconds=settings.delivery.timeout_seconds,
            now=now,
        )


def compose(problems: Sequence[ServiceProblem], pages_url: str) -> tuple[str, str]:
    """Return subject and text of an e-mail, in Chinese and then in English."""
    parts = []
    for language in ("zh", "en"):
        lines = [f"- {translate(problem.reason, language)}" for problem in problems]
        parts.append("\n".join([text("notice.intro", language), *lines, text("notice.where", language, url=pages_url)]))
    return text("notice.subject", "zh", count=len(problems)), "\n\n".join(parts) + "\n"
