"""Gallery of sagittal slices in which a network was wrong, drawn from corners, without images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Polygon

from spinealign.evaluation.measured_slice import MeasuredSlice
from spinealign.reporting.figures import new_figure, save_figure
from spinealign.reporting.film_figures import set_title

COLUMNS = 5
AROUND = [0, 1, 3, 2]  # corners of a body along its outline
REFERENCE, FOUND = "0.8", "tab:blue"


def draw_gallery(items: Sequence[tuple[MeasuredSlice, str]], path: Path) -> None:
    """Draw the reference and the found bodies of slices, each with a caption.

    Args:
        items: Slices with corners, and what is wrong with them.
        path: PNG file.
    """
    rows = max(1, -(-len(items) // COLUMNS))
    figure = new_figure(2.6 * COLUMNS, 4.2 * rows)
    every = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axes in every:
        axes.set_axis_off()
    for axes, (item, caption) in zip(every, items):
        _draw(axes, item)
        set_title(axes, f"{item.name}\n{caption}")
    handles = [
        Patch(color=REFERENCE, label="reference, by its corners"),
        Line2D([], [], color=FOUND, label="found"),
    ]
    figure.legend(handles=handles, loc="lower center", ncols=2, frameon=False)
    save_figure(figure, path)


def _draw(axes: Any, item: MeasuredSlice) -> None:
    for name, row in zip(item.names, item.reference):
        if row:
            points = np.reshape(row, (4, 2))
            axes.add_patch(Polygon(points[AROUND], color=REFERENCE))
            axes.text(*points.mean(axis=0), name, ha="center", va="center", fontsize=7)
    for row in item.corners:
        if row:
            axes.add_patch(Polygon(np.reshape(row, (4, 2))[AROUND], fill=False, edgecolor=FOUND))
    axes.autoscale_view()
    axes.set_aspect("equal")
    axes.invert_yaxis()
