"""Figures of evaluations and of a training, as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spinealign.metrics.evaluation import Evaluation
from spinealign.metrics.registry import METRICS, percent, score_title
from spinealign.reporting.panels import (
    MODEL,
    plot_confusion,
    plot_forest,
    plot_grade_errors,
    plot_grades,
    plot_precision,
    plot_reliability,
    plot_roc,
    with_interval,
)
from spinealign.writing import new_file

PANELS = {
    "binary": (plot_roc, plot_precision, plot_reliability, plot_confusion),
    "multi_class": (plot_roc, plot_precision, plot_reliability, plot_confusion),
    "ordinal": (plot_grades, plot_confusion, plot_grade_errors, plot_reliability),
}
ROW_PANELS = {
    "binary": (plot_roc, plot_reliability, plot_confusion),
    "multi_class": (plot_roc, plot_reliability, plot_confusion),
    "ordinal": (plot_grades, plot_reliability, plot_confusion),
}
LABELS_SHOWN = 8  # of several labels, each in a row of its own
_ROW = 3.5  # height of such a row in inches


def plot_evaluation(evaluations: Sequence[Evaluation], path: Path) -> None:
    """Plot curves, reliability and confusion of each evaluation.

    One label has four panels, in two rows. Several labels have a row each, up to `LABELS_SHOWN`, below an overview of
    all of them.

    Raises:
        ValueError: If an evaluation has no predictions.
    """
    heights = [_overview_height(item) + _ROW * len(_shown(item)) if item.has_several else 9.0 for item in evaluations]
    figure = new_figure(9, sum(heights))
    blocks = figure.subfigures(len(evaluations), 1, squeeze=False, height_ratios=heights)[:, 0]
    for block, item in zip(blocks, evaluations):
        if not item.has_several:
            _caption(block, item)
            for plot, axes in zip(PANELS[item.kind], block.subplots(2, 2).ravel()):
                plot(axes, item)
            continue
        shown = _shown(item)
        ratios = [_overview_height(item), *[_ROW] * len(shown)]
        rows = block.subfigures(len(shown) + 1, 1, squeeze=False, height_ratios=ratios)[:, 0]
        _caption(rows[0], item)
        plot_forest(rows[0].subplots(), item)
        for row, label in zip(rows[1:], shown):
            _caption(row, label)
            for plot, axes in zip(ROW_PANELS[label.kind], row.subplots(1, 3)):
                plot(axes, label)
    save_figure(figure, path)


def _shown(item: Evaluation) -> tuple[Evaluation, ...]:
    return item.parts[:LABELS_SHOWN]


def _overview_height(item: Evaluation) -> float:
    return 1.6 + 0.55 * len(item.parts)


def _caption(figure: Any, item: Evaluation) -> None:
    text = (
        f"{item.title}: {item.size}\n"
        f"{with_interval('accuracy', item)}, thumbnail ridge {percent(item.thumbnail_ridge_accuracy)}"
    )
    figure.suptitle(text, fontsize=11, x=0.01, ha="left")


def plot_learning_curves(history: Sequence[dict[str, Any]], path: Path) -> None:
    """Plot loss and scores by epoch, from the `log_history` of the Trainer."""
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(10.5, 3.6)
    losses, scores = figure.subplots(1, 2, width_ratios=(1, 1.5))
    trained = [(row["epoch"], row["loss"]) for row in history if "loss" in row]
    evaluated = [row for row in history if "eval_loss" in row]
    epochs = [row["epoch"] for row in evaluated]
    losses.plot(*zip(*trained), color="0.6", label="train") if trained else None
    losses.plot(epochs, [row["eval_loss"] for row in evaluated], "o-", label="validation")
    losses.set(xlabel="epoch", ylabel="loss")
    losses.set_ylim(0, 1.1 * losses.get_ylim()[1])
    losses.legend(frameon=False, loc="upper right")
    for name in (name for name, metric in METRICS.items() if metric.in_summary and metric.limits[1] == 1.0):
        values = [row.get(f"eval_{name}") for row in evaluated]
        if any(value is not None for value in values):
            scores.plot(epochs, values, "o-", label=score_title(name))
    if evaluated:  # never show an accuracy without sample size, interval and baseline
        last = evaluated[-1]
        scores.axhline(last["eval_thumbnail_ridge"], color="0.4", ls="--", label="accuracy of the\nthumbnail ridge")
        interval = f"{last['eval_accuracy_low']:.0%} to {last['eval_accuracy_high']:.0%}"
        title = f"{last['eval_sources']} distinct sources; 95 % interval of the last accuracy: {interval}"
        scores.set_title(title, fontsize=9)
        scores.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    scores.set(xlabel="epoch", ylabel="score on the validation split", ylim=(0, 1.02))
    for axes in (losses, scores):
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlim(left=0)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    save_figure(figure, path)


def plot_training_loss(history: Sequence[dict[str, Any]], path: Path) -> None:
    """Plot the loss of a training without validation by epoch, from the `log_history` of the Trainer."""
    figure = new_figure(6, 3.6)
    axes = figure.subplots()
    axes.plot(*zip(*[(row["epoch"], row["loss"]) for row in history if "loss" in row]), color=MODEL)
    axes.set(xlabel="epoch", ylabel="loss of the training views")
    axes.set_xlim(left=0)
    axes.spines[["top", "right"]].set_visible(False)
    save_figure(figure, path)


def plot_sensitivity_by_size(evaluations: Sequence[Evaluation], path: Path) -> None:
    """Plot the sensitivity by size of the finding; write nothing if no evaluation has sizes."""
    sized = [item for item in evaluations if item.sensitivity_by_size]
    if not sized:
        return
    figure = new_figure(5.5 * len(sized), 3.6)
    for axes, item in zip(figure.subplots(1, len(sized), squeeze=False)[0], sized):
        bins = item.sensitivity_by_size
        middles = [entry.from_mm + 0.5 if entry.to_mm is None else (entry.from_mm + entry.to_mm) / 2 for entry in bins]
        axes.bar(middles, [entry.sensitivity for entry in bins], width=0.85, color=MODEL)
        for middle, entry in zip(middles, bins):
            axes.annotate(f"n = {entry.count}", (middle, 0.02), ha="center", color="white", fontsize=8)
        axes.set(xlabel="size of the finding in mm", ylabel="sensitivity", ylim=(0, 1.02), title=item.collection)
        axes.spines[["top", "right"]].set_visible(False)
    save_figure(figure, path)


def new_figure(width: float, height: float) -> Any:
    """Return an empty figure; sizes are in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def save_figure(figure: Any, path: Path) -> None:
    """Write a figure as PNG."""
    with new_file(path) as staging:
        figure.savefig(staging, format="png", dpi=130)
