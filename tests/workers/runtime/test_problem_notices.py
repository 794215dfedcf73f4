"""Administrators are told of a missing or failed night that morning, once, by hook or by e-mail."""

from __future__ import annotations

import datetime as dt
import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from configs.service import ServiceSettings, read_service
from errors import OutputError, Reason, SettingsError
from service.context import Context
from service.monitoring.mail import send_mail
from service.monitoring.problems import ServiceProblem
from tests.databases import embedded_database
from workers.delivery.delivery_errors import DeliveryRejected
from workers.runtime import problem_notices
from workers.runtime.problem_notices import ProblemNotices, compose

HOOK = {"url": "https://hook.example/duty", "secret": "s" * 16}
MORNING = dt.datetime(2026, 11, 24, 0, 0, tzinfo=dt.UTC)  # eight o'clock in Shanghai
MISSING = ServiceProblem(
    "night_missing", Reason("The night was not planned.", "problem.night_missing", day="2026-11-24")
)
BROKER = ServiceProblem("broker", Reason("The broker does not answer.", "problem.broker", address="a", cause="b"))


class Recorder:
    """Replaces the search for problems and the sending of hooks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.problems: list[ServiceProblem] = []
        self.posted: list[list[str]] = []
        self.failures = 0
        monkeypatch.setattr(problem_notices, "find_problems", lambda _: list(self.problems))
        monkeypatch.setattr(problem_notices, "post_to_hook", self._post)

    def _post(self, body: bytes, *_: Any, **__: Any) -> None:
        if self.failures:
            self.failures -= 1
            raise DeliveryRejected("no answer")
        event = json.loads(body)
        assert event["type"] == "tuban.service.problem"
        self.posted.append([problem["kind"] for problem in event["data"]["problems"]])


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    return Recorder(monkeypatch)


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Context]:
    settings = read_service(home=tmp_path, notices={"hooks": [HOOK]})
    context = Context(settings, embedded_database(tmp_path / "tuban.db"), clock=lambda: MORNING)
    yield context
    context.database.close()


def at(context: Context, notices: ProblemNotices, **later: float) -> None:
    context.clock = lambda: MORNING + dt.timedelta(**later)
    notices.run_due()


def test_a_missing_night_is_told_once_that_morning(context: Context, recorder: Recorder) -> None:
    recorder.problems = [MISSING]
    notices, other = ProblemNotices(context, "a"), ProblemNotices(context, "b")
    at(context, notices, hours=-1)
    assert recorder.posted == [], "not before seven thirty"
    at(context, notices)
    at(context, other, minutes=1)
    at(context, notices, minutes=2)
    assert recorder.posted == [["night_missing"]]
    at(context, other, days=1)
    assert recorder.posted == [["night_missing"]] * 2, "again on the next morning"


def test_a_night_that_fails_later_in_the_morning_is_told_then(context: Context, recorder: Recorder) -> None:
    notices = ProblemNotices(context, "a")
    at(context, notices)
    recorder.problems = [MISSING]
    at(context, notices, hours=2)
    assert recorder.posted == [["night_missing"]]


def test_other_problems_are_told_when_they_last(context: Context, recorder: Recorder) -> None:
    notices = ProblemNotices(context, "a")
    recorder.problems = [BROKER]
    at(context, notices)
    recorder.problems = []
    at(context, notices, minutes=5)
    recorder.problems = [BROKER]
    at(context, notices, minutes=9)
    at(context, notices, minutes=11)
    assert recorder.posted == []
    at(context, notices, minutes=19)
    assert recorder.posted == [["broker"]]


def test_a_notice_that_nobody_accepted_is_sent_again(context: Context, recorder: Recorder) -> None:
    notices = ProblemNotices(context, "a")
    recorder.problems, recorder.failures = [MISSING], 1
    at(context, notices)
    at(context, notices, minutes=2)
    assert recorder.posted == []
    at(context, notices, minutes=5)
    assert recorder.posted == [["night_missing"]]


def test_without_recipients_nothing_is_checked(context: Context, recorder: Recorder) -> None:
    recorder.problems = [MISSING]
    context.settings = context.settings.model_copy(update={"notices": ServiceSettings().notices})
    at(context, ProblemNotices(context, "a"))
    assert recorder.posted == []


class _MailServer(socketserver.StreamRequestHandler):
    """Accepts one message by SMTP."""

    received: list[str]

    def handle(self) -> None:
        answers: dict[str, Callable[[], str]] = {"DATA": lambda: "354 go on", "QUIT": lambda: "221 bye"}
        self.wfile.write(b"220 mail.test\r\n")
        while line := self.rfile.readline().decode().strip():
            verb = line.split()[0].upper()
            self.wfile.write((answers.get(verb, lambda: "250 ok")() + "\r\n").encode())
            if verb == "DATA":
                lines = []
                while (part := self.rfile.readline()) != b".\r\n":
                    lines.append(part.decode())
                self.received.append("".join(lines))
                self.wfile.write(b"250 ok\r\n")
            if verb == "QUIT":
                return


def test_a_notice_is_sent_by_mail(context: Context, recorder: Recorder) -> None:
    received: list[str] = []
    with socketserver.TCPServer(("127.0.0.1", 0), type("Handler", (_MailServer,), {"received": received})) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        mail = {
            "host": "127.0.0.1", "port": server.server_address[1], "security": "none", "sender": "tuban@bureau.example",
            "recipients": ["duty@bureau.example"],
        }  # fmt: skip
        context.settings = read_service(home=context.settings.home, notices={"mail": mail})
        recorder.problems = [MISSING]
        at(context, ProblemNotices(context, "a"))
        server.shutdown()
    assert len(received) == 1
    assert "To: duty@bureau.example" in received[0]


def test_the_text_names_every_problem_in_both_languages() -> None:
    subject, body = compose([MISSING, BROKER], "https://tuban.example")
    assert "2" in subject
    for part in ("2026-11-24 的夜间比对未进行", "The night was not planned.", "https://tuban.example"):
        assert part in body


def test_a_mail_server_that_does_not_answer_is_an_output_error(context: Context) -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as server:
        port = server.server_address[1]
    mail = {"host": "127.0.0.1", "port": port, "sender": "a@b", "recipients": ["c@d"]}
    settings = read_service(notices={"mail": mail}).notices.mail
    with pytest.raises(OutputError, match="did not accept the message"):
        send_mail(settings, "x", "y", MORNING)


@pytest.mark.parametrize("recipients", [[], ["nobody"], ["a@b\r\nBcc: x@y"]])
def test_invalid_recipients_are_refused_at_start(recipients: list[str]) -> None:
    mail = {"host": "mail.example", "sender": "a@b", "recipients": recipients}
    with pytest.raises(SettingsError):
        read_service(notices={"mail": mail})
