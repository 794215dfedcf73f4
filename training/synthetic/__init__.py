"""Synthetic scenes: a rendered peri-urban place on two dates with ground truth, for demo, tests and training."""

from training.synthetic.rendering.render import render_scene
from training.synthetic.scene_files import write_scene
from training.synthetic.spec import RenderedPair, SceneSpec, TrueChange, random_spec

__all__ = ["RenderedPair", "SceneSpec", "TrueChange", "random_spec", "render_scene", "write_scene"]
