"""``tuban audit`` verifies every alert's log, and ``tuban status`` shows the last audit."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from store.schema.database import Database
from tests.cli.administration.test_status import _run_all_parts, _tuban, home, kept
from tests.store.alerts.test_transitions import execute, three_steps

__all__ = ["home", "kept"]

NUMBER = "130131U2026110001"


def _json(capsys: pytest.CaptureFixture[str], *arguments: str, code: int) -> dict[str, Any]:
    capsys.readouterr()
    assert _tuban(*arguments, "--json") == code
    record: dict[str, Any] = json.loads(capsys.readouterr().out)
    return record


def test_without_a_database_the_message_names_tuban_up(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _tuban("audit") == 2
    assert "tuban up" in capsys.readouterr().err


def test_intact_logs_are_counted(kept: Database, capsys: pytest.CaptureFixture[str]) -> None:
    three_steps(kept)
    assert _tuban("audit") == 0
    printed = capsys.readouterr()
    assert printed.out == "1 alerts with 3 transitions verified: every log is intact.\n"
    assert "Verifying" not in printed.err  # the progress bar is only for terminals
    expected = {"whole": True, "alerts": 1, "transitions": 3, "broken": 0, "listed": []}
    assert _json(capsys, "audit", code=0) == expected


def test_a_broken_log_is_reported_with_its_first_broken_row(kept: Database, capsys: pytest.CaptureFixture[str]) -> None:
    alert_id = three_steps(kept)
    execute(kept, "UPDATE transitions SET who = 'somebody' WHERE sequence >= 2")
    assert _tuban("audit") == 1
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        f"{NUMBER}: transition 2 was changed: its content does not give its hash.",
        "1 alerts with 3 transitions verified: 1 logs are broken.",
    ]
    assert "error" in printed.err  # it is logged as well
    record = _json(capsys, "audit", code=1)
    assert (record["whole"], record["broken"]) == (False, 1)
    (chain,) = record["listed"]
    assert chain.pop("reason") == "transition 2 was changed: its content does not give its hash"
    assert chain == {"alert_id": alert_id, "number": NUMBER, "sequence": 2, "difference": "content"}


def test_one_alert_is_selected_by_its_number(kept: Database, capsys: pytest.CaptureFixture[str]) -> None:
    _run_all_parts(kept)
    three_steps(kept)
    assert _tuban("audit", "--alert", NUMBER) == 0
    execute(kept, "DELETE FROM transitions WHERE sequence = 2")
    assert _tuban("audit", "--alert", NUMBER) == 1
    assert "transition 2 is missing: the next one that is there is number 3" in capsys.readouterr().out
    assert _tuban("audit", "--alert", "7") == 2
    assert "There is no alert 7." in capsys.readouterr().err
    assert _json(capsys, "status", code=0)["audit"] is None  # an audit of one alert is not recorded


def test_the_status_shows_the_last_audit_of_all_logs(kept: Database, capsys: pytest.CaptureFixture[str]) -> None:
    _run_all_parts(kept)
    three_steps(kept)
    assert _tuban("status") == 0
    assert "Last audit of the alerts' logs: never." in capsys.readouterr().out
    assert _tuban("audit") == 0
    capsys.readouterr()
    assert _tuban("status") == 0
    output = capsys.readouterr().out
    assert re.search(r"Last audit of the alerts' logs: \d+ s ago, 1 alerts with 3 transitions, all intact\.", output)
    audit = _json(capsys, "status", code=0)["audit"]
    assert (audit["alerts"], audit["transitions"], audit["broken"], audit["origin"]) == (1, 3, 0, "command")


def test_a_broken_log_requires_attention_until_an_audit_finds_none(
    kept: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    _run_all_parts(kept)
    three_steps(kept)
    execute(kept, "UPDATE alerts SET state = 'triaged'")
    assert _tuban("audit") == 1
    capsys.readouterr()
    assert _tuban("status") == 1
    output = capsys.readouterr().out
    assert "1 alerts with 3 transitions, 1 broken" in output
    assert f"found 1 broken logs of alerts, first {NUMBER}: the alert is triaged, but its log ends at" in output
    status = _json(capsys, "status", code=1)
    assert status["audit"]["first_broken"]["number"] == NUMBER
    assert len(status["needs_a_person"]) == 1
    execute(kept, "UPDATE alerts SET state = 'false_change'")
    assert _tuban("audit") == 0
    assert _tuban("status") == 0
