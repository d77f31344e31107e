"""Gallery of sagittal slices in which a network was wrong, drawn from corners, without images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from spinealign.reporting.figures import new_figure, save_figure
from spinealign.reporting.film_figures import set_title

COLUMNS = 5
AROUND = [0, 1, 3, 2]  # corners of a body along its outline
REFERENCE, FOUND = "0.8", "tab:blue"


class GalleryItem(NamedTuple):
    """A slice with what is wrong in it.

    Attributes:
        title: Name of the slice and what is wrong.
        names: Names of the bodies of the reference.
        reference: x and y of the four corners of these bodies; empty for one that is not known.
        found: The same of the bodies that were found.
    """

    title: str
    names: Sequence[str]
    reference: Sequence[Sequence[float]]
    found: Sequence[Sequence[float]]


def draw_gallery(items: Sequence[GalleryItem], path: Path) -> None:
    """Draw the bodies of the reference and those that were found, slice by slice, into a PNG file."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    rows = max(1, -(-len(items) // COLUMNS))
    figure = new_figure(2.6 * COLUMNS, 4.2 * rows)
    every = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axes in every:
        axes.set_axis_off()
    for axes, item in zip(every, items):
        _draw(axes, item)
        set_title(axes, item.title)
    handles = [Patch(color=REFERENCE, label="reference, by its corners"), Line2D([], [], color=FOUND, label="found")]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
    save_figure(figure, path)


def _draw(axes: Any, item: GalleryItem) -> None:
    from matplotlib.patches import Polygon

    for name, row in zip(item.names, item.reference):
        if row:
            points = np.reshape(row, (4, 2))
            axes.add_patch(Polygon(points[AROUND], color=REFERENCE))
            axes.text(*points.mean(axis=0), name, ha="center", va="center", fontsize=7)
    for row in item.found:
        if row:
            axes.add_patch(Polygon(np.reshape(row, (4, 2))[AROUND], fill=False, edgecolor=FOUND))
    axes.autoscale_view()
    axes.set_aspect("equal")
    axes.invert_yaxis()
