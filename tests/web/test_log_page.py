"""The audit log is readable: every action has a name in both languages."""

from __future__ import annotations

import ast
from pathlib import Path

from configs.texts import catalogue
from tests.web.conftest import SignIn

ROOT = Path(__file__).parents[2]
RECORDERS = {"log_action", "record_action"}


def _recorded() -> set[str]:
    """Return the names of all actions that the code records: literals of its calls, and of variables named ``what``."""
    names: set[str] = set()
    for room in ("web", "service", "store", "cli", "workers"):
        for path in (ROOT / room).rglob("*.py"):
            source = "" if "node_modules" in path.parts else path.read_text("utf-8")
            if not any(name in source for name in RECORDERS):
                continue
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") in RECORDERS:
                    values = [keyword.value for keyword in node.keywords if keyword.arg == "what"] + node.args[3:4]
                elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in ("what", "action"):
                    values = [node.value]
                else:
                    continue
                for value in values:
                    branches = [value.body, value.orelse] if isinstance(value, ast.IfExp) else [value]
                    names |= {b.value for b in branches if isinstance(b, ast.Constant) and isinstance(b.value, str)}
    return names


def test_every_recorded_action_has_a_name() -> None:
    recorded = _recorded()
    assert {"signed_in", "stopped_camera", "deleted_by_retention", "replaced_camera"} <= recorded
    assert {name for name in recorded if f"log.did_{name}" not in catalogue()} == set()


def test_the_log_shows_names_and_filters_by_them(sign_in: SignIn) -> None:
    admin = sign_in("admin")
    data = {"login": "xin", "name": "新人", "role": "village", "code": "330199101001"}
    assert admin.post("/people", data=data).status_code == 200
    page = admin.get("/log?what=added_person").text
    assert "<td>添加人员</td>" in page
    assert "<td>added_person</td>" not in page
