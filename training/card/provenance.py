"""Card sections on provenance: network, training data and terms, licence, recipe, thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from training.card.facts import CardFacts
from training.card.markdown import format_number, paragraphs, table
from training.card.run_figures import RunFigures
from training.recipe import Recipe
from training.sources.source_recipes import MaskedRecipe, PairsRecipe, RenderedRecipe, SourceRecipe

PURPOSE = """\
**Purpose.** Alerts for an inspector: suspected new buildings and ground works between two dates, to be checked on the
ground. Not evidence, and no statement about legality."""

RESEARCH_DATASETS = {"LEVIR-CD": "LEVIR-CD", "DSIFN": "DSIFN", "OSCD": "OSCD", "student": "small student sets"}
"""Word in a source's terms → name of the dataset, which allows non-commercial or academic use only."""

LAST_VALIDATIONS = 8
"""Number of rows in the validation table."""


def weights_section(facts: CardFacts) -> str:
    """Return the section with name, purpose, checksum, layout and initial weights."""
    layout, recipe = facts.weights.layout, facts.recipe
    encoder = (
        f"EfficientNet-Lite0 to stride 16, widths {layout.encoder_widths}, inside its blocks up to {layout.expansion} "
        "times wider"
    )
    rows = [
        ("file", f"`{facts.weights.path.name}`, {facts.file_bytes / 1e6:.2f} MB"),
        ("sha256", f"`{facts.weights.sha256}`"),
        ("network", f"`{layout.name}`, {facts.parameters:,} parameters"),
        ("encoder", encoder),
        ("fusion and decoder", f"widths {layout.widths}, residual blocks {layout.fused_depths}"),
        ("initial weights", _initial_weights(recipe)),
        ("teacher", _teacher(recipe)),
    ]
    return paragraphs(f"# Weights `{facts.weights.name}`", PURPOSE, table(("", ""), rows))


def _averaging(recipe: Recipe) -> str:
    """Describe how averaged and initial weights are combined."""
    if not recipe.weight_interpolation:
        return "the average is exported"
    initial = recipe.weight_interpolation
    return f"exported: {1 - initial:.0%} of the average and {initial:.0%} of the initial weights"


def _initial_weights(recipe: Recipe) -> str:
    """Describe the weights that training started from."""
    if recipe.initial_weights == "imagenet":
        return "encoder: EfficientNet-Lite0 pre-trained on ImageNet (Tan and Le 2019; Apache-2.0)"
    if recipe.initial_weights:
        return f"the weights `{recipe.initial_weights}`, as they were when training started"
    return "random"


def _teacher(recipe: Recipe) -> str:
    """Describe the teacher and where its predictions are learned."""
    if not recipe.teacher:
        return "none"
    where = "everywhere" if recipe.teacher_where == "everywhere" else "where no label is available"
    return f"`{recipe.teacher}`: its predictions are learned {where}, with weight {recipe.teacher_weight:g}"


def shares(recipe: Recipe) -> list[float]:
    """Return the percentage of samples from each source, to one decimal, adding up to 100.

    The remainder of rounding down goes to the sources with the largest fractions (largest remainder method).
    """
    total = sum(source.weight for source in recipe.sources)
    exact = [1000 * source.weight / total for source in recipe.sources]
    tenths = [int(share + 1e-9) for share in exact]
    by_loss = sorted(range(len(exact)), key=lambda k: tenths[k] - exact[k])
    for index in by_loss[: 1000 - sum(tenths)]:
        tenths[index] += 1
    return [count / 10 for count in tenths]


def _folder_name(folder: Path) -> str:
    """Return a folder as in the recipe; only the end of an absolute path, as the rest is private."""
    return f"`…/{'/'.join(folder.parts[-2:])}`" if folder.is_absolute() else f"`{folder.as_posix()}`"


def source_name(source: SourceRecipe) -> str:
    """Return the folders of a source, with the prefix that distinguishes sources of the same folder."""
    folders = ", ".join(_folder_name(folder) for folder in source.all_folders)
    return f"{folders} `{source.prefix}*`" if isinstance(source, PairsRecipe) and source.prefix else folders


def _range(values: Sequence[float]) -> str:
    """Format the range of values."""
    low, high = min(values), max(values)
    return f"{low:g}" if low == high else f"{low:g}–{high:g}"


def _gsd(source: SourceRecipe) -> str:
    """Format the ground sample distances of a source in metres."""
    if isinstance(source, RenderedRecipe):
        return _range(source.gsd_m)
    if isinstance(source, MaskedRecipe) and source.folders:
        return _range([entry.gsd_m for entry in source.folders])
    if isinstance(source, PairsRecipe) and source.gsd_m is not None:
        return f"{source.gsd_m:g}"
    return "not stated"


def data_section(facts: CardFacts) -> str:
    """Return the section on all sources with their shares and terms, and the resulting licence."""
    recipe = facts.recipe
    rows = [
        (
            source_name(source),
            source.kind,
            source.question,
            _gsd(source),
            f"{share:.1f}",
            f"{source.validation_split:.0%}" if isinstance(source, PairsRecipe) and source.validation_split else "–",
            source.terms or "not stated",
        )
        for source, share in zip(recipe.sources, shares(recipe), strict=True)
    ]
    heads = ("source", "kind", "question", "m per pixel", "share of samples %", "validation split", "terms")
    return paragraphs("## Data", table(heads, rows), _licence(recipe))


def _licence(recipe: Recipe) -> str:
    """Describe the licence that follows from the terms of the data."""
    terms = " ".join(source.terms for source in recipe.sources)
    names = [name for word, name in RESEARCH_DATASETS.items() if word in terms]
    inherited = sorted({recipe.initial_weights, recipe.teacher} - {"", "imagenet"})
    sentences = ["**Licence of the weights.**"]
    if names:
        together = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
        sentences.append(
            f"Trained on research data whose owners allow non-commercial or academic use only ({together}; the terms "
            "are listed with the data). The code is licensed under Apache-2.0; the weights carry this research "
            "provenance."
        )
    else:
        sentences.append("The code is licensed under Apache-2.0; the weights carry the terms of the data listed above.")
    if inherited:
        inherited_names = " and ".join(f"`{name}` (`{name}.md`)" for name in inherited)
        sentences.append(f"They also inherit the provenance of {inherited_names}.")
    sentences.append(
        "A bureau can train weights on its own reviewed images: "
        "`tuban train configs/training/own.yaml --reviews reviewed/2026-11`, see `docs/own-reviews.md`. That continues "
        'from shipped weights and inherits their provenance; with `initial_weights: ""`, no `teacher` and no research '
        "data in the recipe, training starts from scratch."
    )
    return " ".join(sentences)


def recipe_section(facts: CardFacts) -> str:
    """Return the section on the recipe and the run."""
    recipe, augment, look = facts.recipe, facts.recipe.augment, facts.recipe.appearance
    stopped = f" of {recipe.steps}, stopped early" if facts.step < recipe.steps else ""
    rows = [
        ("steps", f"{facts.step}{stopped}"),
        ("batch", f"{recipe.batch} pairs of {augment.size}² pixels"),
        ("pairs seen", f"{facts.step * recipe.batch:,}"),
        ("seed", f"{recipe.seed}"),
        ("optimiser", "AdamW, weight decay 0.01"),
        (
            "learning rate",
            f"{recipe.learning_rate:g} after {recipe.warmup_steps} steps, then cosine decay to 0",
        ),
        ("encoder", f"{recipe.encoder_rate:g} of that rate; frozen stages: {recipe.frozen_stages}"),
        ("average of the weights", f"decay {recipe.ema:g}; {_averaging(recipe)}"),
        ("auxiliary task", f"buildings of each date, weight {recipe.building_presence_weight:g}"),
        (
            "augmentation",
            f"enlarged {augment.scale[0]:g} to {augment.scale[1]:g} times unless a source overrides it, dates "
            f"shifted by {augment.shift_px:g} px (standard deviation); distorted {augment.distort:.0%}, vehicles "
            f"{augment.vehicles:.0%}, nodata {augment.nodata:.0%} of the pairs",
        ),
        (
            "appearance",
            f"colour {look.colour:.0%} (strength {look.strength:g}), season {look.season:.0%}, sun {look.sun:.0%}, "
            f"cloud {look.cloud:.0%}, haze {look.haze:.0%}, sharpness {look.sharpness:.0%}, noise {look.noise:.0%}, "
            f"compression {look.compression:.0%} of the images",
        ),
    ]
    if facts.log is not None:
        rows += [
            ("speed", f"{facts.log.rate:.1f} pairs a second (median), {facts.log.waited:.1%} of the time waiting"),
            ("hours of training steps", f"{facts.log.hours:.2f}"),
        ]
    return paragraphs("## Recipe", table(("", ""), rows), _validation(facts.log))


def _validation(log: RunFigures | None) -> str:
    """Return the table of validation scores during the run; empty without any."""
    if log is None or not log.validation:
        return ""
    steps = sorted(log.validation)[-LAST_VALIDATIONS:]
    names = sorted({name for step in steps for name in log.validation[step]})
    rows = [(f"{step}", *(format_number(log.validation[step].get(name)) for name in names)) for step in steps]
    intro = "Pixel F1 at probability 0.5 during the run, on a few pairs of folders that were not used for training:"
    return paragraphs(intro, table(("step", *(f"`{name}`" for name in names)), rows))


def thresholds_section(facts: CardFacts) -> str:
    """Return the section on thresholds and the pairs that they were chosen on."""
    rows = []
    for output, chosen in facts.thresholds.items():
        if chosen.source:
            split = "validation split" if chosen.held_out else "training data"
            metrics = (format_number(chosen.precision), format_number(chosen.recall))
            pairs = f"{chosen.source}: {chosen.pairs} pairs of the {split}"
            rows.append((output, f"{chosen.value:.3f}", pairs, *metrics))
        else:
            initial = facts.recipe.initial_weights
            inherited = f", inherited from `{initial}`" if initial not in ("", "imagenet") else ""
            reason = f"no pairs of the recipe answer this question{inherited}"
            rows.append((output, f"{chosen.value:.3f}", reason, "–", "–"))
    intro = (
        "Chosen on pairs of the training folders only, never on the folders evaluated below: the probability with the "
        "highest pixel F1. Precision and recall are those on the same pairs."
    )
    heads = ("output", "threshold", "chosen on", "precision", "recall")
    return paragraphs("## Thresholds", intro, table(heads, rows))
