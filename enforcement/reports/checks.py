"""Checks that a report carries: stock, land, sums of the lower reports, completeness. Each returns its numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from configs.texts import text
from enforcement.reports.content import Content, figures
from enforcement.reports.sheet import Check

ROUNDING_MU = 0.005
"""Areas are shown with two decimals: smaller differences do not count."""

_COMPARED = ("added", "removed", "closing")
_LISTED = 5


@dataclass(frozen=True)
class CheckResult:
    """Outcome of a check with the numbers that were compared, as values of the text ``reports.check_KEY``."""

    key: str
    passed: bool
    numbers: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return it for the database."""
        return {"key": self.key, "passed": self.passed, "numbers": dict(self.numbers)}

    def words(self, language: str, reason: str = "") -> Check:
        """Return it in words."""
        verdict = "passed" if self.passed else "failed"
        words = text(f"reports.check_{self.key}", language, **self.numbers)
        return Check(self.key, self.passed, f"{words} {text(f'reports.check_{verdict}', language)}", reason)


def run_checks(names: Iterable[str], content: Content) -> list[CheckResult]:
    """Return the results of some checks over a content with its corrections."""
    checks = {"stock": check_stock, "farmland": check_farmland, "lower": check_lower, "complete": check_complete}
    return [checks[name](content) for name in names]


def check_stock(content: Content) -> CheckResult:
    """Previous closing stock + added = removed + closing stock."""
    found = figures(content)
    opening = found["opening"] if content.previous_closing is None else content.previous_closing
    numbers = {"opening": opening, **{name: found[name] for name in _COMPARED}}
    return CheckResult("stock", opening + found["added"] == found["removed"] + found["closing"], numbers)


def check_farmland(content: Content) -> CheckResult:
    """Basic farmland ≤ farmland ≤ agricultural land ≤ area, in every row."""
    wrong: list[str] = []
    for rows in content.tables.values():
        for row in rows:
            areas = [row.values.get(name) for name in ("basic_mu", "farmland_mu", "agricultural_mu", "area_mu")]
            known = [value for value in areas if isinstance(value, int | float)]
            if any(small > large + ROUNDING_MU for small, large in pairwise(known)):
                shown = " > ".join(f"{value:.2f}" for value in known)
                wrong.append(f"{row.values.get('number') or row.key} ({shown})")
    more = f" … +{len(wrong) - _LISTED}" if len(wrong) > _LISTED else ""
    return CheckResult("farmland", not wrong, {"count": len(wrong), "rows": ", ".join(wrong[:_LISTED]) + more or "–"})


def check_lower(content: Content) -> CheckResult:
    """The sum of the lower reports = what the alerts of the area say."""
    found, own = figures(content), content.own
    equal = all(found[name] == own.get(name, 0) for name in _COMPARED)
    area, own_area = float(found["area_mu"]), float(own.get("area_mu", 0))
    equal = equal and abs(area - own_area) < ROUNDING_MU * (1 + len(content.tables.get("lower_reports", ())))
    numbers = {name: found[name] for name in _COMPARED} | {f"own_{name}": own.get(name, 0) for name in _COMPARED}
    return CheckResult("lower", equal, numbers | {"area": f"{area:.2f}", "own_area": f"{own_area:.2f}"})


def check_complete(content: Content) -> CheckResult:
    """Every lower report was submitted."""
    found = figures(content)
    missing = [row for row in content.tables.get("lower_reports", ()) if row.emphasis]
    names = "、".join(str(row.values.get("area", row.key)) for row in missing) or "–"
    numbers = {"due": found["due"], "submitted": found["submitted"], "missing": found["missing"], "names": names}
    return CheckResult("complete", not missing and not found["missing"], numbers)
