"""``tuban``: the list of commands is fast and complete, and errors have no traceback."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest

from cli.main import COMMANDS, load_command, main


def test_listing_the_commands_imports_none_of_them() -> None:
    program = "import sys, cli.main\nsys.argv = ['tuban', '--help']\ntry: cli.main.main()\nexcept SystemExit: pass\n"
    program += "print([name for name in ('torch', 'rasterio', 'sqlalchemy', 'celery') if name in sys.modules])"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert output.splitlines()[-1] == "[]"
    assert all(name in output for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_listed_command_exists_and_has_a_help_text(name: str) -> None:
    command = load_command(name)
    assert command.name == name
    assert command.help or all(sub.help for sub in command.commands.values())


def test_the_version_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["tuban", "--version"])
    with pytest.raises(SystemExit) as exit_info:
        main()
    assert (exit_info.value.code, capsys.readouterr().out) == (0, f"tuban {version('tuban')}\n")


@pytest.mark.parametrize("arguments", [["scna"], ["scan", "--wrong"], ["scan", "only_one.tif"]])
def test_wrong_arguments_are_reported_without_a_traceback(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["tuban", *arguments])
    with pytest.raises(SystemExit) as exit_info:
        main()
    assert exit_info.value.code == 2
    assert "--help" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "expected"),
    [("tuban ima", "images"), ("tuban images pu", "purge"), ("tuban images list --un", "--undated")],
)
def test_the_shell_completes_commands_and_options(
    words: str, expected: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_TUBAN_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
    monkeypatch.setattr(sys, "argv", ["tuban"])
    with pytest.raises(SystemExit):
        main()
    assert capsys.readouterr().out.split() == [expected]
