"""First step of a registration: shift, rotation and scale on an overview of the whole scene."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from errors import Reason
from inference.registration.alignment import Alignment
from inference.registration.coarse_registration import candidate_transforms, estimate_transform, max_displacement
from inference.registration.shift_field import ShiftField
from inference.registration.state import SEARCH_PX, RegistrationState
from inference.registration.windows import Level, WindowSimilarity, place_windows

FIRST_BLUR_PX, SECOND_BLUR_PX = 1.8, 1.0
"""Blur of similarity surfaces in the two passes. A window rotated by 2° is smeared by two pixels at its ends."""

MIN_PEAK_TO_SIDELOBE = 5.0
"""Least peak-to-sidelobe ratio of related images. Measured on LEVIR-CD validation images: 7 to 67 for one place on two
dates, 3 to 5 for two places. On images with few windows the ranges overlap, and the trust of windows decides."""

MIN_PEAK_BEYOND_ACCURACY = 7.0
"""The same for a shift of more than twice the known accuracy of the coordinates, which is hardly to be expected."""

FEATURELESS = ("align.earlier_empty", "align.later_empty", "align.texture")
"""Codes of the reasons for which an image has too little texture."""

MIN_SEARCH_PX = 10
"""Least search range in pixels of the overview: a peak can only stand out against its surroundings."""


def register_overview(state: RegistrationState, level: Level) -> Alignment | None:
    """Estimate shift, rotation and scale on the overview. Return the outcome if that fails, else None."""
    settings = state.settings
    search_range = state.search_range_px
    search = max(math.ceil(search_range / level.zoom), MIN_SEARCH_PX)
    half = math.hypot(level.width, level.height) / 2.0
    radius = search + max_displacement(half, settings.max_rotation_deg, settings.max_scale_error)
    windows = place_windows(level, state.window_side(level), (0.5, 0.5), 6)
    similarity = state.compare(windows, radius)
    tried = int(similarity.tried.sum())
    if tried == 0:
        return state.without_field("no ground is valid on both dates")
    refusal = _featureless(state, similarity)
    if refusal is not None:
        return refusal
    unrelated = state.without_field(
        Reason(
            f"too little in common was found within {search_range:.0f} px to confirm that the two images show the same "
            "place (strong changes, other seasons, rows of fields, or another place)",
            "align.unrelated",
            most=search_range,
        ),
        tried=tried,
    )
    positions = (windows.lattice.points() - np.asarray(state.field.centre)) / level.zoom
    positions = positions.reshape(*similarity.tried.shape, 2)
    if not similarity.textured.any():
        return unrelated
    candidates = candidate_transforms(half, settings.max_rotation_deg, settings.max_scale_error)
    first = estimate_transform(
        similarity.surfaces[similarity.textured], positions[similarity.textured], search, candidates, FIRST_BLUR_PX
    )
    accuracy_px = state.accuracy_px
    beyond = accuracy_px is not None and float(np.linalg.norm(first.shift)) * level.zoom > 2.0 * accuracy_px + 8.0
    if first.peak_to_sidelobe < (MIN_PEAK_BEYOND_ACCURACY if beyond else MIN_PEAK_TO_SIDELOBE):
        return unrelated
    state.field = ShiftField(state.field.centre, np.vstack([first.shift * level.zoom, first.linear]))
    # second pass with the first transform applied: windows without rotation match much more clearly
    near = SEARCH_PX + 2
    similarity = state.compare(windows, near + max_displacement(half, 0.3, 0.003))
    if not similarity.textured.any():
        return unrelated
    second = estimate_transform(
        similarity.surfaces[similarity.textured],
        positions[similarity.textured],
        near,
        candidate_transforms(half, 0.3, 0.003),
        SECOND_BLUR_PX,
    )
    more = np.vstack([second.shift * level.zoom, second.linear])
    state.field = ShiftField(state.field.centre, state.field.affine + more)
    found = float(np.linalg.norm(state.field.affine[0]))
    if first.at_limit or found > math.sqrt(2.0) * search_range + 2.0 * level.zoom:
        return state.without_field(
            Reason(
                f"the images are {found:.0f} px or more apart, beyond the search range of {search_range:.0f} px: "
                "check their georeferencing, or enlarge the search range",
                "align.range",
                shift=found,
                most=search_range,
            ),
            tried=tried,
        )
    return None


def is_featureless(outcome: Alignment) -> bool:
    """Whether an image of a refused pair has too little texture to match."""
    return isinstance(outcome.reason, Reason) and outcome.reason.code in FEATURELESS


def _featureless(state: RegistrationState, similarity: WindowSimilarity) -> Alignment | None:
    """Return the outcome if an image has too little texture to match, else None."""
    tried = int(similarity.tried.sum())
    shares = [
        float(textured[similarity.tried].mean()) for textured in (similarity.textured_before, similarity.textured_after)
    ]
    if min(shares) >= 0.1:
        return None
    if max(shares) >= 0.1:
        which = "earlier" if shares[0] < shares[1] else "later"
        return state.without_field(
            Reason(
                f"the {which} image shows next to no texture where the other one does (haze, cloud or an empty image)",
                f"align.{which}_empty",
            ),
            tried=tried,
        )
    reason = Reason("too little texture on both dates to measure the registration", "align.texture")
    if state.settings.accept_featureless and state.grid.crs is not None:
        compared = state.without_field(reason + "; compared as georeferenced", tried=tried, usable=True)
        return replace(compared, method="georeferencing")
    return state.without_field(reason, tried=tried)
