"""Figures of a training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spinealign.metrics.evaluation import Evaluation
from spinealign.writing import new_file

DPI = 130


def plot_learning_curves(history: Sequence[dict[str, Any]], path: Path) -> None:
    """Plot loss and scores by epoch, from the `log_history` of the Trainer, as PNG."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(10.5, 3.6), layout="constrained")
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
    with new_file(path) as staging:
        figure.savefig(staging, format="png", dpi=DPI)


def plot_sensitivity_by_size(evaluations: Sequence[Evaluation], path: Path) -> None:
    """Plot the sensitivity by size of the finding as PNG; write nothing if no evaluation has sizes."""
    sized = [item for item in evaluations if item.sensitivity_by_size]
    if not sized:
        return
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.5 * len(sized), 3.6), layout="constrained")
    for axes, item in zip(figure.subplots(1, len(sized), squeeze=False)[0], sized):
        bins = item.sensitivity_by_size
        middles = [entry.from_mm + 0.5 if entry.to_mm is None else (entry.from_mm + entry.to_mm) / 2 for entry in bins]
        axes.bar(middles, [entry.sensitivity for entry in bins], width=0.85, color="#2f6f9f")
        for middle, entry in zip(middles, bins):
            axes.annotate(f"n = {entry.count}", (middle, 0.02), ha="center", color="white", fontsize=8)
        axes.set(xlabel="size of the finding in mm", ylabel="sensitivity", ylim=(0, 1.02), title=item.collection)
        axes.spines[["top", "right"]].set_visible(False)
    with new_file(path) as staging:
        figure.savefig(staging, format="png", dpi=DPI)
