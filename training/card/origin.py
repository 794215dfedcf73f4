"""Where weights come from: network, data with its terms, licence, recipe, thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from training.card.facts import Facts
from training.card.markdown import figure, paragraphs, table
from training.card.run_figures import RunFigures
from training.recipe import Recipe
from training.sources.source_recipes import MaskedRecipe, PairsRecipe, RenderedRecipe, SourceRecipe

PURPOSE = """\
**Purpose.** Alerts for an inspector: suspected new buildings and ground works between two dates, to be checked on the
ground. Not evidence, and no statement about legality."""

RESEARCH_SETS = {"LEVIR-CD": "LEVIR-CD", "DSIFN": "DSIFN", "OSCD": "OSCD", "student": "small student sets"}
"""Word in a source's terms → the set's name: their owners allow non-commercial or academic use only."""

LAST_LOOKS = 8
"""Rows of the validation's table."""


def what_it_is(facts: Facts) -> str:
    """Name, checksum, layout, what it began with, purpose."""
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
        ("begins with", _begins_with(recipe)),
        ("teacher", _teacher(recipe)),
    ]
    return paragraphs(f"# Weights `{facts.weights.name}`", PURPOSE, table(("", ""), rows))


def _shipped(recipe: Recipe) -> str:
    if not recipe.begin_share:
        return "the average is what ships"
    return f"what ships is {1 - recipe.begin_share:.0%} of the average and {recipe.begin_share:.0%} of the beginning"


def _begins_with(recipe: Recipe) -> str:
    if recipe.begin_with == "imagenet":
        return "for the encoder, EfficientNet-Lite0's numbers from ImageNet (Tan and Le 2019; Apache-2.0)"
    return (
        f"the weights `{recipe.begin_with}`, as they were when training began"
        if recipe.begin_with
        else "random numbers"
    )


def _teacher(recipe: Recipe) -> str:
    if not recipe.teacher:
        return "none"
    where = "everywhere" if recipe.teacher_where == "everywhere" else "where no label answers"
    return f"`{recipe.teacher}`: its answers are learned {where}, with weight {recipe.teacher_weight:g}"


def shares(recipe: Recipe) -> list[float]:
    """Percent of the samples from each source, to one decimal, adding up to 100.

    What rounding down leaves over goes to those that lost most.
    """
    total = sum(source.weight for source in recipe.sources)
    exact = [1000 * source.weight / total for source in recipe.sources]
    tenths = [int(share + 1e-9) for share in exact]
    by_loss = sorted(range(len(exact)), key=lambda k: tenths[k] - exact[k])
    for index in by_loss[: 1000 - sum(tenths)]:
        tenths[index] += 1
    return [count / 10 for count in tenths]


def _folder(folder: Path) -> str:
    """A folder as the recipe says it; of one elsewhere on this machine only the end, the rest is nobody's business."""
    return f"`…/{'/'.join(folder.parts[-2:])}`" if folder.is_absolute() else f"`{folder.as_posix()}`"


def source_name(source: SourceRecipe) -> str:
    """The folders of a source, with the prefix that tells apart two of one folder."""
    folders = ", ".join(_folder(folder) for folder in source.all_folders)
    return f"{folders} `{source.prefix}*`" if isinstance(source, PairsRecipe) and source.prefix else folders


def _range(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    return f"{low:g}" if low == high else f"{low:g}–{high:g}"


def _gsd(source: SourceRecipe) -> str:
    if isinstance(source, RenderedRecipe):
        return _range(source.gsd_m)
    if isinstance(source, MaskedRecipe) and source.folders:
        return _range([entry.gsd_m for entry in source.folders])
    if isinstance(source, PairsRecipe) and source.gsd_m is not None:
        return f"{source.gsd_m:g}"
    return "not stated"


def data(facts: Facts) -> str:
    """Each source with its share and its terms, and what follows from them."""
    recipe = facts.recipe
    rows = [
        (
            source_name(source),
            source.kind,
            source.question,
            _gsd(source),
            f"{share:.1f}",
            f"{source.held_back:.0%}" if isinstance(source, PairsRecipe) and source.held_back else "–",
            source.terms or "not stated",
        )
        for source, share in zip(recipe.sources, shares(recipe), strict=True)
    ]
    heads = ("source", "kind", "question", "m per pixel", "share of samples %", "held back", "terms")
    return paragraphs("## Data", table(heads, rows), _licence(recipe))


def _licence(recipe: Recipe) -> str:
    terms = " ".join(source.terms for source in recipe.sources)
    names = [name for word, name in RESEARCH_SETS.items() if word in terms]
    inherited = sorted({recipe.begin_with, recipe.teacher} - {"", "imagenet"})
    said = ["**Licence of the result.**"]
    if names:
        together = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
        said.append(
            f"Trained on research data whose owners allow non-commercial or academic use only ({together}; the terms "
            "are listed with the data). The code is Apache-2.0, these numbers carry that research provenance."
        )
    else:
        said.append("The code is Apache-2.0; these numbers carry the terms of the data listed above.")
    if inherited:
        carried = " and ".join(f"what `{name}` carries (`{name}.md`)" for name in inherited)
        said.append(f"They also carry {carried}.")
    said.append(
        "A bureau trains its own on its own reviewed images: "
        "`tuban train configs/training/own.yaml --reviews reviewed/2026-11`, see `docs/own-reviews.md`. That goes on "
        'from weights that ship and keeps their provenance; with `begin_with: ""`, no `teacher` and no research data '
        "in the recipe it begins anew."
    )
    return " ".join(said)


def training(facts: Facts) -> str:
    """The recipe, and how the run went."""
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
            f"{recipe.learning_rate:g} after {recipe.warmup_steps} steps, falling by half a cosine to nothing",
        ),
        ("encoder", f"{recipe.encoder_rate:g} of that rate; stages that stay as they began: {recipe.frozen_stages}"),
        ("average of the weights", f"decay {recipe.ema:g}; {_shipped(recipe)}"),
        ("auxiliary task", f"buildings of each date, weight {recipe.standing_weight:g}"),
        (
            "augmentation",
            f"enlarged {augment.scale[0]:g} to {augment.scale[1]:g} times where a source says nothing else, dates "
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
            ("hours of steps", f"{facts.log.hours:.2f}"),
        ]
    return paragraphs("## Recipe", table(("", ""), rows), _validation(facts.log))


def _validation(log: RunFigures | None) -> str:
    if log is None or not log.validation:
        return ""
    steps = sorted(log.validation)[-LAST_LOOKS:]
    names = sorted({name for step in steps for name in log.validation[step]})
    rows = [(f"{step}", *(figure(log.validation[step].get(name)) for name in names)) for step in steps]
    told = "Pixel F1 at probability 0.5 during the run, on a few pairs of folders that were not trained on:"
    return paragraphs(told, table(("step", *(f"`{name}`" for name in names)), rows))


def thresholds(facts: Facts) -> str:
    """The thresholds and the pairs that decided them."""
    rows = []
    for output, chosen in facts.thresholds.items():
        if chosen.source:
            how = f"{chosen.pairs} {'pairs held back' if chosen.held_back else 'pairs that were trained on'}"
            there = (figure(chosen.precision), figure(chosen.recall))
            rows.append((output, f"{chosen.value:.3f}", f"{chosen.source}: {how}", *there))
        else:
            begun = facts.recipe.begin_with
            kept = f", kept from `{begun}`" if begun not in ("", "imagenet") else ""
            rows.append((output, f"{chosen.value:.3f}", f"no pairs of the recipe decide it{kept}", "–", "–"))
    told = (
        "Chosen on pairs of the training folders only, never on the folders scored below: the probability of the "
        "highest pixel F1 there. Precision and recall are those of the same pairs."
    )
    heads = ("output", "threshold", "chosen on", "precision there", "recall there")
    return paragraphs("## Thresholds", told, table(heads, rows))
