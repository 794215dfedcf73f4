"""Where the samples of a training recipe come from: one entry of its ``sources`` for each kind of source."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from training.sources.cross_pairs import CrossPairs, MaskedFolder, PastedBuildings, PastedWorks
from training.sources.relief_displacement import LeaningBuildings
from training.sources.rendered_scenes import RenderedScenes
from training.sources.samples import LabelledPairs, Source, Unchanged


class Strict(BaseModel):
    """Part of a recipe: nothing unknown in it, never changed after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _SourceRecipe(Strict):
    """What every source says.

    Attributes:
        weight: share of the samples.
        terms: what the owners allow, in words, for the card.
        optional: left out where a folder of it is missing, instead of stopping the run.
    """

    weight: float = Field(gt=0)
    terms: str = ""
    optional: bool = False


class PairsRecipe(_SourceRecipe):
    """Pairs in folders ``A/ B/ label/``. What is said here is the folder's manifest as far as training needs it.

    Attributes:
        folder: under the data's folder, or absolute.
        prefix: only the stems that begin with it.
        question: what a 255 of the label answers.
        gsd_m: metres per pixel, where known.
        magnify: factors of enlargement, when the recipe's do not fit this imagery.
        unknown: value of the label where nobody said whether it changed.
        appears: what changed appeared (growth), so that the direction can be learned from it.
        held_back: share of the pairs, the last in the order of their names (neighbours are often of one place), that
            is not trained on: thresholds are chosen there.
        balanced: pairs with a change and pairs without any are drawn equally often.
    """

    kind: Literal["pairs"] = "pairs"
    folder: Path
    prefix: str = ""
    question: Literal["building", "ground"]
    gsd_m: float | None = Field(None, gt=0)
    magnify: tuple[float, float] | None = None
    unknown: int | None = Field(None, ge=0, le=255)
    appears: bool = True
    held_back: float = Field(0.0, ge=0, lt=1)
    balanced: bool = False

    @property
    def all_folders(self) -> tuple[Path, ...]:
        """What the samples come from."""
        return (self.folder,)

    def open(self, root: Path) -> Source:
        """List the files under ``root`` that are trained on."""
        return self.pairs(root, held=False)

    def pairs(self, root: Path, held: bool) -> LabelledPairs:
        """List the pairs that are trained on, or those that are held back."""
        return LabelledPairs(
            root / self.folder,
            self.question,
            self.prefix,
            magnify=self.magnify,
            unknown=self.unknown,
            appears=self.appears,
            held_back=self.held_back,
            held=held,
            balanced=self.balanced,
        )


class MaskedFolderRecipe(Strict):
    """A folder of single-date images with masks."""

    folder: Path
    gsd_m: float = Field(gt=0)
    building: int = 255


class MaskedRecipe(_SourceRecipe):
    """Single-date images with building masks, of which pairs are made."""

    folders: tuple[MaskedFolderRecipe, ...]
    question: ClassVar[str] = "building"

    @property
    def all_folders(self) -> tuple[Path, ...]:
        """What the samples come from."""
        return tuple(entry.folder for entry in self.folders)

    def masked(self, root: Path) -> list[MaskedFolder]:
        """The folders under ``root``."""
        return [MaskedFolder(root / entry.folder, entry.gsd_m, entry.building) for entry in self.folders]


class CrossedRecipe(MaskedRecipe):
    """Single-date images with building masks, shown as two dates."""

    kind: Literal["crossed"]

    def open(self, root: Path) -> Source:
        """List the files under ``root``."""
        return CrossPairs(self.masked(root))


class PastedRecipe(MaskedRecipe):
    """Buildings of one single-date image set into another."""

    kind: Literal["pasted"]

    def open(self, root: Path) -> Source:
        """List the files under ``root``."""
        return PastedBuildings(self.masked(root))


class LeaningRecipe(MaskedRecipe):
    """Single-date images whose buildings are made towers, seen from another side on each date."""

    kind: Literal["leaning"]
    question: ClassVar[str] = "both"

    def open(self, root: Path) -> Source:
        """List the files under ``root``."""
        return LeaningBuildings(self.masked(root))


class UnchangedRecipe(_SourceRecipe):
    """Images against themselves."""

    kind: Literal["unchanged"]
    folders: tuple[Path, ...]
    question: ClassVar[str] = "both"

    @property
    def all_folders(self) -> tuple[Path, ...]:
        """What the samples come from."""
        return self.folders

    def open(self, root: Path) -> Source:
        """List the files under ``root``."""
        return Unchanged([root / folder for folder in self.folders])


class WorksRecipe(_SourceRecipe):
    """Ground works of labelled pairs set into images of other places.

    Attributes:
        folders: the places.
        donors: pairs that answer the question of the ground.
        held_back: as of the donors' own source, so that what is held back there is not seen here.
    """

    kind: Literal["works"]
    folders: tuple[Path, ...]
    donors: Path
    held_back: float = Field(0.0, ge=0, lt=1)
    question: ClassVar[str] = "ground"

    @property
    def all_folders(self) -> tuple[Path, ...]:
        """What the samples come from."""
        return (*self.folders, self.donors)

    def open(self, root: Path) -> Source:
        """List the files under ``root``."""
        donors = LabelledPairs(root / self.donors, "ground", held_back=self.held_back)
        return PastedWorks(Unchanged([root / folder for folder in self.folders]), donors)


class RenderedRecipe(_SourceRecipe):
    """Rendered scenes, kept in the folder of the runs so that they are rendered once."""

    kind: Literal["rendered"]
    question: ClassVar[str] = "both"
    folder: Path = Path("runs/scenes")
    scenes: int = Field(gt=0)
    size: int = Field(1024, ge=384)
    gsd_m: tuple[float, float]

    @property
    def all_folders(self) -> tuple[Path, ...]:
        """What the samples come from."""
        return (self.folder,)

    def open(self, root: Path) -> Source:
        """Render or find the scenes; ``folder`` is relative to the working folder, not to ``root``."""
        return RenderedScenes(self.folder, self.scenes, self.size, self.gsd_m)


SourceRecipe = Annotated[
    PairsRecipe | CrossedRecipe | PastedRecipe | LeaningRecipe | WorksRecipe | UnchangedRecipe | RenderedRecipe,
    Field(discriminator="kind"),
]
