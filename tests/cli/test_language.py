"""Commands print Chinese if TUBAN_LANGUAGE or the locale says so: messages, tables and errors."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cli.language import language
from store.jobs.queue import add_job, claim, fail
from tests.cli.administration.test_status import NOW, _tuban
from tests.databases import embedded_database


def _english(printed: str) -> list[str]:
    """Return three successive English words outside of commands in backticks."""
    return re.findall(r"[A-Za-z]{3,} [a-z]{2,} [a-z]{2,}", re.sub("`[^`]*`", "", printed))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUBAN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TUBAN_LANGUAGE", "zh")
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "home"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "en_US.UTF-8"}, "en"),
        ({"LANG": "C", "TUBAN_LANGUAGE": "zh"}, "zh"),
        ({"LANG": "zh_CN.GBK", "TUBAN_LANGUAGE": "en"}, "en"),
    ],
)
def test_the_setting_precedes_the_locale(
    variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TUBAN_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert language() == expected


def test_errors_are_chinese(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _tuban("status") == 2
    assert "还没有图斑的数据表" in capsys.readouterr().err
    embedded_database(home / "tuban.db").close()
    for command, expected in (
        (("people", "link", "nobody"), "没有用户“nobody”"),
        (("camera", "capture", "山脊"), "没有摄像头“山脊”"),
        (("revive",), "请给出要重试的任务编号"),
        (("audit", "--alert", "X1"), "没有图斑 X1"),
        (("ingest", "/no/such.tif", "--area", "330102"), "/no/such.tif 不存在"),
    ):
        assert _tuban(*command) == 2, command
        assert expected in capsys.readouterr().err


def test_the_status_is_chinese(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    database = embedded_database(home / "tuban.db")
    with database.write() as session:
        job = add_job(session, kind="scan.prepare", queue="scan", payload={"scan_id": 7}, unique_key="k", now=NOW)
        assert job is not None
        claimed = claim(session, job, "host:1:2", NOW, 60)
        assert claimed is not None
        fail(session, claimed, "磁盘已满", NOW, 1, ())
    database.close()
    assert _tuban("status") == 1
    printed = capsys.readouterr().out
    assert "正在运行：无（请启动 `tuban up`）。" in printed
    assert "失败任务 1（scan.prepare，" in printed
    assert "1 个失败任务" in printed
    assert "最长等待" in printed
    assert _english(printed) == []


@pytest.mark.parametrize(
    "command", [("jobs",), ("people", "list"), ("night",), ("areas", "list"), ("layers", "list"), ("camera", "list"),
                ("images", "list"), ("deliveries",), ("audit",), ("check",), ("retention",)]
)  # fmt: skip
def test_commands_on_an_empty_service_are_chinese(
    home: Path, command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    embedded_database(home / "tuban.db").close()
    assert _tuban(*command) == 0
    printed = capsys.readouterr().out
    assert re.search(r"[一-鿿]", printed)
    assert _english(printed) == []
