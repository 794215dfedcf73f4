"""Sample scene of the demo, the tests and the README."""

from __future__ import annotations

from pathlib import Path

from training.synthetic import SceneSpec, TrueChange, render_scene, write_scene

SAMPLE_SCENE = SceneSpec(seed=5, width=2000, height=2000, gsd_m=0.5)
"""One square kilometre. Its seed is none of the training seeds (:mod:`training.sources.rendered_scenes`)."""


def render_sample_scene(folder: Path, spec: SceneSpec = SAMPLE_SCENE) -> tuple[Path, Path, list[TrueChange]]:
    """Render the scene into ``folder``; return the earlier image, the later image and the true changes."""
    pair = render_scene(spec)
    before, after, _ = write_scene(pair, folder)
    return before, after, pair.truth
