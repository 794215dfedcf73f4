"""Known failures, told by the figures."""

from __future__ import annotations

from training.card.facts import Facts, FolderScores
from training.card.markdown import paragraphs
from training.card.scores import curve_rows, shown

LOSS = 0.05
"""Pixel F1 that a curve may lose before it is told."""

WORST_PAIRS = 3


def failures(facts: Facts, picture_name: str) -> str:
    """What is found worst on each folder, and the picture of the worst rendered scene."""
    lines = [
        f"- {shown(folder)}: {line}"
        for folder in facts.folders
        for line in (_weakest_size(folder), _worst_pairs(folder), _loudest_pair(folder), _losses(folder))
        if line
    ]
    picture = facts.picture
    shot = f"![{picture.caption.replace('`', '')}]({picture_name})\n\n{picture.caption}" if picture is not None else ""
    return paragraphs("## Known failures", "\n".join(lines), shot) if lines or shot else ""


def _weakest_size(folder: FolderScores) -> str:
    classes = folder.found.objects["iou_0.25"]["by_area_m2"] or {}
    filled = {name: one for name, one in classes.items() if one["true"]}
    if not filled:
        return ""
    name, one = min(filled.items(), key=lambda item: item[1]["recall"])
    return f"the weakest size class is {name} m²: {one['recall']:.3f} of {one['true']} true objects found (IoU 0.25)."


def _worst_pairs(folder: FolderScores) -> str:
    ranked = sorted((one for one in folder.found.by_pair if one["has_change"]), key=lambda one: one["f1"])
    if not ranked:
        return ""
    told = ", ".join(f"`{one['pair']}` {one['f1']:.3f}" for one in ranked[:WORST_PAIRS])
    unseen = sum(one["f1"] == 0 for one in ranked)
    share = f" Of {len(ranked)} pairs with a change, nothing was found rightly in {unseen}." if unseen else ""
    return f"the worst pairs by pixel F1 are {told}.{share}"


def _loudest_pair(folder: FolderScores) -> str:
    loudest = max(folder.found.by_pair, key=lambda one: one["false_alarm_px"])
    if not loudest["false_alarm_px"]:
        return ""
    area, gsd = f"{loudest['false_alarm_px']:,} px", folder.found.protocol["gsd_m"]
    if gsd is not None:
        area += f", {loudest['false_alarm_px'] * gsd**2:,.0f} m²"
    return f"most false-alarm area lies in `{loudest['pair']}` ({area})."


def _losses(folder: FolderScores) -> str:
    if folder.curves is None:
        return ""
    plain = folder.curves.pixel["f1"]
    told = []
    for name, points in curve_rows(folder):
        lost = [f"{at} −{plain - f1:.3f}" for at, f1 in points if f1 is not None and plain - f1 > LOSS]
        if lost:
            told.append(f"{name} ({', '.join(lost)})")
    if not told:
        return f"no robustness curve loses more than {LOSS:g} F1."
    return f"more than {LOSS:g} of {plain:.3f} F1 ({folder.curves.pairs} pairs) is lost by {'; '.join(told)}."
