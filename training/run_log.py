"""Log of a training run: CSV files, TensorBoard events and a plot of the curves."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from types import TracebackType

COLUMNS = ("step", "loss", "learning_rate", "pairs_per_second", "waited")


@dataclass(frozen=True)
class StepRecord:
    """Metrics of one training step.

    Attributes:
        step: steps completed, this one included.
        loss: of the batch.
        rate: pairs per second since losses were last read, waiting included.
        waited: share of that time in which the network waited for samples, 0…1.
        validation: F1 by validation folder, if this step was followed by a validation.
    """

    step: int
    loss: float
    rate: float
    waited: float
    validation: dict[str, float] | None = None


def _rows_until(path: Path, step: int) -> list[list[str]]:
    """Read the rows up to ``step``; later ones follow the last checkpoint and will be written again."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    return [row for row in rows if len(row) > 1 and row[0].isdigit() and int(row[0]) <= step]


class RunLog:
    """Write ``log.csv``, ``validation.csv``, ``events.out.tfevents…`` and ``curves.png`` to the folder of a run."""

    def __init__(self, run: Path, step: int) -> None:
        """Open the files of the folder ``run`` and continue after ``step``."""
        # imported here: it takes a second and belongs to the optional dependencies for training
        from torch.utils.tensorboard import SummaryWriter

        self.run = run
        self.steps = _rows_until(run / "log.csv", step)
        self.validations = _rows_until(run / "validation.csv", step)
        self._log = (run / "log.csv").open("w", newline="", encoding="utf-8")
        self._writer = csv.writer(self._log)
        self._writer.writerow(COLUMNS)
        self._writer.writerows(self.steps)
        self._tensorboard = SummaryWriter(str(run), purge_step=step + 1)

    def __enter__(self) -> RunLog:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the files; the curves are drawn even if the run failed."""
        self.flush()
        self._log.close()
        self._tensorboard.close()

    def write(self, record: StepRecord, learning_rate: float) -> None:
        """Append a step."""
        row = [
            str(record.step),
            f"{record.loss:.5f}",
            f"{learning_rate:.6g}",
            f"{record.rate:.2f}",
            f"{record.waited:.3f}",
        ]
        self.steps.append(row)
        self._writer.writerow(row)
        for name, value in zip(COLUMNS[1:], row[1:], strict=True):
            self._tensorboard.add_scalar(f"training/{name}", float(value), record.step)
        if record.validation is not None:
            for name, f1 in record.validation.items():
                self.validations.append([str(record.step), name, f"{f1:.4f}"])
                self._tensorboard.add_scalar(f"validation/{name}", f1, record.step)

    def flush(self) -> None:
        """Write buffered rows to disk and redraw the curves."""
        self._log.flush()
        self._tensorboard.flush()
        with (self.run / "validation.csv").open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(("step", "folder", "f1"))
            rows.writerows(self.validations)
        if self.steps:
            draw_curves(self.steps, self.validations, self.run / "curves.png")


def draw_curves(steps: list[list[str]], validations: list[list[str]], path: Path) -> None:
    """Plot the loss (each step and its running mean) and the validation F1 over the steps."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    numbers = [int(row[0]) for row in steps]
    losses = [float(row[1]) for row in steps]
    left.plot(numbers, losses, color="0.85", linewidth=0.5, label="each step")
    width = max(1, len(losses) // 60)
    sums = [0.0, *accumulate(losses)]
    means = [(sums[i + 1] - sums[max(0, i - width)]) / min(i + 1, width + 1) for i in range(len(losses))]
    left.plot(numbers, means, color="tab:blue", label=f"mean of {width + 1} steps")
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
