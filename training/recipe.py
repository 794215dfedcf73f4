"""Training recipes: schema, reading and writing of ``configs/training/*.yaml``, and the mixture of their sources."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import yaml
from pydantic import AliasChoices, Field, ValidationError

from configs import format_validation_errors, read_yaml
from errors import SettingsError
from training.augmentation.appearance import AppearanceSettings
from training.augmentation.geometry import AugmentSettings
from training.reviews.labelled_pairs import review_folders
from training.sources.samples import LabelledPairs, Sample
from training.sources.source_recipes import PairsRecipe, RenderedRecipe, SourceRecipe, Strict

RECIPE_FILE = "recipe.yaml"
"""File in the folder of a run: its recipe, with reviews added and missing optional sources removed."""


class AugmentRecipe(Strict):
    """Settings of :class:`training.augmentation.geometry.AugmentSettings` that a recipe may override."""

    scale: tuple[float, float] = (0.7, 1.7)
    shift_px: float = 0.8
    distort: float = 0.2
    vehicles: float = 0.12
    nodata: float = 0.06
    watermark: float = 0.0
    size: int = 256

    def settings(self) -> AugmentSettings:
        """Return the settings of the augmentation."""
        return AugmentSettings(**self.model_dump())


Probability = Annotated[float, Field(ge=0, le=1)]


class AppearanceRecipe(Strict):
    """Settings of :class:`training.augmentation.appearance.AppearanceSettings` that a recipe may override."""

    strength: Annotated[float, Field(ge=0)] = 1.0
    season: Probability = 0.08
    sun: Probability = 0.2
    cloud: Probability = 0.02
    haze: Probability = 0.12
    colour: Probability = 0.9
    sharpness: Probability = 0.35
    noise: Probability = 0.3
    compression: Probability = 0.25

    def settings(self) -> AppearanceSettings:
        """Return the settings of the restyling."""
        return AppearanceSettings(**self.model_dump())


class ValidationRecipe(Strict):
    """A folder that is scored during a run and never trained on; ``pairs`` limits how many of its pairs."""

    folder: Path
    question: Literal["building", "ground"]
    pairs: int = Field(8, gt=0)


class Recipe(Strict):
    """All settings of a training run; they determine its result up to the rounding of the hardware.

    Keys of earlier versions (``begin_with``, ``begin_share``, ``standing_weight``) are accepted too.

    Attributes:
        network: a layout of :mod:`model.registry`.
        initial_weights: ``imagenet`` (for the encoder of the accurate network), or the name of weights that ship;
            those of a wider network are pruned (:mod:`training.channel_pruning`). Empty: random.
        weight_interpolation: weight of the initial weights in the exported ones, which are linearly interpolated with
            the trained ones. A short fine-tuning run forgets a little; half way most of the old and the new skill
            is kept (Wortsman et al. 2022, robust fine-tuning). 0: trained weights only.
        frozen_stages: number of encoder stages that are not trained.
        encoder_rate: learning rate of the encoder relative to ``learning_rate``.
        building_presence_weight: loss weight of the auxiliary task (:mod:`training.building_presence`).
        gap_weight: additional loss weight of unchanged ground between neighbouring buildings. It is a small share of
            the pixels, and where it is missed neighbouring buildings merge.
        teacher: name of weights that ship to distil from, in addition to the labels.
        teacher_weight: loss weight of the distillation.
        teacher_where: ``everywhere``, to make a small network as good as a large one; ``unanswered`` (unlabelled
            pixels only), to prevent forgetting while new labels are learned; ``uncontradicted`` (also labelled pixels
            on which the teacher agrees with the label), to keep what it knows but not its known errors.
        teacher_features: loss weight of the distillation of encoder features.
        steps: number of optimiser steps.
        batch: pairs per step.
        learning_rate: peak learning rate of AdamW.
        warmup_steps: steps of linear warm-up.
        ema: decay of the exponential moving average of the weights.
        save_every: steps between checkpoints.
        validate_every: steps between validations; 0: never.
    """

    network: str
    initial_weights: str = Field("", validation_alias=AliasChoices("initial_weights", "begin_with"))
    weight_interpolation: float = Field(
        0.0, ge=0, lt=1, validation_alias=AliasChoices("weight_interpolation", "begin_share")
    )
    frozen_stages: int = Field(0, ge=0, le=4)
    encoder_rate: float = Field(1.0, gt=0)
    building_presence_weight: float = Field(
        0.0, ge=0, validation_alias=AliasChoices("building_presence_weight", "standing_weight")
    )
    gap_weight: float = Field(4.0, ge=0)
    teacher: str = ""
    teacher_weight: float = Field(1.0, gt=0)
    teacher_where: Literal["everywhere", "unanswered", "uncontradicted"] = "everywhere"
    teacher_features: float = Field(0.0, ge=0)
    steps: int = Field(gt=0)
    batch: int = Field(gt=0)
    learning_rate: float = Field(gt=0)
    warmup_steps: int = 200
    ema: float = Field(0.999, gt=0, lt=1)
    seed: int = 0
    save_every: int = 200
    validate_every: int = 0
    validation: tuple[ValidationRecipe, ...] = ()
    augment: AugmentRecipe = AugmentRecipe()
    appearance: AppearanceRecipe = AppearanceRecipe()
    sources: tuple[SourceRecipe, ...]


def read_recipe(path: Path) -> Recipe:
    """Read and validate a recipe.

    ``sources_from`` names a file of ``configs/`` whose sources are added to the recipe's own. ``optional_sources_from``
    names one whose sources are added as optional ones, without its rendered scenes: these are available everywhere, so
    a recipe lists its own.

    Raises:
        SettingsError: a key or a value is not valid; the message lists each.
    """
    content = read_yaml(path)
    if "sources_from" in content:
        sources = read_yaml(Path(str(content.pop("sources_from")))).get("sources", [])
        content["sources"] = [*content.get("sources", []), *sources]
    if "optional_sources_from" in content:
        sources = read_yaml(Path(str(content.pop("optional_sources_from")))).get("sources", [])
        optional = [source | {"optional": True} for source in sources if source.get("kind") != "rendered"]
        content["sources"] = [*content.get("sources", []), *optional]
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise SettingsError(f"The recipe {path} is not valid: {format_validation_errors(error)}") from error


def write_recipe(recipe: Recipe, path: Path) -> None:
    """Write a recipe as one file, with all its sources, that :func:`read_recipe` can read."""
    path.write_text(yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True), "utf-8")


def _missing_folders(source: SourceRecipe, root: Path) -> list[Path]:
    """List the folders that a source needs but that do not exist; missing rendered scenes are rendered on demand."""
    if isinstance(source, RenderedRecipe):
        return []
    return [folder for folder in source.all_folders if not (root / folder).is_dir()]


def drop_missing_sources(recipe: Recipe, root: Path) -> Recipe:
    """Return the recipe without optional sources that have a missing folder under ``root``.

    Raises:
        SettingsError: a required source has a missing folder, or no source is left.
    """
    for source in recipe.sources:
        missing = _missing_folders(source, root)
        if missing and not source.optional:
            raise SettingsError(
                f"The recipe needs {', '.join(map(str, missing))} under {root}, which does not exist. Name the data "
                "folder with --data or TUBAN_REAL_IMAGERY, or set 'optional: true' for the source."
            )
    sources = tuple(source for source in recipe.sources if not _missing_folders(source, root))
    if not sources:
        raise SettingsError(f"None of the recipe's sources is under {root}: there is nothing to train on.")
    return recipe.model_copy(update={"sources": sources})


def add_reviews(recipe: Recipe, folders: Sequence[Path], share: float) -> Recipe:
    """Return the recipe with folders of reviewed alerts (:mod:`training.reviews.labelled_pairs`) as further sources.

    Args:
        recipe: the base recipe, after :func:`drop_missing_sources`: missing sources would distort the shares.
        folders: folders as accepted by :func:`training.reviews.labelled_pairs.review_folders`.
        share: share of reviews among all samples, 0…1 (exclusive). It is divided among the labelled folders in
            proportion to their number of windows and the weights of their manifests.

    Raises:
        SettingsError: a folder has no reviews, or its question cannot be trained.
    """
    if not 0 < share < 1:
        raise SettingsError(f"The share of the reviews is {share:g}; expected more than 0 and less than 1.")
    added = [
        PairsRecipe(
            folder=path,
            question=question,
            gsd_m=manifest.gsd_m,
            unknown=manifest.unknown,
            appears=manifest.appears,
            validation_split=0.0,  # reviews are too few to split
            balanced=True,
            terms=manifest.terms,
            weight=manifest.weight * len(LabelledPairs(path, question).pairs),
        )
        for folder in folders
        for path, question, manifest in review_folders(folder)
    ]
    if not added:
        return recipe
    base = sum(source.weight for source in recipe.sources)
    scale = base * share / (1 - share) / sum(source.weight for source in added)
    scaled = tuple(source.model_copy(update={"weight": source.weight * scale}) for source in added)
    return recipe.model_copy(update={"sources": recipe.sources + scaled})


class Mixture:
    """Mixture of all sources of a recipe, sampled in proportion to their weights."""

    def __init__(self, recipe: Recipe, root: Path) -> None:
        """Open all sources of ``recipe`` that exist under ``root``."""
        recipe = drop_missing_sources(recipe, root)
        self.sources = [source.open(root) for source in recipe.sources]
        weights = np.array([source.weight for source in recipe.sources])
        self.edges = np.cumsum(weights / weights.sum())

    def draw(self, rng: np.random.Generator) -> Sample:
        """Return one sample of a randomly chosen source."""
        return self.sources[min(int(np.searchsorted(self.edges, rng.random())), len(self.sources) - 1)].draw(rng)
