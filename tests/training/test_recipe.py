"""Recipes are validated, accept the keys of earlier versions, and mix their sources by weight."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from errors import SettingsError
from training.recipe import Mixture, Recipe, read_recipe, write_recipe
from training.sources.source_recipes import PairsRecipe, PastedEarthworksRecipe


def test_an_invalid_recipe_names_each_error(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(
        "network: fast\nsteps: 0\nbatch: 2\nlearning_rate: 0.1\nsources: []\ncolour: red\n"
    )
    with pytest.raises(SettingsError, match=r"steps.*colour"):
        read_recipe(tmp_path / "r.yaml")


def test_shipped_recipes_can_be_read() -> None:
    assert read_recipe(Path("training/fast.yaml")).network == "fast"


OLD = """
network: fast
begin_with: fast
begin_share: 0.5
standing_weight: 0.3
steps: 1
batch: 1
learning_rate: 0.1
sources:
  - {kind: pairs, folder: buildings, question: building, weight: 1, held_back: 0.25}
  - {kind: leaning, weight: 1, folders: [{folder: single, gsd_m: 0.5}]}
  - {kind: works, weight: 1, donors: grounds, held_back: 0.5, folders: [single/images]}
"""


def test_a_stored_recipe_of_an_earlier_version_is_read_and_written_with_the_current_keys(tmp_path: Path) -> None:
    (tmp_path / "old.yaml").write_text(OLD)
    recipe = read_recipe(tmp_path / "old.yaml")
    assert (recipe.initial_weights, recipe.weight_interpolation) == ("fast", 0.5)
    assert recipe.building_presence_weight == 0.3
    pairs, relief, works = recipe.sources
    assert isinstance(pairs, PairsRecipe)
    assert isinstance(works, PastedEarthworksRecipe)
    assert relief.kind == "relief_displacement"
    assert (pairs.validation_split, works.validation_split) == (0.25, 0.5)
    write_recipe(recipe, tmp_path / "new.yaml")
    assert read_recipe(tmp_path / "new.yaml") == recipe
    new = (tmp_path / "new.yaml").read_text()
    assert not [key for key in ("begin_with", "begin_share", "standing_weight", "held_back", "leaning") if key in new]


def test_a_key_of_an_earlier_version_beside_the_current_one_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "both.yaml").write_text(f"weight_interpolation: 0.2{OLD}")
    with pytest.raises(SettingsError, match="begin_share"):
        read_recipe(tmp_path / "both.yaml")


def test_a_mixture_follows_its_weights(data: Path, recipe: Recipe) -> None:
    mixture = Mixture(recipe, data)
    rng = np.random.default_rng(0)
    share = np.mean([mixture.draw(rng).building is not None for _ in range(60)])
    assert 0.3 < share < 0.7
