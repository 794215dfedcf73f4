"""Reasons are said in Chinese by their code, wherever they arise and however they were stored meanwhile."""

from __future__ import annotations

import ast
import json
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter
from typing import get_args

import pytest

from configs.texts import reason_texts, translate
from errors import ImageError, Reason
from imagery.cameras.camera import FaultCode
from imagery.files.formats import detect_format

ROOT = Path(__file__).parents[2]
ROOMS = ("imagery", "inference", "enforcement", "store", "service", "workers", "web")
REASONED = ("Reason", "NotComparable", "NotAllowed", "Conflict")
CODE = re.compile(r"[a-z]+\.[a-z_]+")
CHINESE = re.compile(r"[一-鿿]")


def _given() -> Iterator[tuple[str, set[str] | None]]:
    """Code and names of facts wherever a reason is made; None: they come from elsewhere."""
    for path in (path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        if "node_modules" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            name = node.func.id
            given = 1 if name.endswith("Error") or name in REASONED else 9
            at = {"NotGeoreferenced": 2, "ControlPointError": 2}.get(name, given)
            code = node.args[at] if len(node.args) > at else None
            if isinstance(code, ast.Constant) and CODE.fullmatch(str(code.value)):
                names = {word.arg for word in node.keywords if word.arg}
                yield str(code.value), {"name"} if name == "NotGeoreferenced" else names


def _fields(text: str) -> set[str]:
    return {field for _, field, _, _ in Formatter().parse(text) if field}


def test_every_code_has_a_text_whose_values_are_given_where_it_arises() -> None:
    texts, seen = reason_texts(), set()
    for code, names in _given():
        assert code in texts, code
        given = names if code not in ("plan.close", "plan.old") else {"least", "oldest"}  # filled in later
        assert _fields(texts[code]) <= (given or set()), code
        seen.add(code)
    computed = {"align.earlier_empty", "align.later_empty", "alert.again", "alert.again_within"}
    computed |= {f"camera.{fault}" for fault in get_args(FaultCode)}
    assert set(texts) - seen <= computed, "nothing says these any more"
    assert all(CHINESE.search(text) for text in texts.values())


@pytest.mark.parametrize(
    "head", [b"", b"%PDF-1.4\0", b"<VRTDataset>", b"hello", b"\1\2\0\3", b"e\x02\0", b"\0\0\0\x20ftypheic"]
)
def test_a_refused_file_is_refused_in_chinese_too(head: bytes) -> None:
    with pytest.raises(ImageError) as refused:
        detect_format(head, "村.tif")
    said = translate(refused.value.reason, "zh")
    assert said.startswith("村.tif 是")
    assert said.endswith("。")
    assert translate(refused.value.reason, "en") == str(refused.value)


def test_what_was_stored_or_came_from_another_process_says_the_same() -> None:
    inner = Reason("it is encrypted", "zip.encrypted")
    error = ImageError("a.tif in b.zip is not unpacked: it is encrypted.", "zip.member", name="a.tif", fault=inner)
    stored = json.loads(json.dumps(error.reason.to_json()))
    again = Reason.from_json(str(error), stored)
    assert translate(again, "zh") == "a.tif 未解压：文件已加密，请不设密码重新打包。"
    assert again.to_json() == error.reason.to_json() == pickle.loads(pickle.dumps(error)).reason.to_json()


def test_several_reasons_are_said_one_after_the_other_and_unknown_ones_as_they_are() -> None:
    both = Reason.combine([Reason("the day it was taken is not known", "remark.no_date"), "something new"])
    assert both == "the day it was taken is not known; something new"
    assert translate(Reason.from_json(both, both.to_json()), "zh") == "拍摄日期不详；something new"
    assert (
        translate(Reason.from_json("of another version", {"code": "file.truncated", "name": "x"}), "zh")
        == "of another version"
    )
    assert translate(Reason.combine([]), "zh") == ""


def test_reasons_stored_under_the_former_noun_are_still_said_in_chinese() -> None:
    stored = {"code": "lead.again", "lead": "330106W2026110001", "share": 0.8}
    now = Reason("the same", "alert.again", alert="330106W2026110001", share=0.8)
    assert translate(Reason.from_json("the same", stored), "zh") == translate(now, "zh") != "the same"
