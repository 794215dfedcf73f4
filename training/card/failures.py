"""Known failures, derived from the metrics."""

from __future__ import annotations

from training.card.facts import CardFacts, FolderScores
from training.card.markdown import paragraphs
from training.card.scores import folder_label, robustness_curves

REPORTED_LOSS = 0.05
"""Loss of pixel F1 on a robustness curve above which it is reported."""

WORST_PAIRS = 3


def failures_section(facts: CardFacts, picture_name: str) -> str:
    """Return the section on known failures of each folder, with a picture of the worst rendered scene."""
    lines = [
        f"- {folder_label(folder)}: {line}"
        for folder in facts.folders
        for line in (_weakest_size(folder), _worst_pairs(folder), _most_false_alarms(folder), _losses(folder))
        if line
    ]
    picture = facts.picture
    image = f"![{picture.caption.replace('`', '')}]({picture_name})\n\n{picture.caption}" if picture is not None else ""
    return paragraphs("## Known failures", "\n".join(lines), image) if lines or image else ""


def _weakest_size(folder: FolderScores) -> str:
    """Describe the size class with the lowest recall."""
    classes = folder.evaluation.objects["iou_0.25"]["by_area_m2"] or {}
    occupied = {name: one for name, one in classes.items() if one["true"]}
    if not occupied:
        return ""
    name, one = min(occupied.items(), key=lambda item: item[1]["recall"])
    return f"the weakest size class is {name} m²: {one['recall']:.3f} of {one['true']} true objects found (IoU 0.25)."


def _worst_pairs(folder: FolderScores) -> str:
    """Describe the pairs with the lowest pixel F1."""
    ranked = sorted((one for one in folder.evaluation.by_pair if one["has_change"]), key=lambda one: one["f1"])
    if not ranked:
        return ""
    worst = ", ".join(f"`{one['pair']}` {one['f1']:.3f}" for one in ranked[:WORST_PAIRS])
    missed = sum(one["f1"] == 0 for one in ranked)
    share = f" Of {len(ranked)} pairs with a change, nothing was found correctly in {missed}." if missed else ""
    return f"the worst pairs by pixel F1 are {worst}.{share}"


def _most_false_alarms(folder: FolderScores) -> str:
    """Describe the pair with the largest area of false alarms."""
    worst = max(folder.evaluation.by_pair, key=lambda one: one["false_alarm_px"])
    if not worst["false_alarm_px"]:
        return ""
    area, gsd = f"{worst['false_alarm_px']:,} px", folder.evaluation.protocol["gsd_m"]
    if gsd is not None:
        area += f", {worst['false_alarm_px'] * gsd**2:,.0f} m²"
    return f"most false-alarm area is in `{worst['pair']}` ({area})."


def _losses(folder: FolderScores) -> str:
    """Describe where robustness curves lose more than :data:`REPORTED_LOSS`."""
    if folder.curves is None:
        return ""
    baseline = folder.curves.pixel["f1"]
    losses = []
    for name, points in robustness_curves(folder):
        lost = [
            f"{position} −{baseline - f1:.3f}"
            for position, f1 in points
            if f1 is not None and baseline - f1 > REPORTED_LOSS
        ]
        if lost:
            losses.append(f"{name} ({', '.join(lost)})")
    if not losses:
        return f"no robustness curve loses more than {REPORTED_LOSS:g} F1."
    total = f"{baseline:.3f} F1 ({folder.curves.pairs} pairs)"
    return f"more than {REPORTED_LOSS:g} of {total} is lost by {'; '.join(losses)}."
