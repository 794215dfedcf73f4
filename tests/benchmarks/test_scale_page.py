"""The page about provinces and countries follows from measured figures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "generate"))


def test_the_page_is_that_of_the_stored_figures() -> None:
    """If this fails: ``python docs/generate/scale_page.py`` writes it again."""
    from scale_page import PAGE, page, read_measured

    try:
        measured = read_measured()
    except KeyError:
        assert not PAGE.exists(), "a page of figures that are no longer stored"
    else:
        assert PAGE.read_text("utf-8") == page(measured)


def test_time_storage_and_rows_are_computed_from_the_figures() -> None:
    from scale_page import Measured, duration, page, rounds, size

    measured = Measured(4.0, 9.0, 1.5, 2500.0, 1_000_000, 600.0, 5000.0)
    _, province, country = rounds(measured)
    assert province.gigapixels == 680
    assert province.scans == 1700
    assert province.jobs == 1700 * 100 / 4 + 3 * 1700
    assert province.hours == pytest.approx(680_000 / 4 / 3600)
    assert country.gigapixels == 38_400
    assert (duration(0.5), duration(47), duration(47.2), duration(100_000)) == (
        "30 minutes",
        "47 hours",
        "47 hours",
        "11 years",
    )
    assert (size(999), size(1.02e12)) == ("999 bytes", "1 TB")
    text = page(measured)
    assert "| a province | 680 | 1,700 | 47,600 | 47 |" in text
    assert "238 jobs per second" in text, "1,000 workers, each 4 blocks of 2,048² pixels in 4.2 s"
    assert "No price is given" in text
    assert "| a province | 5 | 57 |" in page(measured, 0.1, "EUR, an offer")


def test_a_missing_figure_is_named(tmp_path: Path) -> None:
    from scale_page import read_measured

    (tmp_path / "results.json").write_text(json.dumps({"lines": {}, "jobs": {"rows": [{}]}}))
    with pytest.raises(KeyError, match="LINES=b"):
        read_measured(tmp_path / "results.json")
