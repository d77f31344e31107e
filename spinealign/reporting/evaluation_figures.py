"""Pictures of an evaluation: ROC, precision-recall, reliability and confusion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve, roc_curve

from spinealign.metrics.evaluation import Evaluation
from spinealign.metrics.registry import CALIBRATION_BINS, calibration_bin
from spinealign.reporting.evaluation_text import format_interval, format_score

_MODEL, _RIDGE, _CHANCE = "#2f6f9f", "#d55e00", "0.6"  # blue and vermilion are apart for every kind of color vision


@dataclass(frozen=True, eq=False)
class Predictions:
    """What the pictures of one evaluation are drawn from.

    Attributes:
        positive: True where the finding is there, shape (N,).
        probability: Its predicted probability in [0, 1], shape (N,).
        evaluation: What they score.
    """

    positive: NDArray[np.bool_]
    probability: NDArray[np.floating]
    evaluation: Evaluation


def plot_evaluation(collections: Sequence[Predictions], path: Path) -> None:
    """Draw ROC, precision-recall, reliability and confusion, two rows for each collection.

    Args:
        collections: The predictions, at least one.
        path: The PNG to write.
    """
    figure = Figure(figsize=(9, 9 * len(collections)), layout="constrained")
    rows = figure.subfigures(len(collections), 1, squeeze=False)[:, 0]
    for row, item in zip(rows, collections):
        row.suptitle(_caption(item.evaluation), fontsize=11, x=0.01, ha="left")
        ranks, recall, reliability, confusion = row.subplots(2, 2).ravel()
        _plot_roc(ranks, item)
        _plot_precision(recall, item)
        _plot_reliability(reliability, item)
        _plot_confusion(confusion, item.evaluation)
    figure.savefig(path, dpi=130)


def _caption(evaluation: Evaluation) -> str:
    ridge = evaluation.thumbnail_ridge_accuracy
    return (
        f"{evaluation.collection} ({evaluation.split}): {evaluation.images:,} images of {evaluation.distinct}\n"
        f"accuracy {_with_interval('accuracy', evaluation)}, "
        f"thumbnail ridge {format_score('accuracy', ridge)}"
    )


def _with_interval(name: str, evaluation: Evaluation) -> str:
    value = format_score(name, evaluation.scores.to_dict()[name])
    return f"{value} ({format_interval(name, evaluation.intervals[name])})"


def _plot_roc(axes: Any, item: Predictions) -> None:
    _share_axes(axes, "1 - specificity", "sensitivity", "ROC")
    scores = item.evaluation.scores
    if scores.sensitivity is None or scores.specificity is None:
        return _say(axes, "needs images of both classes")
    axes.plot([0, 1], [0, 1], ":", color=_CHANCE, lw=1)
    false_positive, sensitivity, _ = roc_curve(item.positive, item.probability, drop_intermediate=False)
    axes.plot(
        false_positive, sensitivity, color=_MODEL, lw=2, label=f"AUROC {_with_interval('auroc', item.evaluation)}"
    )
    label = f"called from {item.evaluation.threshold:.3g}"
    axes.plot(1 - scores.specificity, scores.sensitivity, "o", color=_MODEL, ms=8, label=label, clip_on=False)
    ridge = item.evaluation.thumbnail_ridge
    if ridge and ridge.scores.sensitivity is not None and ridge.scores.specificity is not None:
        point = (1 - ridge.scores.specificity, ridge.scores.sensitivity)
        axes.plot(*point, "D", color=_RIDGE, ms=8, label="thumbnail ridge", clip_on=False)
    axes.legend(loc="lower right", fontsize=8, frameon=False)


def _plot_precision(axes: Any, item: Predictions) -> None:
    _share_axes(axes, "sensitivity", "PPV", "precision-recall")
    scores = item.evaluation.scores
    if scores.sensitivity is None or scores.specificity is None:
        return _say(axes, "needs images of both classes")
    prevalence = float(np.mean(item.positive))
    axes.axhline(prevalence, ls=":", color=_CHANCE, lw=1, label=f"chance ({prevalence * 100:.0f} % positive)")
    ppv, sensitivity, _ = precision_recall_curve(item.positive, item.probability)
    label = f"AUPRC {_with_interval('auprc', item.evaluation)}"
    axes.plot(sensitivity, ppv, color=_MODEL, lw=2, drawstyle="steps-post", label=label)
    for row, marker, color in ((scores, "o", _MODEL), (_ridge_scores(item.evaluation), "D", _RIDGE)):
        if row and row.ppv is not None:
            axes.plot(row.sensitivity, row.ppv, marker, color=color, ms=8, clip_on=False)
    axes.legend(loc="lower left", fontsize=8, frameon=False)


def _ridge_scores(evaluation: Evaluation) -> Any:
    return evaluation.thumbnail_ridge.scores if evaluation.thumbnail_ridge else None


def _plot_reliability(axes: Any, item: Predictions) -> None:
    _share_axes(axes, "predicted probability (size of a dot: images)", "share of positives", "reliability")
    number = calibration_bin(item.probability)
    count = np.bincount(number, minlength=CALIBRATION_BINS)
    filled = count > 0
    mean = np.bincount(number, weights=item.probability, minlength=CALIBRATION_BINS)[filled] / count[filled]
    share = np.bincount(number, weights=item.positive, minlength=CALIBRATION_BINS)[filled] / count[filled]
    axes.plot([0, 1], [0, 1], ":", color=_CHANCE, lw=1)
    sizes = 12 + 300 * count[filled] / count.max()  # a bin of a few images is no evidence, and looks like none
    axes.scatter(mean, share, sizes, color=_MODEL, alpha=0.75, edgecolor="none", clip_on=False)
    for name, title in (("ece", "ECE"), ("brier", "Brier")):
        axes.plot([], [], " ", label=f"{title} {_with_interval(name, item.evaluation)}")
    axes.legend(loc="best", fontsize=8, edgecolor="none", framealpha=0.8, handlelength=0)


def _plot_confusion(axes: Any, evaluation: Evaluation) -> None:
    counts = evaluation.confusion
    cells = np.array([[counts.tp, counts.fn], [counts.fp, counts.tn]])
    of_truth = cells / np.maximum(cells.sum(axis=1, keepdims=True), 1)
    axes.imshow(of_truth, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(cells):
        color = "white" if of_truth[row, column] > 0.5 else "black"
        text = f"{count:,}\n{of_truth[row, column] * 100:.1f} %" if cells[row].any() else "0"
        axes.text(column, row, text, ha="center", va="center", color=color, fontsize=12)
    axes.set(title="confusion, of images", xticks=(0, 1), yticks=(0, 1), xlabel="called", ylabel="truth")
    axes.set_xticklabels(("positive", "negative"))
    axes.set_yticklabels(("positive", "negative"), rotation=90, va="center")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _share_axes(axes: Any, xlabel: str, ylabel: str, title: str) -> None:
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title, xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    axes.spines[["top", "right"]].set_visible(False)


def _say(axes: Any, text: str) -> None:
    axes.text(0.5, 0.5, text, ha="center", va="center", color="0.4")
