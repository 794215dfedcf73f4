"""Every error that is raised has a Chinese text, by its code or by its English message."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from configs.texts import translate
from configs.texts.plain_messages import message_templates
from errors import Reason, TubanError
from tests.configs.test_reasons import CHINESE, CODE, ROOMS, ROOT

EXCEPTIONS = {each.__name__ for each in (TubanError, *TubanError.__subclasses__()) if each.__module__ == "errors"}
FOLDERS = tuple(room for room in (*ROOMS, "model", "training") if room != "web")


def _template(node: ast.expr) -> str:
    """Return a message with its values numbered."""
    numbers = iter(range(100))

    def text(part: ast.expr) -> str:
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            return part.value
        if isinstance(part, ast.JoinedStr):
            return "".join(text(value) for value in part.values)
        if isinstance(part, ast.BinOp):
            return text(part.left) + text(part.right)
        return f"{{{next(numbers)}}}"

    return text(node)


def _without_code() -> Iterator[tuple[str, str]]:
    """Yield place and message of each raised error that has no code."""
    for path in (path for room in FOLDERS for path in (ROOT / room).rglob("*.py")):
        if "migrations" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            call = node.exc if isinstance(node, ast.Raise) else None
            if not isinstance(call, ast.Call) or getattr(call.func, "id", "") not in EXCEPTIONS or not call.args:
                continue
            given = [*call.args[1:2], *(keyword.value for keyword in call.keywords if keyword.arg == "code")]
            if any(not isinstance(code, ast.Constant) or CODE.fullmatch(str(code.value)) for code in given):
                continue
            if isinstance(call.args[0], ast.Constant | ast.JoinedStr | ast.BinOp):
                yield f"{Path(path).relative_to(ROOT)}:{node.lineno}", _template(call.args[0])


def test_every_error_has_a_chinese_text() -> None:
    raised = {message: place for place, message in _without_code()}
    known = {english.replace("{{", "{").replace("}}", "}") for english in message_templates()}
    missing = {message: place for message, place in raised.items() if message not in known}
    assert missing == {}, "give these errors a code, or add them to configs/texts/help/errors.yaml"
    assert known - raised.keys() == set(), "unused texts"
    assert [chinese for chinese in message_templates().values() if not CHINESE.search(chinese)] == []


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        (
            "Unknown weights 'huge' in weights; there are: accurate, fast.",
            "weights 中没有权重 'huge'，已有：accurate, fast。",
        ),
        ("The weights a.safetensors cannot be read (No such file).", "权重 a.safetensors 无法读取（No such file）。"),
        ("To rewrite a.tif, about 3.0 GiB are needed in /tmp, and 1.0 are free. Make room.",
         "改写 a.tif 需要在 /tmp 中约 3.0 GiB，现有 1.0。请腾出空间。"),
        ("shadow of a greenhouse", "shadow of a greenhouse"),  # the words of a person
    ],
)  # fmt: skip
def test_messages_are_found_by_their_words(english: str, chinese: str) -> None:
    assert translate(Reason(english), "zh") == chinese
    assert translate(Reason(english), "en") == english
