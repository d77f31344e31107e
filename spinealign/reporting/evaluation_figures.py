"""Figures of an evaluation: ROC, precision-recall, reliability and confusion."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spinealign.metrics.evaluation import Evaluation, Predictions
from spinealign.metrics.registry import CALIBRATION_BINS, calibration_bin, format_interval, format_score
from spinealign.writing import new_file

_MODEL, _RIDGE, _CHANCE = "#2f6f9f", "#d55e00", "0.6"  # blue and vermilion, distinct for every kind of color vision


def plot_evaluation(evaluations: Sequence[Evaluation], path: Path) -> None:
    """Plot ROC, precision-recall, reliability and confusion, two rows for each evaluation, as PNG.

    Raises:
        ValueError: If an evaluation has no predictions.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 9 * len(evaluations)), layout="constrained")
    rows = figure.subfigures(len(evaluations), 1, squeeze=False)[:, 0]
    for row, item in zip(rows, evaluations):
        found = item.require_predictions()
        row.suptitle(_caption(item), fontsize=11, x=0.01, ha="left")
        roc, precision, reliability, confusion = row.subplots(2, 2).ravel()
        _plot_roc(roc, item, found)
        _plot_precision(precision, item, found)
        _plot_reliability(reliability, item, found)
        _plot_confusion(confusion, item)
    with new_file(path) as staging:
        figure.savefig(staging, format="png", dpi=130)


def _caption(item: Evaluation) -> str:
    return (
        f"{item.collection} ({item.split}): {item.images:,} images of {item.distinct}\n"
        f"accuracy {_with_interval('accuracy', item)}, "
        f"thumbnail ridge {format_score('accuracy', item.thumbnail_ridge_accuracy)}"
    )


def _with_interval(name: str, item: Evaluation) -> str:
    return f"{format_score(name, item.scores[name])} ({format_interval(name, item.intervals[name])})"


def _has_both_classes(axes: Any, item: Evaluation) -> bool:
    """Return whether both classes are present; if not, write it on the plot."""
    both = item.scores["sensitivity"] is not None and item.scores["specificity"] is not None
    if not both:
        axes.text(0.5, 0.5, "needs images of both classes", ha="center", va="center", color="0.4")
    return both


def _plot_roc(axes: Any, item: Evaluation, found: Predictions) -> None:
    from sklearn.metrics import roc_curve

    _share_axes(axes, "1 - specificity", "sensitivity", "ROC")
    if not _has_both_classes(axes, item):
        return
    axes.plot([0, 1], [0, 1], ":", color=_CHANCE, lw=1)
    false_positive, sensitivity, _ = roc_curve(found.positive, found.probability, drop_intermediate=False)
    axes.plot(false_positive, sensitivity, color=_MODEL, lw=2, label=f"AUROC {_with_interval('auroc', item)}")
    points = [(item.scores, "o", _MODEL, f"operating point {item.threshold:.3g}")]
    if item.thumbnail_ridge:
        points.append((item.thumbnail_ridge.scores, "D", _RIDGE, "thumbnail ridge"))
    for scores, marker, color, label in points:
        place = (1 - (scores["specificity"] or 0.0), scores["sensitivity"])
        axes.plot(*place, marker, color=color, ms=8, label=label, clip_on=False)
    axes.legend(loc="lower right", fontsize=8, frameon=False)


def _plot_precision(axes: Any, item: Evaluation, found: Predictions) -> None:
    from sklearn.metrics import precision_recall_curve

    _share_axes(axes, "sensitivity", "PPV", "precision-recall")
    if not _has_both_classes(axes, item):
        return
    prevalence = float(np.mean(found.positive))
    axes.axhline(prevalence, ls=":", color=_CHANCE, lw=1, label=f"chance ({prevalence * 100:.0f} % positive)")
    ppv, sensitivity, _ = precision_recall_curve(found.positive, found.probability)
    label = f"AUPRC {_with_interval('auprc', item)}"
    axes.plot(sensitivity, ppv, color=_MODEL, lw=2, drawstyle="steps-post", label=label)
    ridge = item.thumbnail_ridge
    for scores, marker, color in ((item.scores, "o", _MODEL), (ridge.scores if ridge else {}, "D", _RIDGE)):
        if scores.get("ppv") is not None:
            axes.plot(scores["sensitivity"], scores["ppv"], marker, color=color, ms=8, clip_on=False)
    axes.legend(loc="lower left", fontsize=8, frameon=False)


def _plot_reliability(axes: Any, item: Evaluation, found: Predictions) -> None:
    _share_axes(axes, "predicted probability (dot size: images)", "share of positives", "reliability")
    number = calibration_bin(found.probability)
    count = np.bincount(number, minlength=CALIBRATION_BINS)
    filled = count > 0
    mean = np.bincount(number, weights=found.probability, minlength=CALIBRATION_BINS)[filled] / count[filled]
    share = np.bincount(number, weights=found.positive, minlength=CALIBRATION_BINS)[filled] / count[filled]
    axes.plot([0, 1], [0, 1], ":", color=_CHANCE, lw=1)
    sizes = 12 + 300 * count[filled] / count.max()  # bins with few images are weak evidence, so they are small
    axes.scatter(mean, share, sizes, color=_MODEL, alpha=0.75, edgecolor="none", clip_on=False)
    for name, title in (("ece", "ECE"), ("brier", "Brier")):
        axes.plot([], [], " ", label=f"{title} {_with_interval(name, item)}")
    axes.legend(loc="best", fontsize=8, edgecolor="none", framealpha=0.8, handlelength=0)


def _plot_confusion(axes: Any, item: Evaluation) -> None:
    counts = item.confusion
    cells = np.array([[counts.tp, counts.fn], [counts.fp, counts.tn]])
    of_truth = cells / np.maximum(cells.sum(axis=1, keepdims=True), 1)
    axes.imshow(of_truth, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(cells):
        color = "white" if of_truth[row, column] > 0.5 else "black"
        text = f"{count:,}\n{of_truth[row, column] * 100:.1f} %" if cells[row].any() else "0"
        axes.text(column, row, text, ha="center", va="center", color=color, fontsize=12)
    axes.set(title="confusion, in images", xticks=(0, 1), yticks=(0, 1), xlabel="prediction", ylabel="truth")
    axes.set_xticklabels(("positive", "negative"))
    axes.set_yticklabels(("positive", "negative"), rotation=90, va="center")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _share_axes(axes: Any, xlabel: str, ylabel: str, title: str) -> None:
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title, xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    axes.spines[["top", "right"]].set_visible(False)
