"""Card section on scores: tables of metrics by folder, and the protocol of each evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from training.card.facts import CardFacts, FolderScores
from training.card.markdown import format_number, paragraphs, table

PIXEL = ("precision", "recall", "f1", "iou")
MATCHED = ("precision", "recall", "f1")


def folder_label(folder: FolderScores) -> str:
    """Return the name of a folder and its question for a table cell."""
    return f"{folder.name}, {folder.question}"


def false_alarm_rate(metrics: dict[str, Any]) -> str:
    """Format false alarms per km², or per million pixels if the ground sample distance is unknown."""
    if metrics["false_alarms_per_km2"] is not None:
        return f"{metrics['false_alarms_per_km2']:.1f} per km²"
    if metrics["false_alarms_per_megapixel"] is not None:
        return f"{metrics['false_alarms_per_megapixel']:.1f} per megapixel"
    return "–"


def scores_section(facts: CardFacts) -> str:
    """Return the section with all scores."""
    measured = (*facts.folders, *facts.rendered)
    curves = [folder for folder in facts.folders if folder.curves is not None]
    return paragraphs(
        "## Scores",
        "At the thresholds above; none is tuned here. Pixels of all images of a folder are counted together; complete "
        "images, no test-time augmentation. `tuban evaluate` gives the same figures for any folder. "
        + ("" if facts.folders else "No folder of real imagery was given to the export. ")
        + "The rendered scenes were not used for training, but similar scenes may have been, so their rows say nothing "
        "about real imagery.",
        _pixels(measured),
        _objects(measured),
        _sizes(measured),
        _calibration(measured),
        _swapped_and_restyled(curves),
        _robustness(curves),
        _protocols(measured),
    )


def _pixels(folders: Sequence[FolderScores]) -> str:
    """Return the table of pixel metrics, false alarms and calibration error."""
    rows = []
    for folder in folders:
        evaluation = folder.evaluation
        metrics = [format_number(evaluation.pixel[key]) for key in PIXEL]
        alarms = false_alarm_rate(evaluation.as_json())
        areas = evaluation.areas_mu
        mu = "–" if areas is None else f"{areas['found']:,.0f} of {areas['changed']:,.0f}"
        false_mu = "–" if areas is None else f"{areas['falsely_reported']:,.0f}"
        error = format_number(evaluation.calibration["expected_calibration_error"])
        rows.append((folder_label(folder), f"{evaluation.pairs}", *metrics, alarms, mu, false_mu, error))
    heads = (
        "folder",
        "pairs",
        "precision",
        "recall",
        "F1",
        "IoU",
        "false alarms",
        "mu found",
        "mu falsely reported",
        "expected calibration error",
    )
    note = "A false alarm is a predicted object without any changed pixel; rates are per unchanged area. "
    note += "Areas in mu are those of objects above the minimum mapping unit."
    return paragraphs("### Pixels and false alarms", table(heads, rows), note)


def _objects(folders: Sequence[FolderScores]) -> str:
    """Return the table of object metrics."""
    rows = [
        (
            folder_label(folder),
            iou.removeprefix("iou_"),
            f"{figures['true']}",
            f"{figures['found']}",
            *(format_number(figures[key]) for key in MATCHED),
        )
        for folder in folders
        for iou, figures in folder.evaluation.objects.items()
    ]
    heads = ("folder", "IoU ≥", "true", "predicted", "precision", "recall", "F1")
    return paragraphs("### Objects", "Connected components, matched one to one.", table(heads, rows))


def _sizes(folders: Sequence[FolderScores]) -> str:
    """Return the table of recall by size class; empty if no sizes are known."""
    rows = []
    names: list[str] = []
    for folder in folders:
        for iou, figures in folder.evaluation.objects.items():
            classes = figures["by_area_m2"]
            if classes is not None:
                names = list(classes)
                recalls = (
                    f"{format_number(one['recall'])} of {one['true']}" if one["true"] else "–"
                    for one in classes.values()
                )
                rows.append((folder_label(folder), iou.removeprefix("iou_"), *recalls))
    if not rows:
        return ""
    heads = ("folder", "IoU ≥", *(f"{name} m²" for name in names))
    return paragraphs("### Recall of objects by size", table(heads, rows))


def _calibration(folders: Sequence[FolderScores]) -> str:
    """Return the table of the reliability diagrams."""
    rows = []
    for number in range(10):
        bins = [folder.evaluation.calibration["bins"][number] for folder in folders]
        cells = [f"{format_number(one['mean_score'], '.2f')} → {format_number(one['observed'], '.2f')}" for one in bins]
        rows.append((f"{bins[0]['from']:.1f}–{bins[0]['to']:.1f}", *cells))
    intro = "Pixels by predicted probability: mean probability → share of pixels that changed."
    return paragraphs("### Calibration", intro, table(("probability", *map(folder_label, folders)), rows))


def _swapped_and_restyled(folders: Sequence[FolderScores]) -> str:
    """Return the table of swapped dates and restyled copies; empty if not measured."""
    rows = []
    for folder in folders:
        curves = folder.curves
        if curves is None or curves.robustness is None or curves.restyled is None:
            continue
        restyled = curves.restyled
        rows.append(
            (
                folder_label(folder),
                f"{curves.pairs}",
                format_number(curves.pixel["f1"]),
                format_number(curves.robustness["swapped"]["f1"]),
                f"{restyled['images']}",
                false_alarm_rate(restyled),
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
        "false alarms on restyled images",
        "pixels above the threshold",
    )
    intro = (
        "A few evenly spaced pairs. Restyled: every image against a copy of itself in other light, season and "
        "sharpness, where nothing changed."
    )
    return paragraphs("### Swapped dates and restyled images", intro, table(heads, rows))


def robustness_curves(folder: FolderScores) -> list[tuple[str, list[tuple[str, float | None]]]]:
    """Return the robustness curves of a folder: name, and points (position, F1)."""
    curves = None if folder.curves is None else folder.curves.robustness
    if curves is None:
        return []
    named = [
        ("shift", [(f"{point['px']:g} px", point["f1"]) for point in curves["shift"]]),
        ("shift, registered first", [(f"{point['px']:g} px", point["f1_aligned"]) for point in curves["shift"]]),
    ]
    for name, key, unit in (("gamma", "gamma", ""), ("blur", "sigma_px", " px"), ("scale", "scale", "×")):
        named.append((name, [(f"{point[key]:g}{unit}", point["f1"]) for point in curves[name]]))
    return named


def _robustness(folders: Sequence[FolderScores]) -> str:
    """Return the tables of robustness curves; empty if not measured."""
    measured = [(folder, dict(robustness_curves(folder))) for folder in folders]
    measured = [(folder, curves) for folder, curves in measured if curves]
    if not measured:
        return ""
    groups = (("shift", "shift, registered first"), ("gamma",), ("blur",), ("scale",))
    tables = []
    for group in groups:
        points = [position for position, _ in measured[0][1][group[0]]]
        rows = [
            (folder_label(folder), name, *(format_number(f1) for _, f1 in curves[name]))
            for folder, curves in measured
            for name in group
        ]
        tables.append(table(("pixel F1", "", *points), rows))
    intro = (
        "The same few pairs. Shift: the later date against the earlier one along both axes. Gamma and blur (standard "
        "deviation of a Gaussian): of the later date. Scale: pixels of both dates along each axis."
    )
    return paragraphs("### Robustness", intro, *tables)


def _protocols(folders: Sequence[FolderScores]) -> str:
    """Return the list of protocols."""
    return paragraphs("### Protocol", "\n".join(f"- {folder_label(folder)}: {_protocol(folder)}" for folder in folders))


def _protocol(folder: FolderScores) -> str:
    """Summarize the protocol of one evaluation in one line."""
    evaluation, protocol = folder.evaluation, folder.evaluation.protocol
    sizes = ", ".join(f"{count} of {size}" for size, count in list(protocol["sizes"].items())[:3])
    more = len(protocol["sizes"]) - 3
    parts = [f"{sizes}{f' and {more} more sizes' if more > 0 else ''} px", f"threshold {protocol['threshold']:.3f}"]
    if protocol["gsd_m"] is None:
        parts.append("ground sample distance unknown: original pixels, no minimum mapping unit")
    else:
        smallest = ", ".join(f"{kind} {area:g}" for kind, area in protocol["minimum_area_m2"].items())
        parts.append(
            f"{protocol['gsd_m']:g} m per pixel, compared at {protocol['detection_gsd_m']:g} m "
            f"(profile {protocol['profile']})"
        )
        parts.append(f"predicted objects below the minimum mapping unit dropped (m²: {smallest})")
    parts.append("registered first" if protocol["alignment"]["asked"] else "not registered")
    parts.append(f"{protocol['runtime']} {protocol['precision']}")
    parts.append(f"{protocol['scored_pixels']:,} pixels scored")
    if evaluation.failed:
        parts.append(f"{len(evaluation.failed)} pairs could not be evaluated")
    return "; ".join(parts) + "."
