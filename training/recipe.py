"""A training recipe as read from ``configs/training/*.yaml``, checked before anything is computed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from configs import read_yaml
from errors import SettingsError
from training.augment import AugmentSettings
from training.rendered import RenderedScenes
from training.samples import CrossPairs, LabelledPairs, Sample, Source, Unchanged


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PairsRecipe(_Strict):
    """Pairs in folders ``A/ B/ label/``."""

    kind: Literal["pairs"]
    folder: Path
    prefix: str = ""
    question: Literal["building", "ground"]
    weight: float = Field(gt=0)

    @property
    def all_folders(self) -> tuple[Path, ...]:
        """What the samples come from."""
        return (self.folder,)

    def open(self, root: Path) -> Source:
        """List the files under ``root``."""
        return LabelledPairs(root / self.folder, self.question, self.prefix)


class _FoldersRecipe(_Strict):
    folders: tuple[Path, ...]
    weight: float = Field(gt=0)

    @property
    def all_folders(self) -> tuple[Path, ...]:
        """What the samples come from."""
        return self.folders


class CrossedRecipe(_FoldersRecipe):
    """Single-date images with building masks, shown as two dates."""

    kind: Literal["crossed"]
    question: ClassVar[str] = "building"

    def open(self, root: Path) -> Source:
        """List the files under ``root``."""
        return CrossPairs([root / folder for folder in self.folders])


class UnchangedRecipe(_FoldersRecipe):
    """Images against themselves."""

    kind: Literal["unchanged"]
    question: ClassVar[str] = "both"

    def open(self, root: Path) -> Source:
        """List the files under ``root``."""
        return Unchanged([root / folder for folder in self.folders])


class RenderedRecipe(_Strict):
    """Rendered scenes, kept in the folder of the runs so that they are rendered once."""

    kind: Literal["rendered"]
    question: ClassVar[str] = "both"
    folder: Path = Path("runs/scenes")
    scenes: int = Field(gt=0)
    size: int = Field(1024, ge=384)
    gsd_m: tuple[float, float]
    weight: float = Field(gt=0)

    @property
    def all_folders(self) -> tuple[Path, ...]:
        """What the samples come from."""
        return (self.folder,)

    def open(self, root: Path) -> Source:
        """Render or find the scenes; ``folder`` is relative to the working folder, not to ``root``."""
        return RenderedScenes(self.folder, self.scenes, self.size, self.gsd_m)


SourceRecipe = Annotated[PairsRecipe | CrossedRecipe | UnchangedRecipe | RenderedRecipe, Field(discriminator="kind")]


class AugmentRecipe(_Strict):
    """What of :class:`training.augment.AugmentSettings` a recipe may set."""

    scale: tuple[float, float] = (0.7, 1.7)
    shift_px: float = 0.8
    season: float = 0.08
    compress: float = 0.1
    nodata: float = 0.06
    size: int = 256

    def settings(self) -> AugmentSettings:
        """The same as the augmentation takes it."""
        return AugmentSettings(**self.model_dump())


class Recipe(_Strict):
    """Everything that decides what comes out of a training run, but for the machine's rounding."""

    network: str
    steps: int = Field(gt=0)
    batch: int = Field(gt=0)
    learning_rate: float = Field(gt=0)
    warmup_steps: int = 200
    ema: float = Field(0.999, gt=0, lt=1)
    seed: int = 0
    save_every: int = 200
    augment: AugmentRecipe = AugmentRecipe()
    sources: tuple[SourceRecipe, ...]


def read_recipe(path: Path) -> Recipe:
    """Read and check a recipe.

    Raises:
        SettingsError: a name or a value is not what a recipe has; the message lists each.
    """
    try:
        return Recipe.model_validate(read_yaml(path))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise SettingsError(f"The recipe {path} cannot be used: {faults}") from error


class Mixture:
    """All sources of a recipe, drawn from in the proportion of their weights."""

    def __init__(self, recipe: Recipe, root: Path) -> None:
        """Open every source of ``recipe`` under ``root``."""
        self.sources = [source.open(root) for source in recipe.sources]
        weights = np.array([source.weight for source in recipe.sources])
        self.edges = np.cumsum(weights / weights.sum())

    def draw(self, rng: np.random.Generator) -> Sample:
        """Return one sample of one source."""
        return self.sources[min(int(np.searchsorted(self.edges, rng.random())), len(self.sources) - 1)].draw(rng)
