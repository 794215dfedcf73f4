"""What a run leaves to look at: figures as CSV and for TensorBoard, and a picture of the curves."""

from __future__ import annotations

import csv
from itertools import accumulate
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.train import Progress

COLUMNS = ("step", "loss", "learning_rate", "pairs_per_second", "waited")


def _kept(path: Path, step: int) -> list[list[str]]:
    """Rows up to ``step``: what was written after the last checkpoint will be written again."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    return [row for row in rows if len(row) > 1 and row[0].isdigit() and int(row[0]) <= step]


class RunLog:
    """``log.csv``, ``validation.csv``, ``events.out.tfevents…`` and ``curves.png`` in the folder of a run."""

    def __init__(self, run: Path, step: int) -> None:
        """Go on after ``step``."""
        # a second's import, and only whoever trains has it installed
        from torch.utils.tensorboard import SummaryWriter

        self.run = run
        self.steps = _kept(run / "log.csv", step)
        self.validations = _kept(run / "validation.csv", step)
        self._log = (run / "log.csv").open("w", newline="", encoding="utf-8")
        self._rows = csv.writer(self._log)
        self._rows.writerow(COLUMNS)
        self._rows.writerows(self.steps)
        self._board = SummaryWriter(str(run), purge_step=step + 1)

    def __enter__(self) -> RunLog:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the files; the picture is drawn however the run ended."""
        self.flush()
        self._log.close()
        self._board.close()

    def write(self, told: Progress, rate: float) -> None:
        """Add a step."""
        row = [str(told.step), f"{told.loss:.5f}", f"{rate:.6g}", f"{told.rate:.2f}", f"{told.waited:.3f}"]
        self.steps.append(row)
        self._rows.writerow(row)
        for name, value in zip(COLUMNS[1:], row[1:], strict=True):
            self._board.add_scalar(f"training/{name}", float(value), told.step)
        if told.validation is not None:
            for name, f1 in told.validation.items():
                self.validations.append([str(told.step), name, f"{f1:.4f}"])
                self._board.add_scalar(f"validation/{name}", f1, told.step)

    def flush(self) -> None:
        """Bring everything to disk and draw the curves anew."""
        self._log.flush()
        self._board.flush()
        with (self.run / "validation.csv").open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(("step", "folder", "f1"))
            rows.writerows(self.validations)
        if self.steps:
            draw_curves(self.steps, self.validations, self.run / "curves.png")


def draw_curves(steps: list[list[str]], validations: list[list[str]], path: Path) -> None:
    """Draw loss (each step and its running mean) and validation F1 over the steps."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    at = [int(row[0]) for row in steps]
    losses = [float(row[1]) for row in steps]
    left.plot(at, losses, color="0.85", linewidth=0.5, label="each step")
    width = max(1, len(losses) // 60)
    sums = [0.0, *accumulate(losses)]
    means = [(sums[i + 1] - sums[max(0, i - width)]) / min(i + 1, width + 1) for i in range(len(losses))]
    left.plot(at, means, color="tab:blue", label=f"mean of {width + 1} steps")
    left.set(xlabel="step", ylabel="loss", title="Training", ylim=(0, None))
    left.legend()
    for name in dict.fromkeys(row[1] for row in validations):
        points = [(int(row[0]), float(row[2])) for row in validations if row[1] == name]
        right.plot(*zip(*points, strict=True), marker=".", label=name)
    right.set(xlabel="step", ylabel="F1 at probability 0.5", title="Validation (not trained on)", ylim=(0, 1))
    if validations:
        right.legend()
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)
    plt.close(figure)
