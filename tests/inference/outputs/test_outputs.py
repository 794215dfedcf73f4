"""Output folder of a scan: content, reproducibility to the byte, and nothing left after errors."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from configs.stage_clock import StageTime
from errors import OutputError, Reason
from inference.outputs.report import MOST_EMBEDDED, PICTURES_BYTES, Report
from inference.outputs.wording import printable
from inference.outputs.write import write_not_comparable, write_outputs

MALICIOUS = """<script>alert(1)</script>"'><img src=x onerror=alert(2)>{{7*7}}\u202egnp\udcff.tif"""


def _files(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def test_a_scan_writes_these_files(make_scan, blank, tmp_path):
    (tmp_path / "work.tif").write_bytes(b"probabilities")
    write_outputs(make_scan(), blank, blank, tmp_path / "out", probability=tmp_path / "work.tif")
    assert list(_files(tmp_path / "out")) == [
        "changes.geojson",
        "changes.gpkg",
        "probability.tif",
        "report.html",
        "scan.json",
        "thumbnails/0001_after.jpg",
        "thumbnails/0001_before.jpg",
        "thumbnails/0002_after.jpg",
        "thumbnails/0002_before.jpg",
    ]
    assert not (tmp_path / "work.tif").exists()


def test_a_repeated_scan_gives_the_same_bytes_except_for_timings(make_scan, painted, tmp_path):
    image = painted([(500_010.0, 3_318_780.0)])
    result = make_scan()
    write_outputs(result, image, image, tmp_path / "one")
    write_outputs(replace(result, stages={"registration": StageTime(2.5, 4.0)}), image, image, tmp_path / "two")
    one, two = _files(tmp_path / "one"), _files(tmp_path / "two")
    records = [json.loads(files.pop("scan.json")) for files in (one, two)]
    assert one == two
    assert records[0].pop("timings_s") != records[1].pop("timings_s")
    assert records[0].pop("stages") != records[1].pop("stages")
    assert json.dumps(records[0]) == json.dumps(records[1])


def test_an_error_while_pictures_are_read_leaves_nothing(make_scan, blank, tmp_path):
    class Broken:
        def read(self, geobox: object, shift: object = None) -> None:
            raise RuntimeError("disk removed")

    with pytest.raises(RuntimeError):
        write_outputs(make_scan(), Broken(), blank, tmp_path / "out")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_foreign_files_is_refused(make_scan, blank, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"notes\.txt"):
        write_outputs(make_scan(), blank, blank, tmp_path)


def test_the_record_contains_compared_and_not_compared_areas(make_scan, blank, tmp_path):
    write_outputs(make_scan(), blank, blank, tmp_path / "out")
    record = json.loads((tmp_path / "out" / "scan.json").read_text("utf-8"))
    assert record["outcome"] == "compared"
    assert record["looked_at"] == {"area_m2": 100_000.0, "area_mu": 150.0}
    assert record["not_looked_at"] == {"no data on the earlier date": {"area_m2": 20_000.0, "area_mu": 30.0}}
    assert record["changes"]["by_kind"]["ground"] == {"count": 1, "area_m2": 400.0, "area_mu": 0.6}
    assert record["inputs"]["before"]["sha256"] == "b" * 64
    assert record["grid"]["crs"] == "EPSG:32650"


def test_not_comparable_is_an_outcome_with_its_reason_and_no_report(make_scan, tmp_path):
    result = make_scan()
    write_not_comparable(tmp_path / "out", "residual 3.4 px", result.before, result.after, settings=result.settings)
    assert list(_files(tmp_path / "out")) == ["scan.json"]
    record = json.loads((tmp_path / "out" / "scan.json").read_text("utf-8"))
    assert (record["outcome"], record["reason"]) == ("not comparable", "residual 3.4 px")
    assert "changes" not in record


def test_not_comparable_replaces_an_earlier_result(make_scan, blank, tmp_path):
    result = make_scan()
    write_outputs(result, blank, blank, tmp_path / "out")
    write_not_comparable(tmp_path / "out", "no overlap", result.before, result.after)
    assert list(_files(tmp_path / "out")) == ["scan.json"]


def _page(result: object, image: object, tmp_path: Path) -> str:
    write_outputs(result, image, image, tmp_path / "out")  # type: ignore[arg-type]
    return (tmp_path / "out" / "report.html").read_text("utf-8")


@pytest.mark.parametrize("crs", ["EPSG:32650", None])
def test_the_report_is_self_contained(crs, make_scan, blank, tmp_path):
    page = _page(make_scan(crs, (500.0, 500.0)), blank, tmp_path)
    assert not re.search(r"https?:|//[a-z]|@import|url\(", re.sub(r"base64,[^\"]*", "", page.split("<script>")[0]))
    assert not re.search(r"fetch|XMLHttp|https?:|import\(", page.split("<script>")[1])
    targets = re.findall(r"""(?:src|href|srcset|action|poster|data)\s*=\s*["']?([^"'\s>]*)""", page)
    assert targets
    assert all(target.startswith(("data:image/jpeg;base64,", "#")) for target in targets)
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page


def test_a_malicious_file_name_stays_text(make_scan, blank, tmp_path):
    result = make_scan()
    page = _page(replace(result, before=replace(result.before, name=MALICIOUS)), blank, tmp_path)
    assert page.count("<script>") == 1
    assert "<img src=x" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "{{7*7}}" in page
    assert "\u202e" not in page
    assert json.loads((tmp_path / "out" / "changes.geojson").read_text("utf-8"))["before"]["name"] == printable(
        MALICIOUS
    )


def test_a_report_without_changes_states_compared_and_not_compared_areas(make_scan, blank, tmp_path):
    page = _page(make_scan(kinds=()), blank, tmp_path)
    assert "No change found in the 150.00 mu that were compared" in page
    assert "在已比对的 150.00\u00a0亩范围内未发现变化" in page
    assert "前时相无数据" in page


def test_wording_claims_only_suspicion(make_scan, blank, tmp_path):
    write_outputs(make_scan(kinds=("construction", "ground", "demolition")), blank, blank, tmp_path / "out")
    for name in ("report.html", "scan.json", "changes.geojson"):
        text = re.sub(r"base64,[^\"]*", "", (tmp_path / "out" / name).read_text("utf-8")).lower()
        assert "须经实地核查" in text
        assert not re.search("illegal|violation|违法|违规|违建", text)


def test_every_change_has_an_outline_an_entry_and_two_pictures(make_scan, blank, tmp_path):
    page = _page(make_scan(kinds=("construction", "ground", "demolition")), blank, tmp_path)
    for number in (1, 2, 3):
        assert page.count(f'id="m{number}"') == page.count(f'id="c{number}"') == 1
    assert page.count("data:image/jpeg;base64,") == 2 + 2 * 3


@pytest.mark.parametrize("count", [1, 80, 81, MOST_EMBEDDED])
def test_embedded_pictures_of_any_number_of_changes_fit_the_report(count, make_scan):
    report = Report(_many(make_scan, count))
    assert report.embedded
    assert 2 * count * report._most_bytes <= PICTURES_BYTES


def _many(make_scan, count):
    result = make_scan(kinds=("ground",))
    return replace(result, changes=tuple(replace(result.changes[0], number=n) for n in range(1, count + 1)))


def test_the_report_of_many_changes_loads_the_pictures_beside_it(make_scan, blank, tmp_path):
    count = MOST_EMBEDDED + 1
    page = _page(_many(make_scan, count), blank, tmp_path)
    assert page.count("data:image/jpeg;base64,") == 2  # the overview
    entries = json.loads(page.split('id="entries">')[1].split("</script>")[0])
    assert [entry[0] for entry in entries] == list(range(1, count + 1))
    for when in ("before", "after"):
        assert (tmp_path / "out" / "thumbnails" / f"{count:04d}_{when}.jpg").stat().st_size > 1000
    assert "img-src data: 'self' file:" in page.replace("&#39;", "'")


def test_progress_of_pictures_ends_at_one(make_scan, blank, tmp_path):
    told: list[tuple[str, float]] = []
    write_outputs(make_scan(), blank, blank, tmp_path / "out", progress=lambda *step: told.append(step))
    assert told == [("pictures", 0.5), ("pictures", 1.0)]


def test_an_interrupt_while_pictures_are_drawn_leaves_nothing(make_scan, blank, tmp_path):
    threads = threading.active_count()

    def interrupt(_: str, __: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_outputs(_many(make_scan, 60), blank, blank, tmp_path / "out", progress=interrupt)
    assert list(tmp_path.iterdir()) == []
    assert threading.active_count() == threads


def test_a_comparison_by_coordinates_alone_is_told_in_every_output(make_scan, blank, tmp_path):
    result = make_scan()
    words = "compared as georeferenced, position not confirmed by the images, ± 3.0 m"
    reason = Reason(words, "align.georeferenced", accuracy=3.0)
    unconfirmed = {"residual_px": None, "method": "georeferencing", "accuracy_px": 6.0, "reason": reason}
    page = _page(replace(result, alignment=replace(result.alignment, **unconfirmed)), blank, tmp_path)
    assert words in page
    assert "按坐标直接比对，位置未经影像印证，精度 ±3.0 米" in page
    record = json.loads((tmp_path / "out" / "scan.json").read_text("utf-8"))["alignment"]
    assert (record["method"], record["accuracy_m"], record["reason"]) == ("georeferencing", 3.0, words)
    [change, *_] = json.loads((tmp_path / "out" / "changes.geojson").read_text("utf-8"))["features"]
    assert (change["properties"]["registration"], change["properties"]["accuracy_m"]) == ("georeferencing", 3.0)
