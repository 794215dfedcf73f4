"""Scores by folder as tables, with what decided them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from training.card.facts import Facts, FolderScores
from training.card.markdown import figure, paragraphs, table

PIXEL = ("precision", "recall", "f1", "iou")
MATCHED = ("precision", "recall", "f1")


def shown(folder: FolderScores) -> str:
    """Its name as a cell."""
    return f"{folder.name}, {folder.question}"


def false_alarms(figures: dict[str, Any]) -> str:
    """For each km², or each million pixels where the size of a pixel is unknown."""
    if figures["false_alarms_per_km2"] is not None:
        return f"{figures['false_alarms_per_km2']:.1f} per km²"
    if figures["false_alarms_per_megapixel"] is not None:
        return f"{figures['false_alarms_per_megapixel']:.1f} per megapixel"
    return "–"


def scores(facts: Facts) -> str:
    """All scores."""
    measured = (*facts.folders, *facts.rendered)
    curves = [folder for folder in facts.folders if folder.curves is not None]
    return paragraphs(
        "## Scores",
        "At the thresholds above, none is chosen here. Pixels of all images of a folder counted together; whole "
        "images, no test-time augmentation. `tuban evaluate` says the same of any folder. "
        + ("" if facts.folders else "No folder of real imagery was given to the export. ")
        + "The rendered scenes were not trained on; others of their kind may have been, so their rows say nothing of "
        "real imagery.",
        _pixels(measured),
        _objects(measured),
        _sizes(measured),
        _calibration(measured),
        _other_dates(curves),
        _robustness(curves),
        _protocols(measured),
    )


def _pixels(folders: Sequence[FolderScores]) -> str:
    rows = []
    for folder in folders:
        found = folder.found
        alarms = false_alarms(vars(found))
        error = figure(found.calibration["expected_calibration_error"])
        rows.append((shown(folder), f"{found.pairs}", *(figure(found.pixel[key]) for key in PIXEL), alarms, error))
    heads = (
        "folder",
        "pairs",
        "precision",
        "recall",
        "F1",
        "IoU",
        "false alarms",
        "expected calibration error",
    )
    told = "A false alarm is a found object without any changed pixel, for each km² that did not change."
    return paragraphs("### Pixels and false alarms", table(heads, rows), told)


def _objects(folders: Sequence[FolderScores]) -> str:
    rows = [
        (
            shown(folder),
            iou.removeprefix("iou_"),
            f"{figures['true']}",
            f"{figures['found']}",
            *(figure(figures[key]) for key in MATCHED),
        )
        for folder in folders
        for iou, figures in folder.found.objects.items()
    ]
    heads = ("folder", "IoU from", "true", "found", "precision", "recall", "F1")
    return paragraphs("### Objects", "Connected components, matched one to one.", table(heads, rows))


def _sizes(folders: Sequence[FolderScores]) -> str:
    rows = []
    names: list[str] = []
    for folder in folders:
        for iou, figures in folder.found.objects.items():
            classes = figures["by_area_m2"]
            if classes is not None:
                names = list(classes)
                recalls = (
                    f"{figure(one['recall'])} of {one['true']}" if one["true"] else "–" for one in classes.values()
                )
                rows.append((shown(folder), iou.removeprefix("iou_"), *recalls))
    if not rows:
        return ""
    heads = ("folder", "IoU from", *(f"{name} m²" for name in names))
    return paragraphs("### Recall of objects by size", table(heads, rows))


def _calibration(folders: Sequence[FolderScores]) -> str:
    rows = []
    for number in range(10):
        bins = [folder.found.calibration["bins"][number] for folder in folders]
        cells = [f"{figure(one['mean_score'], '.2f')} → {figure(one['observed'], '.2f')}" for one in bins]
        rows.append((f"{bins[0]['from']:.1f}–{bins[0]['to']:.1f}", *cells))
    told = "Pixels by probability: their mean probability → the share of them that did change."
    return paragraphs("### Calibration", told, table(("probability", *map(shown, folders)), rows))


def _other_dates(folders: Sequence[FolderScores]) -> str:
    rows = []
    for folder in folders:
        curves = folder.curves
        if curves is None or curves.robustness is None or curves.restyled is None:
            continue
        restyled = curves.restyled
        rows.append(
            (
                shown(folder),
                f"{curves.pairs}",
                figure(curves.pixel["f1"]),
                figure(curves.robustness["swapped"]["f1"]),
                f"{restyled['images']}",
                false_alarms(restyled),
                f"{restyled['share_above_threshold']:.3%}",
            )
        )
    if not rows:
        return ""
    heads = (
        "folder",
        "pairs",
        "F1",
        "F1, dates swapped",
        "restyled images",
        "false alarms on them",
        "pixels above the threshold",
    )
    told = (
        "A few pairs, evenly chosen. Restyled: every image against a copy of itself in other light, season and "
        "sharpness, where nothing changed."
    )
    return paragraphs("### Dates swapped and places restyled", told, table(heads, rows))


def curve_rows(folder: FolderScores) -> list[tuple[str, list[tuple[str, float | None]]]]:
    """The curves of a folder: name, and its points with their F1."""
    curves = None if folder.curves is None else folder.curves.robustness
    if curves is None:
        return []
    out = [
        ("shift", [(f"{point['px']:g} px", point["f1"]) for point in curves["shift"]]),
        ("shift, registered first", [(f"{point['px']:g} px", point["f1_aligned"]) for point in curves["shift"]]),
    ]
    for name, at, unit in (("gamma", "gamma", ""), ("blur", "sigma_px", " px"), ("scale", "scale", "×")):
        out.append((name, [(f"{point[at]:g}{unit}", point["f1"]) for point in curves[name]]))
    return out


def _robustness(folders: Sequence[FolderScores]) -> str:
    drawn = [(folder, dict(curve_rows(folder))) for folder in folders]
    drawn = [(folder, curves) for folder, curves in drawn if curves]
    if not drawn:
        return ""
    groups = (("shift", "shift, registered first"), ("gamma",), ("blur",), ("scale",))
    tables = []
    for group in groups:
        points = [at for at, _ in drawn[0][1][group[0]]]
        rows = [
            (shown(folder), name, *(figure(f1) for _, f1 in curves[name])) for folder, curves in drawn for name in group
        ]
        tables.append(table(("pixel F1", "", *points), rows))
    told = (
        "The same few pairs. Shift: the later date against the earlier one along both axes. Gamma and blur (standard "
        "deviation of a Gaussian): of the later date. Scale: pixels of both dates along each axis."
    )
    return paragraphs("### Robustness", told, *tables)


def _protocols(folders: Sequence[FolderScores]) -> str:
    return paragraphs("### Protocol", "\n".join(f"- {shown(folder)}: {_protocol(folder)}" for folder in folders))


def _protocol(folder: FolderScores) -> str:
    found, told = folder.found, folder.found.protocol
    sizes = ", ".join(f"{count} of {size}" for size, count in list(told["sizes"].items())[:3])
    more = len(told["sizes"]) - 3
    parts = [f"{sizes}{f' and {more} more sizes' if more > 0 else ''} px", f"threshold {told['threshold']:.3f}"]
    if told["gsd_m"] is None:
        parts.append("metres per pixel unknown: own pixels, nothing dropped for being small")
    else:
        smallest = ", ".join(f"{kind} {area:g}" for kind, area in told["minimum_area_m2"].items())
        parts.append(
            f"{told['gsd_m']:g} m per pixel, compared at {told['detection_gsd_m']:g} m (profile {told['profile']})"
        )
        parts.append(f"found objects below the minimum mapping unit dropped (m²: {smallest})")
    parts.append("registered first" if told["alignment"]["asked"] else "compared as they lie, not registered")
    parts.append(f"{told['runtime']} {told['precision']}")
    parts.append(f"{told['scored_pixels']:,} pixels scored")
    if found.failed:
        parts.append(f"{len(found.failed)} pairs could not be evaluated")
    return "; ".join(parts) + "."
