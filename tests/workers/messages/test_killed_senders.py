"""A worker that is killed after the server accepted a text sends it once more, with the same id; none is lost.

``python -m tests.workers.messages.killed_senders`` kills real workers while 500 messages go out.
"""

from __future__ import annotations

import datetime as dt
import os
import signal
from pathlib import Path

import pytest
from sqlalchemy import select

from service.context import Context
from store.schema.chain.message_tables import SendingRow
from store.schema.tables import Job
from tests.workers.messages.killed_senders import prepared
from tests.workers.messages.servers import MailServer, mail_server
from workers.runtime.job_runner import run_job


def _run_in_child(context: Context, mail: MailServer, job_id: int) -> int:
    """Run a job in a process that is killed as soon as the mail server has its text; return the signal."""
    pid = os.fork()
    if pid == 0:
        own = Context.from_settings(context.settings)  # connections are not shared over a fork
        run_job(own, job_id)
        os._exit(0)
    mail.accepted = lambda: os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    mail.accepted = None
    return os.WTERMSIG(status)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_killed_workers_lose_no_message(tmp_path: Path) -> None:
    with mail_server() as mail, prepared(tmp_path, mail, 3, "", "") as context:
        with context.database.read() as session:
            collecting = list(session.scalars(select(Job.id)))
        for job_id in collecting:
            run_job(context, job_id)
        with context.database.read() as session:
            sending = list(session.scalars(select(Job.id).where(Job.kind == "messages.send").order_by(Job.id)))
        assert _run_in_child(context, mail, sending[0]) == signal.SIGKILL
        for job_id in sending:  # the lease of the killed one has not expired yet
            run_job(context, job_id)
        assert len(mail.received) == 3
        now = context.clock()
        context.clock = lambda: now + dt.timedelta(seconds=context.settings.jobs.lease_seconds + 1)
        assert run_job(context, sending[0]) == "done"
        with context.database.read() as session:
            states = list(session.scalars(select(SendingRow.state)))
    assert states == ["accepted"] * 3
    ids = [message_id for _, message_id, *_ in mail.received]
    assert (len(ids), len(set(ids))) == (4, 3)
    assert ids.count(ids[0]) == 2
