"""The alerting rules and the dashboard use metrics that exist, and the rules fire when they should."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from service.monitoring.problems import PROBLEM_KINDS

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "deploy" / "monitoring"
METRIC = re.compile(r"\btuban_[a-z0-9_]+")


def existing_metrics() -> set[str]:
    return set(METRIC.findall((ROOT / "service" / "metrics.py").read_text("utf-8")))


def test_the_rules_use_metrics_that_exist() -> None:
    rules = yaml.safe_load((FOLDER / "tuban.rules.yml").read_text("utf-8"))["groups"][0]["rules"]
    used = {name for rule in rules for name in METRIC.findall(rule["expr"])}
    assert len(used) >= 6
    assert used <= existing_metrics()
    assert all({"summary", "description"} <= rule["annotations"].keys() for rule in rules)


def test_each_problem_has_a_rule() -> None:
    rules = yaml.safe_load((FOLDER / "tuban.rules.yml").read_text("utf-8"))["groups"][0]["rules"]
    patterns = [re.search(r'tuban_problem\{problem(=~|!~)"([^"]+)"', rule["expr"]) for rule in rules]
    covered = {
        kind
        for found in patterns
        if found
        for kind in PROBLEM_KINDS
        if bool(re.fullmatch(found[2], kind)) == (found[1] == "=~")
    }
    assert covered == set(PROBLEM_KINDS)


def test_the_dashboard_uses_metrics_that_exist() -> None:
    dashboard = json.loads((FOLDER / "grafana-dashboard.json").read_text("utf-8"))
    used = {
        name for panel in dashboard["panels"] for target in panel["targets"] for name in METRIC.findall(target["expr"])
    }
    assert len(used) >= 10
    assert used <= existing_metrics()
    places = [tuple(panel["gridPos"].values()) for panel in dashboard["panels"]]
    assert len(set(places)) == len(places)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian's package prometheus) is not installed")
def test_the_rules_fire_when_they_should() -> None:
    for arguments in (["check", "rules", "tuban.rules.yml"], ["test", "rules", "tuban.rules.test.yml"]):
        done = subprocess.run(["promtool", *arguments], cwd=FOLDER, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
