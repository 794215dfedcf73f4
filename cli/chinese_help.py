"""Chinese help of commands: ``configs/texts/help/commands.yaml`` in place of the English texts in the code."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import yaml
from typer import rich_utils

from configs import FOLDER

_FILE = FOLDER / "texts" / "help" / "commands.yaml"

_WORDS = {
    "ARGUMENTS_PANEL_TITLE": "参数",
    "OPTIONS_PANEL_TITLE": "选项",
    "COMMANDS_PANEL_TITLE": "命令",
    "ERRORS_PANEL_TITLE": "错误",
    "ABORTED_TEXT": "已取消。",
    "DEFAULT_STRING": "[默认：{}]",
    "REQUIRED_LONG_STRING": "[必填]",
    "ENVVAR_STRING": "[环境变量：{}]",
    "RICH_HELP": "用 [blue]'{command_path} {help_option}'[/] 查看帮助。",
}
"""Texts of the frame around the help, by their names in :mod:`typer.rich_utils`."""

HELP_OPTION = "显示本帮助。"
MAIN_OPTIONS = {
    "--help": HELP_OPTION,
    "--version": "显示版本号。",
    "--install-completion": "为当前 shell 安装命令补全。",
    "--show-completion": "显示当前 shell 的补全脚本，供复制或自行安装。",
}
"""Options before the name of a command."""

INTRODUCTION = "图斑（Tuban）比对航空或卫星影像的两个时相，发现新增建设和动土。\n\n结果均为疑似变化，须实地核查。"


_USAGE_ERRORS = (
    (r"No such option: (\S+) \(Possible options: (.+)\)", "没有选项 {0}，是否应为：{1}？"),
    (r"No such option: (\S+?)\.?(?: Did you mean .+)?$", "没有选项 {0}。"),
    (r"No such command '(.+?)'\.", "没有命令 {0}。"),
    (r"Missing option '(.+)'\.?", "缺少选项 {0}。"),
    (r"Missing argument '(.+)'\.?", "缺少参数 {0}。"),
    (r"Missing command\.?", "缺少子命令。"),
    (r"Option '?(\S+?)'? requires an argument\.?", "选项 {0} 需要一个值。"),
    (r"Got unexpected extra arguments? \((.+)\)", "多余的参数：{0}。"),
    (r"Invalid value for (.+?): '?(.*?)'? is not one of (.+?)\.?$", "{0} 的值“{1}”无效，可选：{2}。"),
    (r"Invalid value for (.+?): (?:Path|File|Directory) '(.+)' does not exist\.", "{0}：路径“{1}”不存在。"),
    (r"Invalid value for (.+?): (?:'.+' is not|Input should be) a valid (?:int|number|float).*", "{0} 不是数字。"),
    (r"Invalid value for (.+?): Input should be (?:greater|less) than (?:or equal to )?(\S+)", "{0} 超出范围（{1}）。"),
    (r"Invalid value for (.+?): Input should be (.+)", "{0} 的值无效，可选：{1}。"),
    (r"Invalid value for (.+?): '(.+)' does not match the format '?(.+?)'?\.", "{0} 的值“{1}”应写作 {2}。"),
    (r"Invalid value for (.+?): (\S+) is not in the range (.+?)\.", "{0} 的值 {1} 超出范围 {2}。"),
    (r"Invalid value(?: for (.+?))?: (.+)", "{0} 的值无效：{1}"),
)
"""Messages of the library about wrong options and arguments, with their Chinese ones."""


def chinese_usage_error(message: str) -> str:
    """Return a message about wrong options and arguments in Chinese; unchanged if it is of another kind."""
    for pattern, chinese in _USAGE_ERRORS:
        if found := re.match(pattern, message, re.DOTALL):
            return chinese.format(*(value or "" for value in found.groups()))
    return message


@cache
def _texts() -> dict[str, dict[str, str]]:
    texts: dict[str, dict[str, str]] = yaml.safe_load(_FILE.read_text("utf-8"))
    return texts


def chinese_summaries() -> dict[str, str]:
    """Return the line of each command in the list of commands."""
    return _texts()["list"]


def chinese_help() -> dict[str, str]:
    """Return the help texts: ``command sub-command``, and with the option or the name of the argument after it."""
    return _texts()["help"]


def help_key(path: str, parameter: Any) -> str:
    """Return the key of a parameter's help: an option by its first name, an argument by its own."""
    return f"{path} {parameter.opts[0] if parameter.opts else parameter.name}"


def translate_help(command: Any, path: str) -> None:
    """Replace the help of a command, its parameters and its sub-commands.

    Args:
        command: a Click command.
        path: names of the command and those above it, like ``layers load``.
    """
    texts = chinese_help()
    command.help = texts.get(path, command.help)
    command.short_help = command.help.split("\n")[0] if command.help else None
    for parameter in command.params:
        if getattr(parameter, "help", None):
            parameter.help = texts.get(help_key(path, parameter), parameter.help)
    for name, inner in getattr(command, "commands", {}).items():
        translate_help(inner, f"{path} {name}")
    translate_help_option(command)


def translate_help_option(command: Any) -> None:
    """Replace the text of ``--help``, which Click makes for each call."""
    original = command.get_help_option

    def get_help_option(context: Any) -> Any:
        option = original(context)
        if option is not None:
            option.help = HELP_OPTION
        return option

    command.get_help_option = get_help_option


def translate_frame() -> None:
    """Replace the texts around the help: titles of panels, defaults, errors."""
    for name, words in _WORDS.items():
        if hasattr(rich_utils, name):
            setattr(rich_utils, name, words)
