"""Schemas of the entries under ``sources`` in a training recipe, one for each kind of source."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator

from training.sources.copy_paste import PastedBuildings, PastedEarthworks
from training.sources.cross_pairs import CrossPairs, LandCoverPairs
from training.sources.drone_orthophotos import DroneOrthophotoPairs
from training.sources.farmland.farmland_pairs import FarmlandPairs
from training.sources.farmland.open_ground import OpenGroundFolder
from training.sources.masked_images import MaskedFolder
from training.sources.relief_displacement import ReliefDisplacementPairs
from training.sources.rendered_scenes import RenderedScenes
from training.sources.samples import LabelledPairs, Source, Unchanged, UnchangedPairs

VALIDATION_SPLIT = AliasChoices("validation_split", "held_back")
"""Accepted keys of a validation split; recipes stored by earlier versions use the second."""


class Strict(BaseModel):
    """Base of all parts of a recipe: immutable, unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _SourceRecipe(Strict):
    """Settings that all sources have.

    Attributes:
        weight: sampling weight, relative to the other sources.
        terms: licence terms as text, for the model card.
        optional: skip the source if one of its folders is missing, instead of failing.
    """

    weight: float = Field(gt=0)
    terms: str = ""
    optional: bool = False


class PairsRecipe(_SourceRecipe):
    """Labelled pairs in ``A/ B/ label/``; the entry takes the place of the folder's manifest.

    Attributes:
        folder: relative to the data folder, or absolute.
        prefix: use only stems that start with it.
        question: meaning of 255 in the labels.
        gsd_m: ground sample distance in metres per pixel, if known.
        magnify: smallest and largest scale factor, if the recipe's does not suit this imagery.
        unknown: label value of unlabelled pixels.
        appears: all changes are additions (growth), so that direction can be learned from them.
        validation_split: share of the pairs, the last by name (neighbours are often of one place), that is excluded
            from training; thresholds are chosen on it.
        balanced: draw pairs with and without a change equally often.
        calibrate: weights are calibrated on the validation split; false where its resolution is not that of the rest.
    """

    kind: Literal["pairs"] = "pairs"
    folder: Path
    prefix: str = ""
    question: Literal["building", "ground"]
    gsd_m: float | None = Field(None, gt=0)
    magnify: tuple[float, float] | None = None
    unknown: int | None = Field(None, ge=0, le=255)
    appears: bool = True
    validation_split: float = Field(0.0, ge=0, lt=1, validation_alias=VALIDATION_SPLIT)
    balanced: bool = False
    calibrate: bool = True

    @property
    def all_folders(self) -> tuple[Path, ...]:
        """Folders that samples come from."""
        return (self.folder,)

    def open(self, root: Path) -> Source:
        """List the pairs under ``root`` to train on."""
        return self.pairs(root, validation=False)

    def pairs(self, root: Path, validation: bool) -> LabelledPairs:
        """List the pairs to train on, or those of the validation split."""
        return LabelledPairs(
            root / self.folder,
            self.question,
            self.prefix,
            magnify=self.magnify,
            unknown=self.unknown,
            appears=self.appears,
            validation_split=self.validation_split,
            validation=validation,
            balanced=self.balanced,
        )


class MaskedFolderRecipe(Strict):
    """A folder of single-date images with masks; see :class:`training.sources.masked_images.MaskedFolder`."""

    folder: Path
    gsd_m: float = Field(gt=0)
    building: int = 255
    validation_prefixes: tuple[str, ...] = ()


class MaskedRecipe(_SourceRecipe):
    """Base of sources that make pairs of single-date images with building masks.

    Attributes:
        folders: images and masks.
        target_m: smallest and largest ground sample distance, in metres per pixel, that images are resampled to.
    """

    folders: tuple[MaskedFolderRecipe, ...]
    target_m: tuple[float, float] = (0.25, 1.0)
    question: ClassVar[str] = "building"

    @property
    def all_folders(self) -> tuple[Path, ...]:
        """Folders that samples come from."""
        return tuple(entry.folder for entry in self.folders)

    def masked(self, root: Path, validation: bool = False) -> list[MaskedFolder]:
        """Return the folders under ``root`` that have images of the training or the validation split."""
        return [
            MaskedFolder(root / entry.folder, entry.gsd_m, entry.building, entry.validation_prefixes, validation)
            for entry in self.folders
            if entry.validation_prefixes or not validation
        ]


class CrossPairsRecipe(MaskedRecipe):
    """Two unrelated single-date images as one pair."""

    kind: Literal["crossed"]

    def open(self, root: Path) -> Source:
        """List the files under ``root``."""
        return CrossPairs(self.masked(root), target_m=self.target_m)


class PastedBuildingsRecipe(MaskedRecipe):
    """Buildings of one single-date image pasted into another."""

    kind: Literal["pasted"]

    def open(self, root: Path) -> Source:
        """List the files under ``root``."""
        return PastedBuildings(self.masked(root), target_m=self.target_m)


class ReliefDisplacementRecipe(MaskedRecipe):
    """Single-date images whose buildings are rendered as towers, from another direction on each date.

    ``kind: leaning`` is the name of earlier versions.
    """

    kind: Literal["relief_displacement", "leaning"]
    question: ClassVar[str] = "both"

    @field_validator("kind")
    @classmethod
    def _current_name(cls, _kind: str) -> str:
        return "relief_displacement"

    def open(self, root: Path) -> Source:
        """List the files under ``root``."""
        return ReliefDisplacementPairs(self.masked(root), target_m=self.target_m)


class DroneOrthophotosRecipe(MaskedRecipe):
    """Single-date images whose houses lean in simulated drone orthophotos; some stand on one date only."""

    kind: Literal["drone_orthophotos"]
    target_m: tuple[float, float] = (0.1, 0.35)
    question: ClassVar[str] = "both"

    def open(self, root: Path) -> Source:
        """List the files under ``root``."""
        return DroneOrthophotoPairs(self.masked(root), target_m=self.target_m)


class OpenGroundFolderRecipe(Strict):
    """A folder of places; see :class:`training.sources.farmland.open_ground.OpenGroundFolder`."""

    folder: Path
    open_values: tuple[int, ...] = ()
    bare_values: tuple[int, ...] = ()


class FarmlandRecipe(_SourceRecipe):
    """Real open ground with painted fields (unchanged) and painted construction sites (ground works).

    Attributes:
        folders: images of places, with land cover masks or without.
    """

    kind: Literal["farmland"]
    folders: tuple[OpenGroundFolderRecipe, ...]
    question: ClassVar[str] = "both"

    @property
    def all_folders(self) -> tuple[Path, ...]:
        """Folders that samples come from."""
        return tuple(entry.folder for entry in self.folders)

    def open(self, root: Path) -> Source:
        """List the files under ``root``."""
        return FarmlandPairs(
            [OpenGroundFolder(root / entry.folder, entry.open_values, entry.bare_values) for entry in self.folders]
        )


class UnchangedRecipe(_SourceRecipe):
    """Single images as both dates."""

    kind: Literal["unchanged"]
    folders: tuple[Path, ...]
    question: ClassVar[str] = "both"

    @property
    def all_folders(self) -> tuple[Path, ...]:
        """Folders that samples come from."""
        return self.folders

    def open(self, root: Path) -> Source:
        """List the files under ``root``."""
        return Unchanged([root / folder for folder in self.folders])


class UnchangedPairsRecipe(_SourceRecipe):
    """Real pairs in ``A/ B/`` in which no building changed; what happened to the ground is not known.

    Every second pair by name, beginning with the first, is of the validation split.
    """

    kind: Literal["unchanged_pairs"]
    folder: Path
    question: ClassVar[str] = "building"

    @property
    def all_folders(self) -> tuple[Path, ...]:
        """Folders that samples come from."""
        return (self.folder,)

    def open(self, root: Path) -> Source:
        """List the pairs under ``root`` to train on."""
        return self.pairs(root, validation=False)

    def pairs(self, root: Path, validation: bool) -> UnchangedPairs:
        """List the pairs to train on, or those of the validation split."""
        return UnchangedPairs(root / self.folder, validation=validation)


class LandCoverPairsRecipe(_SourceRecipe):
    """Two unrelated images with land cover masks as one pair; see :class:`training.sources.cross_pairs.LandCoverPairs`.

    Attributes:
        folder: parent of ``images/`` and ``masks/``.
        works: mask values of construction land and bare ground.
        unknown: mask values of pixels without a label.
    """

    kind: Literal["land_cover"]
    folder: Path
    works: tuple[int, ...]
    unknown: tuple[int, ...] = ()
    question: ClassVar[str] = "ground"

    @property
    def all_folders(self) -> tuple[Path, ...]:
        """Folders that samples come from."""
        return (self.folder,)

    def open(self, root: Path) -> Source:
        """List the files under ``root``."""
        return LandCoverPairs(root / self.folder, self.works, self.unknown)


class PastedEarthworksRecipe(_SourceRecipe):
    """Ground works of labelled pairs pasted into images of other places.

    Attributes:
        folders: images of places.
        donors: folder of labelled pairs of the question "ground".
        validation_split: that of the donors' own source, so that its validation split stays unseen.
    """

    kind: Literal["works"]
    folders: tuple[Path, ...]
    donors: Path
    validation_split: float = Field(0.0, ge=0, lt=1, validation_alias=VALIDATION_SPLIT)
    question: ClassVar[str] = "ground"

    @property
    def all_folders(self) -> tuple[Path, ...]:
        """Folders that samples come from."""
        return (*self.folders, self.donors)

    def open(self, root: Path) -> Source:
        """List the files under ``root``."""
        donors = LabelledPairs(root / self.donors, "ground", validation_split=self.validation_split)
        return PastedEarthworks(Unchanged([root / folder for folder in self.folders]), donors)


class RenderedRecipe(_SourceRecipe):
    """Rendered scenes, cached in ``folder`` so that they are rendered once.

    Attributes:
        folder: cache, relative to the working directory.
        scenes: number of scenes.
        size: height and width of a scene in pixels.
        gsd_m: smallest and largest ground sample distance in metres per pixel.
    """

    kind: Literal["rendered"]
    question: ClassVar[str] = "both"
    folder: Path = Path("runs/scenes")
    scenes: int = Field(gt=0)
    size: int = Field(1024, ge=384)
    gsd_m: tuple[float, float]

    @property
    def all_folders(self) -> tuple[Path, ...]:
        """Folders that samples come from."""
        return (self.folder,)

    def open(self, root: Path) -> Source:
        """Load the scenes, rendering missing ones; ``folder`` does not depend on ``root``."""
        return RenderedScenes(self.folder, self.scenes, self.size, self.gsd_m)


SourceRecipe = Annotated[
    PairsRecipe
    | CrossPairsRecipe
    | PastedBuildingsRecipe
    | ReliefDisplacementRecipe
    | DroneOrthophotosRecipe
    | FarmlandRecipe
    | PastedEarthworksRecipe
    | LandCoverPairsRecipe
    | UnchangedRecipe
    | UnchangedPairsRecipe
    | RenderedRecipe,
    Field(discriminator="kind"),
]
