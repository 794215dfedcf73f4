"""All lines of ``make bench``: what Tuban costs, each figure beside another one of the same run.

    make bench                                        # default lines and sizes
    make bench LINES="a d"                            # some lines
    .venv/bin/python -m benchmarks.bench f --gigapixels "1 4 16 64"
    .venv/bin/python -m benchmarks.bench h --orthophoto 20000
    .venv/bin/python -m benchmarks.bench --small      # try all lines with small sizes; writes nothing

Writes ``benchmarks/results.json``, the table of ``benchmarks/README.md`` and ``benchmarks/bench.svg`` after each line;
lines that are not measured keep their earlier figures. Ctrl-C ends the line that runs. Nothing else should run
meanwhile.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks.lines import delivery, growth, ingest, network, pages, processes, scans
from benchmarks.lines.line import Line, NotMeasured, Sizes
from benchmarks.lines.picture import draw

FOLDER = Path(__file__).parent
RESULTS, README, PICTURE = FOLDER / "results.json", FOLDER / "README.md", FOLDER / "bench.svg"
SCALE_PAGE = FOLDER.parent / "docs" / "generate" / "scale_page.py"
PEER = FOLDER.parent / ".bench-peer"

LINES: dict[str, Line] = {
    line.key: line
    for line in sorted(
        (network.LINE, *scans.LINES, ingest.LINE, growth.LINE, processes.LINE, delivery.LINE, pages.LINE),
        key=lambda line: line.key,
    )
}


def machine() -> dict[str, Any]:
    """Describe the machine and the commit, and what else the machine did when a line began."""
    model = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=FOLDER, capture_output=True, text=True, check=False
    )
    return {
        "processor": model.group(1).strip() if model else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 1),
        "commit": commit.stdout.strip(),
    }


def read_results() -> dict[str, Any]:
    """Return the stored results: ``lines``, by letter, and ``jobs``."""
    results: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    return results


def write_results(results: dict[str, Any], table: str, name: str = "bench") -> None:
    """Write the results, the picture, and a table between its marks in the README.

    Args:
        results: all results.
        table: Markdown.
        name: of the marks.
    """
    RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PICTURE.write_text(draw(results.get("lines", {})), encoding="utf-8")
    text = README.read_text(encoding="utf-8")
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    replaced = re.sub(f"{begin}.*?{end}", lambda _: f"{begin}\n{table}\n{end}", text, flags=re.DOTALL)
    README.write_text(replaced, encoding="utf-8")


def markdown(lines: dict[str, Any]) -> str:
    """Return the table of all lines as Markdown."""
    rows = [
        "| line | what | figure | compared with | its figure | ratio | goal |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for key, line in sorted(lines.items()):
        if line.get("not_measured"):
            rows.append(f"| ({key}) | {line['title']} | not measured: {line['not_measured']} | | | | |")
        rows += [
            f"| ({key}) | {row['what']} | {row['value']:,.4g} {row['unit']} | {row['reference']} "
            f"| {row['reference_value']:,.4g} {row['unit']} | {row['ratio']:.2f} | {row['goal']} |"
            for row in line["rows"]
        ]
    rows.append("")
    for key, line in sorted(lines.items()):
        made = line["machine"]
        rows.append(
            f"- ({key}) {line['at']}, {line['seconds']:.0f} s, commit {made['commit']}, {made['cores']} cores of "
            f"{made['processor']}; load of the machine when it began: {made['load']}"
        )
    return "\n".join([*rows, "", f"![Ratios of all lines]({PICTURE.name})"])


@contextlib.contextmanager
def _shown(console: Console) -> Iterator[tuple[Progress, Any]]:
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        yield bar, bar.add_task("", total=None)


def run(
    lines: Annotated[list[str] | None, typer.Argument(help="Letters of lines; default: all.")] = None,
    small: Annotated[bool, typer.Option("--small", help="Small sizes, to try the lines; writes nothing.")] = False,
    gigapixels: Annotated[str, typer.Option(help="Sizes of line (f).")] = "1 4 16",
    orthophoto: Annotated[int, typer.Option(help="Side of line (h) in pixels.")] = 10_000,
    photos: Annotated[int, typer.Option(help="Drone photos of line (h).")] = 50,
    alerts: Annotated[int, typer.Option(help="Alerts of line (i).")] = 100_000,
    peer: Annotated[Path, typer.Option(help="Folder into which torchgeo was installed.")] = PEER,
    postgresql: Annotated[
        str, typer.Option(help="Server on which databases may be created.")
    ] = "postgresql+psycopg://postgres@127.0.0.1",
    redis: Annotated[str, typer.Option(help="Redis database that is emptied.")] = "redis://127.0.0.1:6379/15",
) -> None:
    """Measure lines in turn, and write their figures."""
    console = Console(stderr=True, highlight=False)
    chosen, failed = lines or list(LINES), list[str]()
    if unknown := [key for key in chosen if key not in LINES]:
        raise typer.BadParameter(f"{', '.join(unknown)}; there are: {', '.join(LINES)}")
    results = {"lines": {}} if small else {"lines": {}} | read_results()
    try:
        with _shown(console) as (bar, task):
            for number, key in enumerate(chosen, 1):
                line = LINES[key]

                def progress(step: str, head: str = f"({key}) {number} of {len(chosen)}: {line.title}") -> None:
                    bar.update(task, description=f"{head}: {step}")
                    if not console.is_terminal:
                        console.print(f"{dt.datetime.now(dt.UTC):%H:%M:%S} {head}: {step}", markup=False)

                with tempfile.TemporaryDirectory(prefix="bench") as folder:
                    sizes = Sizes(
                        Path(folder), small, peer if peer.is_dir() else None, postgresql, redis,
                        [float(size) for size in gigapixels.split()], orthophoto, photos, alerts,
                    )  # fmt: skip
                    try:
                        results["lines"][key] = _measured(line, sizes, progress)
                    except Exception as error:  # the other lines are still worth measuring
                        failed.append(key)
                        console.print(f"({key}) failed, and its earlier figures are kept: {error}", markup=False)
                        continue
                if not small:
                    write_results(results, markdown(results["lines"]))
        if not small:
            _write_scale_page(console)
    except KeyboardInterrupt:
        console.print("Interrupted; the lines before are written." if not small else "Interrupted.")
    table = Table("line", "what", "figure", "compared with", "its figure", "ratio", "goal")
    for key in chosen:
        measured = results["lines"].get(key, {"rows": []})
        if measured.get("not_measured"):
            table.add_row(f"({key})", LINES[key].title, f"not measured: {measured['not_measured']}")
        for row in measured["rows"]:
            figures = (f"{row[name]:,.4g} {row['unit']}" for name in ("value", "reference_value"))
            table.add_row(f"({key})", row["what"], next(figures), row["reference"], next(figures),
                          f"{row['ratio']:.2f}", row["goal"])  # fmt: skip
    Console().print(table)
    if failed:
        raise typer.Exit(1)


def _write_scale_page(console: Console) -> None:
    """Compute the page about provinces and countries again."""
    done = subprocess.run([sys.executable, SCALE_PAGE], capture_output=True, text=True, check=False)
    if done.returncode:
        console.print(f"docs/scale.md is unchanged: {done.stderr.strip().splitlines()[-1]}", markup=False)


def _measured(line: Line, sizes: Sizes, progress: Any) -> dict[str, Any]:
    found = {"title": line.title, "at": f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC", "machine": machine()}
    start = time.perf_counter()
    try:
        rows, reason = [row.to_json() for row in line.measure(sizes, progress)], ""
    except NotMeasured as error:
        rows, reason = [], str(error)
    return found | {"seconds": round(time.perf_counter() - start, 1), "rows": rows, "not_measured": reason}


if __name__ == "__main__":
    typer.run(run)
