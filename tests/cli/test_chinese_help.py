"""Help and errors of commands are Chinese where TUBAN_LANGUAGE says so."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from cli.chinese_help import chinese_help, chinese_summaries, help_key
from cli.main import COMMANDS, load_command, main

CHINESE = re.compile(r"[一-鿿]")
KEPT = re.compile(r"--[a-z][a-z-]+|\b[A-Z]+_[A-Z]+\b|[a-z_]+\.(?:csv|json|yaml|gpkg|tif|db)\b")
"""Parts of a text that both languages have: options, variables, names of files."""


def _walk(command: Any, path: str) -> Iterator[tuple[str, str]]:
    if command.help:
        yield path, command.help.strip()
    for parameter in command.params:
        if getattr(parameter, "help", None):
            yield help_key(path, parameter), parameter.help
    for name, inner in getattr(command, "commands", {}).items():
        yield from _walk(inner, f"{path} {name}")


@pytest.fixture(scope="module")
def english() -> dict[str, str]:
    return dict(text for name in COMMANDS for text in _walk(load_command(name), name))


def test_every_help_text_has_a_chinese_one(english: dict[str, str]) -> None:
    chinese = chinese_help()
    assert english.keys() - chinese.keys() == set(), "add them to configs/texts/help/commands.yaml"
    assert chinese.keys() - english.keys() == set(), "unused texts"
    assert [key for key, text in chinese.items() if not CHINESE.search(text)] == []
    assert set(chinese_summaries()) == set(COMMANDS)


def test_both_languages_name_the_same_options_files_and_exit_codes(english: dict[str, str]) -> None:
    differ = {}
    for key, text in english.items():
        chinese = chinese_help()[key]
        if set(KEPT.findall(text)) != set(KEPT.findall(chinese)):
            differ[key] = set(KEPT.findall(text)) ^ set(KEPT.findall(chinese))
        codes = [re.findall(r"(?<![\d.])\d+(?= )", part.partition(label)[2].replace("\n", " "))
                 for part, label in ((text, "Exit codes:"), (chinese, "退出码："))]  # fmt: skip
        if sorted(codes[0]) != sorted(codes[1]) and "Exit codes" in text:
            differ[key] = codes
    assert differ == {}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--help"], "比对同一地点的两期影像"),
        (["layers", "load", "--help"], "把文件导入为图层的新版本"),
        (["layers", "--help"], "启用某个版本"),
        (["scan"], "缺少参数"),
        (["scan", "a.tif", "b.tif", "--colour", "red"], "没有选项 --colour"),
        (["jobs", "--limit", "many"], "不是数字"),
        (["fly"], "没有命令 fly"),
        (["areas", "list", "--level", "city"], "可选"),
    ],
)
def test_help_and_wrong_arguments_are_chinese(
    arguments: list[str], expected: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TUBAN_LANGUAGE", "zh")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(sys, "argv", ["tuban", *arguments])
    with pytest.raises(SystemExit):
        main()
    printed = capsys.readouterr()
    assert expected in printed.out + printed.err
    assert "Usage" not in printed.err
