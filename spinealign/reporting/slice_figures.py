"""Figures of evaluations of sagittal slices, as PNG."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spinealign.metrics.value_agreement import SagittalEvaluation
from spinealign.reporting.figures import new_figure, save_figure
from spinealign.reporting.film_figures import plot_differences, set_title
from spinealign.reporting.slice_tables import KIND_TITLES

PLOTTED = ("lordosis_l1_l5", "segment", "slip_mm", "disc_height_mm", "height_ratio")
UNITS = {"degree": "degrees", "mm": "mm", "ratio": "ratio", "percent": "percent"}


def plot_values(evaluation: SagittalEvaluation, part: str, *, path: Path) -> None:
    """Plot measured values of a set of images against their reference, one plot of Bland and Altman for each kind."""
    items = [item for kind in PLOTTED if (item := evaluation.measure(kind, part)) is not None]
    rows = max(1, -(-len(items) // 2))
    figure = new_figure(10, 3.6 * rows)
    every = figure.subplots(rows, 2, squeeze=False).ravel()
    for axes, item in zip(every, items):
        measured, reference = np.array(item.pairs).T
        plot_differences(axes, measured, reference=reference, scores=item.scores, unit=UNITS[item.unit])
        set_title(axes, f"{KIND_TITLES[item.name]}, {item.patients} patients: bias and 95 % limits of agreement")
    for axes in every[len(items) :]:
        axes.set_axis_off()
    save_figure(figure, path)
