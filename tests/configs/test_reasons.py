"""Reasons: every code has a Chinese text, and stored reasons are translated."""

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

from cli.administration.night import OUTCOME_LABELS
from cli.administration.status import PART_LABELS
from cli.learning.evaluate import OBJECT_HEADS, RESOLUTION_HEADS, ROBUSTNESS_HEADS
from cli.progress import LABELS
from configs.texts import reason_texts, translate
from enforcement.field_check.form import FieldKind
from errors import ImageError, Reason
from imagery.cameras.camera import FaultCode
from imagery.dates import FILE_NAME, FOLDER_NAME, GIVEN, PHOTOS, UNKNOWN, describe_source
from imagery.files.formats import detect_format
from imagery.raster_kind import COMPARED_KINDS, RasterKind
from service.images.correct import CORRECTED
from store.areas.layer_versions import STATES
from training.sources.manifest import Question

ROOT = Path(__file__).parents[2]
ROOMS = ("imagery", "inference", "enforcement", "store", "service", "workers", "web", "cli", "configs")
REASONED = (
    "Reason",
    "NotComparable",
    "NotAllowed",
    "Conflict",
    "say",
    "InsufficientDiskSpace",
    "TipNotAllowed",
    "TooManyReports",
    "InformantLocked",
    "InvalidFindings",
    "StepRefused",
    "EvidenceConflict",
    "EvidenceRejected",
    "FileRefused",
    "NotKept",
)
CODE = re.compile(r"[a-z_]+\.[a-z_]+")
DATE_SOURCES = (
    *(GIVEN, FILE_NAME, FOLDER_NAME, PHOTOS, UNKNOWN, CORRECTED, "tag DATETIME", "camera"),
    *("camera's clock", "satellites", "file or folder name"),  # of photos, see imagery.drone.photo
)
CHINESE = re.compile(r"[一-鿿。]")


def _codes_in_source() -> Iterator[tuple[str, set[str]]]:
    """Yield code and names of values of every reason in the source code."""
    for path in (path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        if "node_modules" in path.parts:
            continue
        tree = ast.parse(path.read_text("utf-8"))
        keys = {
            key.value
            for each in ast.walk(tree)
            if isinstance(each, ast.Dict)
            for key in each.keys
            if isinstance(key, ast.Constant)
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            name = node.func.id
            default = 1 if name.endswith("Error") or name in REASONED else 9
            position = {"NotGeoreferenced": 2, "ControlPointError": 2}.get(name, default)
            code = node.args[position] if len(node.args) > position else None
            if isinstance(code, ast.Constant) and CODE.fullmatch(str(code.value)):
                names = {keyword.arg for keyword in node.keywords if keyword.arg}
                names |= keys if any(keyword.arg is None for keyword in node.keywords) else set()  # **values
                yield str(code.value), {"name"} if name == "NotGeoreferenced" else names


def _headings() -> Iterator[str]:
    """Yield the keys of all headings in tables of commands, and of names of settings and processes."""
    for path in (ROOT / "cli").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("headed", "head", "column", "Column"):
                names = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
            elif isinstance(node, ast.For) and "head(" in ast.unparse(node.body[0]):
                names = [each.value for each in ast.walk(node.iter) if isinstance(each, ast.Constant)]
            else:
                continue
            yield from (f"head.{str(name).replace(' ', '_')}" for name in names)
    yield from (f"head.{name}" for name in PART_LABELS.values())
    for name in (*OBJECT_HEADS, *RESOLUTION_HEADS, *ROBUSTNESS_HEADS):
        yield f"head.{name.replace(' ', '_')}"


def _fields(text: str) -> set[str]:
    return {field for _, field, _, _ in Formatter().parse(text) if field}


def test_every_code_has_a_text_with_matching_values() -> None:
    texts, seen = reason_texts(), set()
    for code, names in _codes_in_source():
        assert code in texts, code
        values = names if code not in ("plan.close", "plan.old") else {"least", "oldest"}  # added by the caller
        computed_values = {"longitude", "latitude"} if {"lon", "lat"} <= values else set()
        assert _fields(texts[code]) <= values | computed_values, code
        seen.add(code)
    computed = {"align.earlier_empty", "align.later_empty", "alert.again", "alert.again_within"}
    computed |= {f"camera.{fault}" for fault in get_args(FaultCode)}
    computed |= {f"kind_remark.{kind}" for kind in COMPARED_KINDS if kind != "picture"}
    computed |= {f"kind.{kind}" for kind in get_args(RasterKind) if kind not in COMPARED_KINDS}
    computed |= {f"source.{source}" for source in ("drone", "satellite", "camera")}
    computed |= {f"cli.alert_{outcome}" for outcome in OUTCOME_LABELS} | {f"cli.step_{step}" for step in LABELS}
    computed |= {f"cli.unit_{unit}" for unit in ("d", "h", "min", "s")} | set(_headings())
    computed |= {describe_source(source).code for source in DATE_SOURCES}
    computed |= {f"evaluate.question_{question}" for question in get_args(Question)}
    computed |= {f"evaluate.{change}" for change in ("shift", "gamma", "blur", "scale")}
    computed |= {"evaluate.from_given", "evaluate.from_manifest"}
    computed |= {"cli.verify_ok", "cli.verify_wrong", "cli.verify_open"}
    computed |= {f"layer_state.{state}" for state in STATES}
    computed |= {f"field.expected_{kind}" for kind in get_args(FieldKind)}
    form = (ROOT / "enforcement" / "steps" / "evidence_form.py").read_text("utf-8")
    computed |= {f"evidence.value_{fault}" for fault in re.findall(r'_fault\(.*?, "([a-z_]+)", limits', form)}
    computed |= {"evidence.no_image", "evidence.no_image_photos"}
    assert set(texts) - seen <= computed, "unused texts"
    assert all(CHINESE.search(text) for text in texts.values())


@pytest.mark.parametrize(
    "head", [b"", b"%PDF-1.4\0", b"<VRTDataset>", b"hello", b"\1\2\0\3", b"e\x02\0", b"\0\0\0\x20ftypheic"]
)
def test_rejected_file_has_a_chinese_reason(head: bytes) -> None:
    with pytest.raises(ImageError) as raised:
        detect_format(head, "村.tif")
    translated = translate(raised.value.reason, "zh")
    assert translated.startswith("村.tif 是")
    assert translated.endswith("。")
    assert translate(raised.value.reason, "en") == str(raised.value)


def test_longitudes_west_of_greenwich_have_their_own_word() -> None:
    where = {"lon": -0.1278, "lat": -33.5, "lies_in": "", "area": "样例县", "km": 1.0}
    assert "位于西经 0.12780、南纬 33.50000" in translate(Reason("It lies elsewhere", "area.elsewhere", **where), "zh")


def test_stored_and_pickled_reasons_are_equal() -> None:
    inner = Reason("it is encrypted", "zip.encrypted")
    error = ImageError("a.tif in b.zip is not unpacked: it is encrypted.", "zip.member", name="a.tif", fault=inner)
    stored = json.loads(json.dumps(error.reason.to_json()))
    again = Reason.from_json(str(error), stored)
    assert translate(again, "zh") == "a.tif 未解压：文件已加密，请不设密码重新打包。"
    assert again.to_json() == error.reason.to_json() == pickle.loads(pickle.dumps(error)).reason.to_json()


def test_combined_reasons_are_joined_and_unknown_ones_stay_english() -> None:
    both = Reason.combine([Reason("the day it was taken is not known", "remark.no_date"), "something new"])
    assert both == "the day it was taken is not known; something new"
    assert translate(Reason.from_json(both, both.to_json()), "zh") == "拍摄日期不详；something new"
    assert (
        translate(Reason.from_json("of another version", {"code": "file.truncated", "name": "x"}), "zh")
        == "of another version"
    )
    assert translate(Reason.combine([]), "zh") == ""


def test_reasons_stored_under_the_former_name_lead_are_translated() -> None:
    stored = {"code": "lead.again", "lead": "330106W2026110001", "share": 0.8}
    now = Reason("the same", "alert.again", alert="330106W2026110001", share=0.8)
    assert translate(Reason.from_json("the same", stored), "zh") == translate(now, "zh") != "the same"
