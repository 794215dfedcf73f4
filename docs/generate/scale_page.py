"""Page about provinces and countries, from measured figures: ``python docs/generate/scale_page.py [--price P]``.

The figures are those of ``benchmarks/results.json``. Assumptions are constants of this file; the page names them.
"""

# ruff: noqa: E501  (sentences of the page)

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PAGE, RESULTS = ROOT / "docs" / "scale.md", ROOT / "benchmarks" / "results.json"

PLACES_KM2 = {"a county": 1_500, "a province": 170_000, "a country": 9_600_000}
GSD_M = 0.5
BLOCK_PX, BLOCKS_PER_JOB = 2048, 4  # configs/profiles.yaml, configs/service.yaml
SCENE_KM = 10  # side of one image and of one scan
ROUNDS = 12  # images of each place in a year
ALERTS_PER_KM2 = 0.1  # in a month
WORKERS = (1, 10, 100, 1_000)
CORES = 2  # of the machine that measured


@dataclass(frozen=True)
class Measured:
    """Figures of ``results.json`` that the page uses.

    Attributes:
        scan_mpx_s: megapixels of ground per second of ``tuban scan`` on one machine, line (b), mostly unchanged.
        network_mpx_s: the same of the network alone, line (a), ``accurate`` at 0.5 m.
        stored_bytes: bytes per pixel of a stored image, line (d).
        claims_s: claims per second with a million open jobs.
        open_jobs: waiting jobs at the start of that measurement.
        job_bytes: bytes of a job row with its indexes.
        alert_bytes: bytes of an alert with its sightings and steps, with indexes, line (i).
    """

    scan_mpx_s: float
    network_mpx_s: float
    stored_bytes: float
    claims_s: float
    open_jobs: int
    job_bytes: float
    alert_bytes: float


def read_measured(path: Path = RESULTS) -> Measured:
    """Read the figures.

    Raises:
        KeyError: a line was not measured yet; its letter is the message.
    """
    results: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"lines": {}}

    def value(line: str, beginning: str) -> float:
        rows = results["lines"].get(line, {}).get("rows", [])
        found = [row["value"] for row in rows if row["what"].startswith(beginning)]
        if not found:
            raise KeyError(f"line ({line}), {beginning}: measure it with `make bench LINES={line}`")
        return float(found[0])

    jobs = results.get("jobs", {}).get("rows", [])
    if not jobs:
        raise KeyError("jobs: measure them with `python -m benchmarks.jobs --write`")
    largest = max(jobs, key=lambda row: row.get("open", 0) + row.get("finished", 0))
    return Measured(
        scan_mpx_s=value("b", "`tuban scan`, mostly unchanged"),
        network_mpx_s=value("a", "`accurate`, openvino"),
        stored_bytes=value("d", "stored bytes per pixel"),
        claims_s=largest["claims_s"],
        open_jobs=largest["open"],
        job_bytes=largest["job_bytes"],
        alert_bytes=value("i", "database per alert"),
    )


@dataclass(frozen=True)
class Round:
    """One comparison of a place with its images of the month before.

    Attributes:
        name: of the place.
        gigapixels: of one date.
        scans: comparisons of two images.
        jobs: rows and messages: ingest, prepare, blocks and merge of each scan.
        hours: machine hours.
    """

    name: str
    gigapixels: float
    scans: int
    jobs: int
    hours: float


def rounds(measured: Measured) -> list[Round]:
    """Compute one round of each place."""
    found = []
    for name, km2 in PLACES_KM2.items():
        pixels = km2 * 1e6 / GSD_M**2
        scans = math.ceil(km2 / SCENE_KM**2)
        blocks = scans * math.ceil(SCENE_KM * 1000 / GSD_M / BLOCK_PX) ** 2
        jobs = math.ceil(blocks / BLOCKS_PER_JOB) + 3 * scans
        found.append(Round(name, pixels / 1e9, scans, jobs, pixels / 1e6 / measured.scan_mpx_s / 3600))
    return found


def duration(hours: float) -> str:
    """Return hours in words, with two digits."""
    for unit, size in (("years", 8766.0), ("days", 24.0), ("hours", 1.0), ("minutes", 1 / 60)):
        if hours >= 2 * size:
            return f"{float(f'{hours / size:.2g}'):,g} {unit}"
    return f"{hours * 3600:.0f} seconds"


def size(count: float) -> str:
    """Return bytes in words, with two digits."""
    for unit, factor in (("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= factor:
            return f"{float(f'{count / factor:.2g}'):,g} {unit}"
    return f"{count:.0f} bytes"


def page(measured: Measured, price: float | None = None, currency: str = "") -> str:
    """Return the page.

    Args:
        measured: the figures.
        price: of one hour of a machine like the one that measured; None: the page gives hours only.
        currency: of the price, with its source and date.
    """
    all_rounds = rounds(measured)
    job_mpx = BLOCKS_PER_JOB * BLOCK_PX**2 / 1e6
    job_seconds = job_mpx / measured.scan_mpx_s
    needed = WORKERS[-1] / job_seconds
    traffic = 2 * measured.stored_bytes * measured.scan_mpx_s  # MB/s of one worker
    lines = [
        "# Past one machine",
        "",
        "<!-- generated by docs/generate/scale_page.py from benchmarks/results.json -->",
        "",
        f"A county is compared by one machine. A province of {PLACES_KM2['a province']:,} km² or a country, each month, at "
        f"{GSD_M} m, takes more of the same: workers on several machines share a database (PostgreSQL), a broker and an "
        "object store (S3). This page computes how many, from figures that `make bench` measures on one machine of "
        f"{CORES} cores; a *worker* below is such a machine.",
        "",
        "## What was measured",
        "",
        "| figure | | command |",
        "| --- | --- | --- |",
        f"| whole scan of mostly unchanged ground, from files to outputs | {measured.scan_mpx_s:.2f} megapixels of ground per second "
        "| `make bench LINES=b` |",
        f"| the network alone, one look | {measured.network_mpx_s:.2f} megapixels per second | `make bench LINES=a` |",
        f"| a stored image | {measured.stored_bytes:.2f} bytes per pixel | `make bench LINES=d` |",
        f"| claims of jobs, {measured.open_jobs:,} open | {measured.claims_s:,.0f} per second "
        "| `python -m benchmarks.jobs` |",
        f"| a job in the database, with indexes | {measured.job_bytes:,.0f} bytes | `python -m benchmarks.jobs` |",
        f"| an alert in the database, with sightings and steps | {measured.alert_bytes:,.0f} bytes "
        "| `make bench LINES=i` |",
        "",
        "The stored image is a rendered one. Real images have more texture: expect up to the 3 bytes per pixel of "
        "uncompressed colour.",
        "",
        "## One round",
        "",
        f"Assumed, not measured: images and scans of {SCENE_KM} × {SCENE_KM} km, without overlap; "
        f"{ALERTS_PER_KM2:g} alerts per km² and month. From the settings: blocks of {BLOCK_PX}² pixels, {BLOCKS_PER_JOB} "
        "of them in a job; each scan adds three jobs (ingest, prepare, merge). Each job is a row and one message.",
        "",
        "| | gigapixels per date | scans | jobs, rows and messages | worker hours |",
        "| --- | --- | --- | --- | --- |",
        *(
            f"| {one.name} | {one.gigapixels:,.0f} | {one.scans:,} | {one.jobs:,} | {one.hours:,.0f} |"
            for one in all_rounds
        ),
        "",
        "## Time by workers",
        "",
        "Pixels divided by the measured rate and by the number of workers. The blocks of a scan are independent; its "
        "preparation and its merging are one job each, so more workers than scans in work do not help.",
        "",
        "| | " + " | ".join(f"{number:,}" for number in WORKERS) + " | workers for a round in a week |",
        "| --- |" + " --- |" * (len(WORKERS) + 1),
        *(
            f"| {one.name} | "
            + " | ".join(duration(one.hours / number) for number in WORKERS)
            + f" | {math.ceil(one.hours / 168):,} |"
            for one in all_rounds
        ),
        "",
        "## Storage",
        "",
        f"Images of a round take the stored bytes per pixel; a year of {ROUNDS} rounds that are all kept takes {ROUNDS} "
        "times as much; with `retention` two rounds are enough to compare. Rows are those of jobs and alerts of a year.",
        "",
        "| | images, one round | two rounds | all of a year | jobs in the database, a year | alerts, a year |",
        "| --- | --- | --- | --- | --- | --- |",
        *(
            f"| {one.name} | {size(one.gigapixels * 1e9 * measured.stored_bytes)} "
            f"| {size(2 * one.gigapixels * 1e9 * measured.stored_bytes)} "
            f"| {size(ROUNDS * one.gigapixels * 1e9 * measured.stored_bytes)} "
            f"| {ROUNDS * one.jobs:,} rows, {size(ROUNDS * one.jobs * measured.job_bytes)} "
            f"| {ROUNDS * PLACES_KM2[one.name] * ALERTS_PER_KM2:,.0f} rows, "
            f"{size(ROUNDS * PLACES_KM2[one.name] * ALERTS_PER_KM2 * measured.alert_bytes)} |"
            for one in all_rounds
        ),
        "",
        "Rows of finished jobs are kept. They are in no index but those of the keys, so they slow down no claim; only the "
        "metric of finished jobs counts them.",
        "",
        "## What the shared parts must bear",
        "",
        f"- **Claims.** A job of {job_mpx:.0f} megapixels takes a worker {job_seconds:.1f} s, so {WORKERS[-1]:,} workers "
        f"claim {needed:,.0f} jobs per second; {measured.claims_s:,.0f} were measured, "
        f"{measured.claims_s / needed:,.1f} times as many.",
        f"- **Object store.** A worker reads {traffic:.0f} MB/s of stored images of both dates (without halo, which adds up "
        f"to half of it); {WORKERS[-1]:,} workers read {traffic * WORKERS[-1] * 8 / 1000:,.0f} Gbit/s.",
        "- **Connections.** Each worker process keeps one or two connections to PostgreSQL. Beyond some hundred workers, "
        "put pgbouncer in transaction mode between them; Tuban uses nothing that it rejects.",
        "- **Broker.** RabbitMQ or Redis hold the messages of a round, a few hundred bytes each. They may be lost: the jobs "
        "table decides, and the reaper sends again what was lost, 500 at a time.",
        "- **One scheduler** plans and reaps; others stand by.",
        "",
        "## Cost",
        "",
    ]
    if price is None:
        lines.append(
            "No price is given here, because prices differ by provider, region and contract and change: multiply the worker "
            "hours of a round with the price of an hour of two dedicated cores, 4 GiB of memory and AVX-512 with bf16, and "
            "the storage with that of your object store. `python docs/generate/scale_page.py --price 0.10 --currency "
            '"EUR, offer of …"` writes this table with the sums.'
        )
    else:
        lines += [
            f"At {price:g} an hour ({currency}):",
            "",
            "| | one round | a year |",
            "| --- | --- | --- |",
            *(f"| {one.name} | {one.hours * price:,.0f} | {ROUNDS * one.hours * price:,.0f} |" for one in all_rounds),
        ]
    lines += [
        "",
        "Halving the worker hours halves the cost: what a scan spends its time on is in `scan.json` of each scan, and in "
        "[the measurements](../benchmarks/README.md).",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--price", type=float, help="of one hour of two cores")
    parser.add_argument("--currency", default="", help="of the price, with its source and date")
    options = parser.parse_args()
    PAGE.write_text(page(read_measured(), options.price, options.currency), encoding="utf-8")


if __name__ == "__main__":
    main()
