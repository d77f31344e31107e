"""Figures of evaluations of films, as PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinealign.metrics.agreement import LARGEST, Agreement, Estimate
from spinealign.reporting.figures import new_figure, save_figure
from spinealign.reporting.panels import MODEL

Floats = NDArray[np.float64]
QUARTERS = (0.25, 0.5, 0.75)
TICKS_DEG = (0, 1, 2, 5, 10, 20, 50)


def plot_agreements(agreements: Sequence[Agreement], path: Path) -> None:
    """Plot the main angle of each set of films in a row: a plot of Bland and Altman, and errors by disagreement."""
    figure = new_figure(10, 4 * len(agreements))
    for row, item in zip(figure.subplots(len(agreements), 2, squeeze=False), agreements):
        _plot_differences(row[0], item)
        _plot_errors(row[1], item)
    save_figure(figure, path)


def _plot_differences(axes: Any, item: Agreement) -> None:
    measured, reference, _ = np.array(item.largest).T
    plot_differences(axes, measured, reference=reference, scores=item.measures[LARGEST], unit="degrees")
    set_title(axes, f"{item.collection}, {item.title}: bias and 95 % limits of agreement")


def plot_differences(
    axes: Any, measured: Floats, *, reference: Floats, scores: Mapping[str, Estimate], unit: str
) -> None:
    """Plot differences against means, with bias and limits (Bland and Altman, Lancet 327, 1986, 307)."""
    axes.scatter((measured + reference) / 2, measured - reference, s=12, color=MODEL, alpha=0.6, linewidths=0)
    lines = {"bias": "-", "lower_limit": "--", "upper_limit": "--"}
    for name, style in lines.items():
        found = scores[name]
        axes.axhline(found.value, color="0.3", ls=style, lw=1)
        axes.axhspan(found.low, found.high, color="0.3", alpha=0.1, lw=0)
        text = f"{found.value:+.1f}" if np.abs(measured).max() > 2 else f"{found.value:+.3f}"
        axes.annotate(text, (1, found.value), xycoords=("axes fraction", "data"), ha="right", va="bottom")
    axes.set(xlabel=f"mean of measured and reference value in {unit}", ylabel=f"measured - reference in {unit}")


def _plot_errors(axes: Any, item: Agreement) -> None:
    """Plot errors against the disagreement of two networks, with the mean error in quarters of the films."""
    measured, reference, apart = np.array(item.largest).T
    errors = np.abs(measured - reference)
    axes.scatter(apart, errors, s=12, color=MODEL, alpha=0.6, linewidths=0)
    quarter = np.digitize(apart, np.quantile(apart, QUARTERS))
    for number in np.unique(quarter):
        inside = quarter == number
        axes.hlines(errors[inside].mean(), apart[inside].min(), apart[inside].max(), color="0.3", lw=2)
    axes.set(xlabel="difference of two networks in degrees", ylabel="absolute error in degrees")
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xticks(TICKS_DEG, labels=map(str, TICKS_DEG))
    axes.set_xticks([], minor=True)
    axes.set_xlim(0, 1.1 * max(1.0, apart.max()))
    axes.set_ylim(bottom=0)
    set_title(axes, "error by disagreement; lines: mean error in quarters of the films")


def set_title(axes: Any, text: str) -> None:
    """Give a plot a title, and remove its frame."""
    axes.set_title(text, fontsize=9, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
