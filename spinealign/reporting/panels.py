"""Panels of the figure of an evaluation, each drawn into axes of matplotlib."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinealign.labels import Label
from spinealign.metrics.evaluation import Evaluation
from spinealign.metrics.registry import CALIBRATION_BINS, calibration_bin, format_interval, format_score, score_title

MODEL, RIDGE, CHANCE = "#2f6f9f", "#d55e00", "0.6"  # blue and vermilion, distinct for every kind of color vision
_CLASSES = ("#2f6f9f", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c6d1f", "#000000")  # Okabe and Ito
_SMALLEST_WITH_SHARE = 0.55  # inches of a cell of a confusion matrix from which it has a percentage


def with_interval(name: str, item: Evaluation) -> str:
    """Return title, value and interval of a score."""
    score, interval = format_score(name, item.scores[name]), format_interval(name, item.intervals[name])
    return f"{score_title(name)} {score} ({interval})"


def plot_roc(axes: Any, item: Evaluation) -> None:
    """Plot the ROC curve of the finding with the operating points, or of each class against all others."""
    from sklearn.metrics import roc_curve

    _share_axes(axes, "1 - specificity", "sensitivity", "ROC" if item.confusion else "ROC of each class")
    curves = _curves(item)
    if not curves:
        return _need_classes(axes)
    axes.plot([0, 1], [0, 1], ":", color=CHANCE, lw=1)
    for part, color, truth, probability in curves:
        false_positive, sensitivity, _ = roc_curve(truth, probability, drop_intermediate=False)
        axes.plot(false_positive, sensitivity, color=color, lw=2, label=_curve_label("auroc", part, item))
    for scores, label, style in _operating_points(item):
        axes.plot(1 - (scores["specificity"] or 0.0), scores["sensitivity"], label=label, **style)
    axes.legend(loc="lower right", fontsize=8, edgecolor="none", framealpha=0.8)


def plot_precision(axes: Any, item: Evaluation) -> None:
    """Plot the precision-recall curve of the finding, or of each class against all others."""
    from sklearn.metrics import precision_recall_curve

    _share_axes(axes, "sensitivity", "PPV", "precision-recall" if item.confusion else "precision-recall of each class")
    curves = _curves(item)
    if not curves:
        return _need_classes(axes)
    if item.confusion:
        share = float(np.mean(curves[0][2]))
        axes.axhline(share, ls=":", color=CHANCE, lw=1, label=f"chance ({share * 100:.0f} % positive)")
    for part, color, truth, probability in curves:
        ppv, sensitivity, _ = precision_recall_curve(truth, probability)
        label = _curve_label("auprc", part, item)
        axes.plot(sensitivity, ppv, color=color, lw=2, drawstyle="steps-post", label=label)
    for scores, _, style in _operating_points(item):
        if scores["ppv"] is not None:
            axes.plot(scores["sensitivity"], scores["ppv"], **style)
    axes.legend(loc="lower left", fontsize=8, edgecolor="none", framealpha=0.8)


def plot_reliability(axes: Any, item: Evaluation) -> None:
    """Plot predicted probabilities against shares: of the finding, or of the most probable class."""
    found = item.require_predictions()
    if item.confusion:
        positive = item.classes.index(item.positive)
        confidence, right = found.probabilities[:, positive], found.codes == positive
        labels, scores = ("predicted probability", "share of positives", "reliability"), ("ece", "brier")
    else:
        confidence, right = found.probabilities.max(axis=1), found.probabilities.argmax(axis=1) == found.codes
        labels, scores = (
            ("probability of the top class", "share of right ones", "reliability"),
            ("top_label_ece", "brier"),
        )
    _share_axes(axes, f"{labels[0]} (dot size: images)", *labels[1:])
    number = calibration_bin(confidence)
    count, predicted, share = (
        np.bincount(number, weights=weights, minlength=CALIBRATION_BINS) for weights in (None, confidence, right)
    )
    filled = count > 0
    axes.plot([0, 1], [0, 1], ":", color=CHANCE, lw=1)
    sizes = 12 + 300 * count[filled] / count.max()  # bins with few images are weak evidence, so they are small
    mean, observed = predicted[filled] / count[filled], share[filled] / count[filled]
    axes.scatter(mean, observed, sizes, color=MODEL, alpha=0.75, edgecolor="none", clip_on=False)
    for name in scores:
        axes.plot([], [], " ", label=with_interval(name, item).replace(" of the top class", ""))
    axes.legend(loc="best", fontsize=8, edgecolor="none", framealpha=0.8, handlelength=0)


def plot_confusion(axes: Any, item: Evaluation) -> None:
    """Draw the confusion matrix in images, shaded by the share of the true class."""
    if item.confusion:
        counts, names = item.confusion, ["positive", "negative"]
        cells = np.array([[counts.tp, counts.fn], [counts.fp, counts.tn]])
    else:
        cells, names = np.array(item.matrix), [_shortened(name) for name in item.classes]
    of_truth = cells / np.maximum(cells.sum(axis=1, keepdims=True), 1)
    axes.imshow(of_truth, cmap="Blues", vmin=0, vmax=1)
    inches = axes.bbox.width / axes.figure.dpi / len(cells)  # of one cell
    size = np.interp(inches, (0.4, 1.2), (7, 12))
    for (row, column), count in np.ndenumerate(cells):
        color = "white" if of_truth[row, column] > 0.5 else "black"
        has_share = inches > _SMALLEST_WITH_SHARE and (count if len(cells) > 2 else cells[row].any())
        text = f"{count:,}\n{of_truth[row, column] * 100:.1f} %" if has_share else f"{count:,}"
        axes.text(column, row, text, ha="center", va="center", color=color, fontsize=size)
    places = range(len(cells))
    axes.set(title="confusion, in images", xticks=places, yticks=places, xlabel="prediction", ylabel="truth")
    crowded = max(map(len, names)) * len(names) > 30
    axes.set_xticklabels(names, rotation=30 if crowded else 0, ha="right" if crowded else "center")
    upright = item.confusion is None
    axes.set_yticklabels(names, rotation=0 if upright else 90, va="center")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def plot_grades(axes: Any, item: Evaluation) -> None:
    """Plot the expected grade of each image against its true grade, with their means and the diagonal."""
    found = item.require_predictions()
    label = Label(item.label, "ordinal", item.classes)
    grades = label.expected_grade(np.eye(len(item.classes)))
    expected = label.expected_grade(found.probabilities)
    width = float(np.diff(grades).min())
    shift = np.random.default_rng(0).uniform(-0.3, 0.3, len(expected)) * width
    axes.plot(grades[[0, -1]], grades[[0, -1]], ":", color=CHANCE, lw=1)
    axes.scatter(grades[found.codes] + shift, expected, 10, color=MODEL, alpha=0.35, edgecolor="none")
    present = np.unique(found.codes)
    means = [expected[found.codes == code].mean() for code in present]
    axes.plot(grades[present], means, "D", color=RIDGE, ms=7, label="mean")
    axes.set(xlabel="true grade", ylabel="expected grade", title="expected grade", xticks=grades, aspect="equal")
    axes.set_xticklabels(map(_shortened, item.classes))
    axes.plot([], [], " ", label=with_interval("quadratic_kappa", item))
    axes.legend(loc="upper left", fontsize=8, edgecolor="none", framealpha=0.8, handlelength=1)
    axes.set_ylim(grades[0] - 0.1 * width, grades[-1] + 0.8 * width)
    axes.spines[["top", "right"]].set_visible(False)


def plot_grade_errors(axes: Any, item: Evaluation) -> None:
    """Plot the share of images by the difference of the predicted from the true grade."""
    found = item.require_predictions()
    difference = found.called - found.codes
    largest = max(2, int(np.abs(difference).max()))
    values = np.arange(-largest, largest + 1)
    shares = [float(np.mean(difference == value)) for value in values]
    bars = axes.bar(values, shares, width=0.8, color=MODEL)
    axes.bar_label(bars, [f"{share * 100:.0f} %" if share else "" for share in shares], fontsize=8, padding=2)
    axes.set(xlabel="predicted minus true grade", ylabel="share of images", title="errors in grades", xticks=values)
    for name in ("mean_absolute_error", "within_one_grade"):
        axes.plot([], [], " ", label=with_interval(name, item))
    axes.legend(loc="upper left", fontsize=8, edgecolor="none", framealpha=0.8, handlelength=0)
    axes.set_ylim(0, 1.35 * max(shares))
    axes.spines[["top", "right"]].set_visible(False)


def plot_forest(axes: Any, item: Evaluation) -> None:
    """Plot one score of each of several labels with its interval, and the thumbnail ridge where it has the score."""
    chosen = {"binary": "auroc", "multi_class": "macro_auroc", "ordinal": "quadratic_kappa"}
    names = []
    for place, part in enumerate(item.parts):
        name = chosen[part.kind]
        value, interval = part.scores[name], part.intervals[name]
        share = "" if part.prevalence is None else f", {part.prevalence * 100:.0f} % positive"
        names.append(f"{_shortened(part.label)}\n{score_title(name)}, {part.images:,} images{share}")
        if value is None or interval is None:
            axes.text(0.5, place, "not defined", ha="center", va="center", color="0.4")
            continue
        axes.plot(interval, (place, place), color=MODEL, lw=2)
        axes.plot(value, place, "o", color=MODEL, ms=7)
        axes.annotate(
            format_score(name, value), (value, place), (0, 7), textcoords="offset points", ha="center", fontsize=8
        )
    axes.axvline(0.5, ls=":", color=CHANCE, lw=1)
    axes.text(0.5, -0.75, "AUROC of chance", ha="center", fontsize=7, color="0.4")
    axes.set(xlim=(min(0, *axes.get_xlim()), 1.02), ylim=(len(names) - 0.4, -0.9), xlabel="score with 95 % interval")
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def _curves(item: Evaluation) -> list[tuple[Evaluation, str, NDArray[np.bool_], NDArray[np.floating]]]:
    """Return evaluation, color, truth and probability of the finding or of each class that has both kinds of images."""
    found = item.require_predictions()
    if item.confusion:
        codes, parts = [item.classes.index(item.positive)], [item]
    else:
        codes, parts = list(range(len(item.classes))), list(item.parts)
    return [
        (part, _CLASSES[number % len(_CLASSES)], found.codes == code, found.probabilities[:, code])
        for number, (code, part) in enumerate(zip(codes, parts))
        if part.scores["auroc"] is not None
    ]


def _curve_label(name: str, part: Evaluation, item: Evaluation) -> str:
    if item.confusion:
        return with_interval(name, part)
    score, interval = format_score(name, part.scores[name]), format_interval(name, part.intervals[name])
    return f"{_shortened(part.label)}: {score} ({interval})"


def _operating_points(item: Evaluation) -> list[tuple[dict[str, float | None], str, dict[str, Any]]]:
    """Return scores, label and style of the operating points of a binary label and of its baseline."""
    if not item.confusion:
        return []
    points = [(item.scores, "o", MODEL, f"operating point {item.threshold:.3g}")]
    if item.thumbnail_ridge:
        points.append((item.thumbnail_ridge.scores, "D", RIDGE, "thumbnail ridge"))
    return [
        (scores, label, {"marker": marker, "color": color, "ls": "", "ms": 8, "clip_on": False})
        for scores, marker, color, label in points
    ]


def _need_classes(axes: Any) -> None:
    axes.text(0.5, 0.5, "needs images of two classes", ha="center", va="center", color="0.4")


def _share_axes(axes: Any, xlabel: str, ylabel: str, title: str) -> None:
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title, xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    axes.spines[["top", "right"]].set_visible(False)


def _shortened(name: str, length: int = 18) -> str:
    return name if len(name) <= length else f"{name[: length - 1]}…"
