"""Tables of the evaluation of sagittal slices: outlines, levels and measures, with intervals over patients."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from spinealign.metrics.agreement import Estimate
from spinealign.metrics.value_agreement import Figure, SagittalEvaluation, ValueAgreement
from spinealign.reporting.film_tables import format_estimate
from spinealign.reporting.tables import Table

FIGURES: dict[str, tuple[str, float, int, str]] = {  # title, factor, decimals, unit
    "dice_per_body": ("Dice per vertebral body", 1, 3, ""),
    "dice_of_worst_patient": ("Dice per vertebral body, worst patient", 1, 3, ""),
    "dice_body": ("Dice of all vertebral bodies of a slice", 1, 3, ""),
    "dice_disc": ("Dice of discs", 1, 3, ""),
    "dice_canal": ("Dice of the canal", 1, 3, ""),
    "dice_s1": ("Dice of S1, against grown labels", 1, 3, ""),
    "bodies_found": ("vertebral bodies found", 100, 1, " %"),
    "false_bodies": ("false vertebral bodies, share of those found", 100, 1, " %"),
    "l5_certain": ("L5 named with confidence", 100, 1, " %"),
    "l5_right_if_certain": ("L5 right where named with confidence", 100, 1, " %"),
    "l5_is_lowest": ("L5 is the lowest body that was found", 100, 1, " %"),
    "falsely_named": ("cut pictures: falsely named with confidence", 100, 1, " %"),
    "cut_certain": ("cut pictures: named with confidence", 100, 1, " %"),
    "rejected": ("series rejected", 100, 1, " %"),
}
KIND_TITLES = {
    "lordosis_l1_l5": "lordosis L1-L5",
    "lordosis_l1_s1": "lordosis L1-S1 (reference: lower border of the L5-S1 disc)",
    "centroid_lordosis_l1_l5": "lordosis by centroids",
    "segment": "segmental angle",
    "disc_height_mm": "disc height",
    "disc_height_index": "disc height index",
    "slip_mm": "slip",
    "slip_percent": "slip, share of the endplate",
    "height_ratio": "height ratio, anterior to posterior",
    "middle_ratio": "height ratio, middle to posterior",
    "height_anterior_mm": "anterior height",
    "height_middle_mm": "middle height",
    "height_posterior_mm": "posterior height",
    "depth_mm": "depth",
}
UNITS = {"degree": "°", "mm": " mm", "percent": " %", "ratio": ""}


def figures_table(evaluation: SagittalEvaluation) -> Table:
    """Return a table with one line for each figure of outlines and levels."""
    rows = [
        (FIGURES[item.name][0], item.part, format_figure(item), f"{item.count:,}", f"{item.patients:,}")
        for item in evaluation.figures
        if item.name in FIGURES
    ]
    return Table(("figure (95 % interval)", "images", "value", "number", "patients"), rows, numbers=(2, 3, 4))


def format_figure(item: Figure) -> str:
    """Format a figure with its interval; that of a minimum has none."""
    _, factor, decimals, unit = FIGURES[item.name]
    if item.estimate.low == item.estimate.high:
        return f"{item.estimate.value * factor:.{decimals}f}{unit}"
    return format_estimate(item.estimate, unit, factor=factor, decimals=decimals)


def values_table(evaluation: SagittalEvaluation, part: str) -> Table:
    """Return a table with one line for each kind of measure in a set of images."""
    rows = []
    for item in evaluation.measures:
        if item.part != part:
            continue
        noise = evaluation.figure(f"label_noise_{item.name}", part.split(",", maxsplit=1)[0])
        rows.append(
            (
                KIND_TITLES.get(item.name, item.name),
                _format(item, "mean_error"),
                _plain(item, "p95_error"),
                _plain(item, "bias", sign="+"),
                f"{item.scores['correlation'].value:.2f}" if "correlation" in item.scores else "-",
                _plain(item, "deviation"),
                _plain(item, "level_error"),
                "-" if noise is None else _number(noise.estimate.value, item.unit),
                _share(item.scores.get("coverage")),
                _plain(item, "interval_width"),
            )
        )
    head = (
        "measure", "mean error", "95 % of the errors are at most", "bias", "r", "SD of the reference",
        "mean error of the level's mean", "labels, next different slice", "90 % interval: coverage", "mean width",
    )  # fmt: skip
    return Table(head, rows, numbers=range(1, len(head)))


def parts_of(evaluation: SagittalEvaluation) -> Sequence[str]:
    """Return the sets of images in which measures were compared."""
    return list(dict.fromkeys(item.part for item in evaluation.measures))


def format_slices(evaluation: SagittalEvaluation, show: Callable[[Table], str] = Table.text) -> str:
    """Return all figures and measures; `show` writes a table, by default as text."""
    tables = [f"{part}\n\n{show(values_table(evaluation, part))}" for part in parts_of(evaluation)]
    return "\n\n".join([show(figures_table(evaluation)), *tables])


def _format(item: ValueAgreement, score: str) -> str:
    decimals = 3 if item.unit == "ratio" else 2
    return format_estimate(item.scores.get(score), UNITS[item.unit], decimals=decimals)


def _plain(item: ValueAgreement, score: str, *, sign: str = "") -> str:
    found = item.scores.get(score)
    return "-" if found is None else _number(found.value, item.unit, sign=sign)


def _number(value: float, unit: str, *, sign: str = "") -> str:
    return f"{value:{sign}.{3 if unit == 'ratio' else 2}f}"


def _share(found: Estimate | None) -> str:
    return "-" if found is None else f"{found.value:.1%}"
