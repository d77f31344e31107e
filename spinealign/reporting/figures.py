"""Figures of evaluations and of a training, as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spinealign.metrics.evaluation import Evaluation
from spinealign.metrics.registry import (
    CALIBRATION_BINS,
    calibration_bin,
    format_interval,
    format_score,
    percent,
    score_title,
)
from spinealign.writing import new_file

_MODEL, _RIDGE, _CHANCE = "#2f6f9f", "#d55e00", "0.6"  # blue and vermilion, distinct for every kind of color vision


def plot_evaluation(evaluations: Sequence[Evaluation], path: Path) -> None:
    """Plot ROC, precision-recall, reliability and confusion, two rows for each evaluation.

    Raises:
        ValueError: If an evaluation has no predictions.
    """
    figure = _figure(9, 9 * len(evaluations))
    rows = figure.subfigures(len(evaluations), 1, squeeze=False)[:, 0]
    for row, item in zip(rows, evaluations):
        caption = (
            f"{item.collection} ({item.split}): {item.images:,} images of {item.distinct}\n"
            f"{_with_interval('accuracy', item)}, thumbnail ridge {percent(item.thumbnail_ridge_accuracy)}"
        )
        row.suptitle(caption, fontsize=11, x=0.01, ha="left")
        roc, precision, reliability, confusion = row.subplots(2, 2).ravel()
        _plot_curves(roc, precision, item)
        _plot_reliability(reliability, item)
        _plot_confusion(confusion, item)
    _save(figure, path)


def plot_learning_curves(history: Sequence[dict[str, Any]], path: Path) -> None:
    """Plot loss and scores by epoch, from the `log_history` of the Trainer."""
    from matplotlib.ticker import MaxNLocator

    figure = _figure(10.5, 3.6)
    losses, scores = figure.subplots(1, 2, width_ratios=(1, 1.5))
    trained = [(row["epoch"], row["loss"]) for row in history if "loss" in row]
    evaluated = [row for row in history if "eval_loss" in row]
    epochs = [row["epoch"] for row in evaluated]
    losses.plot(*zip(*trained), color="0.6", label="train") if trained else None
    losses.plot(epochs, [row["eval_loss"] for row in evaluated], "o-", label="validation")
    losses.set(xlabel="epoch", ylabel="loss")
    losses.set_ylim(0, 1.1 * losses.get_ylim()[1])
    losses.legend(frameon=False, loc="upper right")
    for name in ("accuracy", "sensitivity", "specificity", "auroc"):
        scores.plot(epochs, [row.get(f"eval_{name}") for row in evaluated], "o-", label=name)
    if evaluated:  # never show an accuracy without sample size, interval and baseline
        last = evaluated[-1]
        scores.axhline(last["eval_thumbnail_ridge"], color="0.4", ls="--", label="accuracy of the\nthumbnail ridge")
        interval = f"{last['eval_accuracy_low']:.0%} to {last['eval_accuracy_high']:.0%}"
        title = f"{last['eval_sources']} distinct sources; 95 % interval of the last accuracy: {interval}"
        scores.set_title(title, fontsize=9)
    scores.set(xlabel="epoch", ylabel="score on the validation split", ylim=(0, 1.02))
    scores.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    for axes in (losses, scores):
        axes.spines[["top", "right"]].set_visible(False)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _save(figure, path)


def plot_sensitivity_by_size(evaluations: Sequence[Evaluation], path: Path) -> None:
    """Plot the sensitivity by size of the finding; write nothing if no evaluation has sizes."""
    sized = [item for item in evaluations if item.sensitivity_by_size]
    if not sized:
        return
    figure = _figure(5.5 * len(sized), 3.6)
    for axes, item in zip(figure.subplots(1, len(sized), squeeze=False)[0], sized):
        bins = item.sensitivity_by_size
        middles = [entry.from_mm + 0.5 if entry.to_mm is None else (entry.from_mm + entry.to_mm) / 2 for entry in bins]
        axes.bar(middles, [entry.sensitivity for entry in bins], width=0.85, color=_MODEL)
        for middle, entry in zip(middles, bins):
            axes.annotate(f"n = {entry.count}", (middle, 0.02), ha="center", color="white", fontsize=8)
        axes.set(xlabel="size of the finding in mm", ylabel="sensitivity", ylim=(0, 1.02), title=item.collection)
        axes.spines[["top", "right"]].set_visible(False)
    _save(figure, path)


def _with_interval(name: str, item: Evaluation) -> str:
    score, interval = format_score(name, item.scores[name]), format_interval(name, item.intervals[name])
    return f"{score_title(name)} {score} ({interval})"


def _plot_curves(roc: Any, precision: Any, item: Evaluation) -> None:
    """Plot both curves with the operating points of the model and of the thumbnail ridge."""
    from sklearn.metrics import precision_recall_curve, roc_curve

    _share_axes(roc, "1 - specificity", "sensitivity", "ROC")
    _share_axes(precision, "sensitivity", "PPV", "precision-recall")
    found = item.require_predictions()
    if item.scores["auroc"] is None:
        for axes in (roc, precision):
            axes.text(0.5, 0.5, "needs images of both classes", ha="center", va="center", color="0.4")
        return
    prevalence = float(np.mean(found.positive))
    roc.plot([0, 1], [0, 1], ":", color=_CHANCE, lw=1)
    precision.axhline(prevalence, ls=":", color=_CHANCE, lw=1, label=f"chance ({prevalence * 100:.0f} % positive)")
    false_positive, sensitivity, _ = roc_curve(found.positive, found.probability, drop_intermediate=False)
    roc.plot(false_positive, sensitivity, color=_MODEL, lw=2, label=_with_interval("auroc", item))
    ppv, sensitivity, _ = precision_recall_curve(found.positive, found.probability)
    precision.plot(sensitivity, ppv, color=_MODEL, lw=2, drawstyle="steps-post", label=_with_interval("auprc", item))
    points = [(item.scores, "o", _MODEL, f"operating point {item.threshold:.3g}")]
    if item.thumbnail_ridge:
        points.append((item.thumbnail_ridge.scores, "D", _RIDGE, "thumbnail ridge"))
    for scores, marker, color, label in points:
        style = {"marker": marker, "color": color, "ls": "", "ms": 8, "clip_on": False}
        roc.plot(1 - (scores["specificity"] or 0.0), scores["sensitivity"], label=label, **style)
        if scores["ppv"] is not None:
            precision.plot(scores["sensitivity"], scores["ppv"], **style)
    roc.legend(loc="lower right", fontsize=8, frameon=False)
    precision.legend(loc="lower left", fontsize=8, frameon=False)


def _plot_reliability(axes: Any, item: Evaluation) -> None:
    _share_axes(axes, "predicted probability (dot size: images)", "share of positives", "reliability")
    found = item.require_predictions()
    number = calibration_bin(found.probability)
    count, predicted, positive = (
        np.bincount(number, weights=weights, minlength=CALIBRATION_BINS)
        for weights in (None, found.probability, found.positive)
    )
    filled = count > 0
    axes.plot([0, 1], [0, 1], ":", color=_CHANCE, lw=1)
    sizes = 12 + 300 * count[filled] / count.max()  # bins with few images are weak evidence, so they are small
    mean, share = predicted[filled] / count[filled], positive[filled] / count[filled]
    axes.scatter(mean, share, sizes, color=_MODEL, alpha=0.75, edgecolor="none", clip_on=False)
    for name in ("ece", "brier"):
        axes.plot([], [], " ", label=_with_interval(name, item))
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


def _figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _save(figure: Any, path: Path) -> None:
    with new_file(path) as staging:
        figure.savefig(staging, format="png", dpi=130)
