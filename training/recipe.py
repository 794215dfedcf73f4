"""A training recipe as read from ``configs/training/*.yaml``, checked before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import yaml
from pydantic import Field, ValidationError

from configs import faults_in, read_yaml
from errors import SettingsError
from training.augmentation.appearance import AppearanceSettings
from training.augmentation.geometry import AugmentSettings
from training.reviews.labelled_pairs import review_folders
from training.sources.samples import LabelledPairs, Sample
from training.sources.source_recipes import PairsRecipe, RenderedRecipe, SourceRecipe, Strict

RECIPE = "recipe.yaml"
"""In the folder of a run: what it was trained with, reviews in it and sources that were not there left out."""


class AugmentRecipe(Strict):
    """What of :class:`training.augmentation.geometry.AugmentSettings` a recipe may set."""

    scale: tuple[float, float] = (0.7, 1.7)
    shift_px: float = 0.8
    distort: float = 0.2
    vehicles: float = 0.12
    nodata: float = 0.06
    size: int = 256

    def settings(self) -> AugmentSettings:
        """The same as the augmentation takes it."""
        return AugmentSettings(**self.model_dump())


Probability = Annotated[float, Field(ge=0, le=1)]


class AppearanceRecipe(Strict):
    """What of :class:`training.augmentation.appearance.AppearanceSettings` a recipe may set."""

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
        """The same as the restyling takes it."""
        return AppearanceSettings(**self.model_dump())


class ValidationRecipe(Strict):
    """A folder looked at during a run, never trained on."""

    folder: Path
    question: Literal["building", "ground"]
    pairs: int = Field(8, gt=0)


class Recipe(Strict):
    """Everything that decides what comes out of a training run, but for the machine's rounding.

    Attributes:
        network: a layout of :mod:`model.registry`.
        steps: batches to learn from.
        batch: pairs in each.
        learning_rate: the highest, of AdamW.
        begin_with: ``imagenet`` (the encoder of the accurate network), or the name of weights that ship; those of a
            wider network are narrowed (:mod:`training.channel_pruning`).
        begin_share: how much of what the run began with is mixed into what ships, number by number: a short run that
            teaches one thing more loses a little of the rest, and half way between both most of the one and of the
            other is kept (Wortsman et al. 2022, robust fine-tuning).
        frozen_stages: encoder stages that stay as they began.
        encoder_rate: factor on the learning rate of the encoder.
        standing_weight: weight of the auxiliary task (:mod:`training.building_presence`).
        gap_weight: how much more unchanged ground between neighbouring buildings counts: it is a small share of the
            pixels, and where it is missed neighbours melt into one.
        teacher: weights that ship whose answers to both questions are learned beside the labels.
        teacher_weight: weight of those answers.
        teacher_where: ``everywhere``, to make a small network as good as a large one; ``unanswered``, to keep what a
            network knows while it learns new labels.
        teacher_features: weight of what the teacher's encoder says of each date.
        ema: how much of the average stays at each step.
        validate_every: steps between two looks at ``validation``; 0: never.
    """

    network: str
    begin_with: str = ""
    begin_share: float = Field(0.0, ge=0, lt=1)
    frozen_stages: int = Field(0, ge=0, le=4)
    encoder_rate: float = Field(1.0, gt=0)
    standing_weight: float = Field(0.0, ge=0)
    gap_weight: float = Field(4.0, ge=0)
    teacher: str = ""
    teacher_weight: float = Field(1.0, gt=0)
    teacher_where: Literal["everywhere", "unanswered"] = "everywhere"
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
    """Read and check a recipe; ``sources_from`` names a file of ``configs/`` whose sources are added to its own.

    ``optional_sources_from`` names one whose sources are added as optional ones. Its rendered scenes are left away:
    nobody lacks them, so a recipe says its own.

    Raises:
        SettingsError: a name or a value is not what a recipe has; the message lists each.
    """
    content = read_yaml(path)
    if "sources_from" in content:
        others = read_yaml(Path(str(content.pop("sources_from")))).get("sources", [])
        content["sources"] = [*content.get("sources", []), *others]
    if "optional_sources_from" in content:
        others = read_yaml(Path(str(content.pop("optional_sources_from")))).get("sources", [])
        added = [source | {"optional": True} for source in others if source.get("kind") != "rendered"]
        content["sources"] = [*content.get("sources", []), *added]
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise SettingsError(f"The recipe {path} cannot be used: {faults_in(error)}") from error


def write_recipe(recipe: Recipe, path: Path) -> None:
    """Write a recipe as :func:`read_recipe` reads it, its sources in it."""
    path.write_text(yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True), "utf-8")


def _missing(source: SourceRecipe, root: Path) -> list[Path]:
    """Folders that a source needs and that are not there; rendered scenes are made where they are missing."""
    if isinstance(source, RenderedRecipe):
        return []
    return [folder for folder in source.all_folders if not (root / folder).is_dir()]


def present(recipe: Recipe, root: Path) -> Recipe:
    """The recipe without optional sources of which a folder is missing under ``root``.

    Raises:
        SettingsError: a source that is not optional lacks a folder, or no source is left.
    """
    for source in recipe.sources:
        missing = _missing(source, root)
        if missing and not source.optional:
            raise SettingsError(
                f"The recipe needs {', '.join(map(str, missing))} under {root}, which is not there. Give the folder of "
                "the data (--data or TUBAN_REAL_IMAGERY), or say 'optional: true' of the source."
            )
    sources = tuple(source for source in recipe.sources if not _missing(source, root))
    if not sources:
        raise SettingsError(f"None of the recipe's sources is under {root}: there is nothing to train on.")
    return recipe.model_copy(update={"sources": sources})


def with_reviews(recipe: Recipe, folders: Sequence[Path], share: float) -> Recipe:
    """The recipe with folders of reviews (:mod:`training.reviews.labelled_pairs`) as further sources.

    Args:
        recipe: the base data, without sources that are not there (:func:`present`): they would take part of the rest.
        folders: each holds what :func:`training.reviews.labelled_pairs.review_folders` finds in it.
        share: of all samples; divided over the labelled folders by their windows and the weights of their manifests.

    Raises:
        SettingsError: a folder holds no reviews, or asks a question that cannot be trained.
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
            held_back=0.0,  # reviews are few
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
    """All sources of a recipe, drawn from in the proportion of their weights."""

    def __init__(self, recipe: Recipe, root: Path) -> None:
        """Open every source of ``recipe`` that is under ``root``."""
        recipe = present(recipe, root)
        self.sources = [source.open(root) for source in recipe.sources]
        weights = np.array([source.weight for source in recipe.sources])
        self.edges = np.cumsum(weights / weights.sum())

    def draw(self, rng: np.random.Generator) -> Sample:
        """Return one sample of one source."""
        return self.sources[min(int(np.searchsorted(self.edges, rng.random())), len(self.sources) - 1)].draw(rng)
