"""Measures of a sagittal spine as plain numbers, from the corners of its vertebral bodies.

The same definitions hold for reference outlines and for predictions. The image is superior up and anterior left.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
SUPERIOR, INFERIOR = slice(0, 2), slice(2, 4)  # corners of the endplates: anterior, posterior
LUMBAR = ("L1", "L2", "L3", "L4", "L5")
SACRUM = "S1"


def sagittal_values(
    corners: Points,
    names: Sequence[str],
    *,
    middles: Points | None = None,
    sacrum_endplate: Points | None = None,
) -> dict[str, float]:
    """Measure all that bodies allow, by the name of the measure.

    Of a body such as L1:
        `height_anterior_l1_mm`, `height_posterior_l1_mm`: distance of its two anterior and its two posterior corners.
        `height_middle_l1_mm`: distance of the middles of its endplates.
        `height_ratio_l1`: anterior by posterior height.
        `middle_ratio_l1`: middle by posterior height.
        `depth_l1_mm`: mean length of its endplates.

    Of a body and the next one below, such as L4 and L5:
        `segment_l4_l5`: angle in degrees between the superior endplate of the upper and the inferior one of the lower
            body; for L5 and S1, the superior endplate of S1. Positive if lordotic.
        `disc_height_l4_l5_mm`: distance of the centers of the endplates at the disc, across the bisector of their
            directions (after Frobin et al., Clin. Biomech. 12 Suppl. 1, 1997).
        `disc_height_index_l4_l5`: disc height by the mean height of the two bodies between the centers of their
            endplates (after Masuda et al., Spine 30, 2005, 5); for L5 and S1, by the height of L5.
        `slip_l4_l5_mm`: distance of the inferior posterior corner of the upper body and the superior posterior corner
            of the lower one along the superior endplate of the lower one. Positive if the upper body is displaced
            forwards (anterolisthesis).
        `slip_l4_l5_percent`: the slip in percent of the length of that endplate (Meyerding, Surg. Gynecol. Obstet. 54,
            1932, 371).

    Of the lumbar spine, in degrees, positive if lordotic:
        `lordosis_l1_l5`: angle between the superior endplate of L1 and the inferior one of L5.
        `lordosis_l1_s1`: angle between the superior endplates of L1 and S1.
        `centroid_lordosis_l1_l5`: angle between the lines through the centers of L1 and L2 and of L4 and L5 (Chen,
            Spine 24, 1999, 1786).

    Args:
        corners: Corners from the top, shape (N, 4, 2), in pixels of 1 mm. A body without finite corners is not
            measured.
        names: Names of the bodies.
        middles: Middles of the superior and the inferior endplate on the outline, shape (N, 2, 2); without them,
            middle heights are left out.
        sacrum_endplate: Anterior and posterior end of the superior endplate of S1, below L5.
    """
    bodies = np.asarray(corners, dtype=np.float64).reshape(-1, 4, 2)
    values: dict[str, float] = {}
    for place, (name, body) in enumerate(zip(names, bodies)):
        values |= _of_body(name.lower(), body, middles=None if middles is None else middles[place])
    for (upper_name, upper), (lower_name, lower) in pairwise(zip(names, bodies)):
        pair = f"{upper_name}_{lower_name}".lower()
        values[f"segment_{pair}"] = _lordosis(upper[SUPERIOR], lower[INFERIOR])
        heights = [_center_height(upper), _center_height(lower)]
        values |= _of_disc(pair, upper, endplate=lower[SUPERIOR], height=sum(heights) / 2)
    by_name = dict(zip(names, bodies))
    if sacrum_endplate is not None and "L5" in by_name:
        pair, last = "l5_s1", by_name["L5"]
        values[f"segment_{pair}"] = _lordosis(last[SUPERIOR], sacrum_endplate)
        values |= _of_disc(pair, last, endplate=sacrum_endplate, height=_center_height(last))
        if "L1" in by_name:
            values["lordosis_l1_s1"] = _lordosis(by_name["L1"][SUPERIOR], sacrum_endplate)
    if all(name in by_name for name in LUMBAR):
        first, second, *_, fourth, last = (by_name[name] for name in LUMBAR)
        values["lordosis_l1_l5"] = _lordosis(first[SUPERIOR], last[INFERIOR])
        steps = [lower.mean(axis=0) - upper.mean(axis=0) for upper, lower in ((first, second), (fourth, last))]
        values["centroid_lordosis_l1_l5"] = _turn(steps[0], steps[1])
    return {name: float(value) for name, value in values.items() if np.isfinite(value)}


def _of_body(name: str, body: Points, *, middles: Points | None) -> dict[str, float]:
    anterior, posterior = np.linalg.norm(body[SUPERIOR] - body[INFERIOR], axis=1)
    values = {
        f"height_anterior_{name}_mm": anterior,
        f"height_posterior_{name}_mm": posterior,
        f"height_ratio_{name}": anterior / posterior,
        f"depth_{name}_mm": np.linalg.norm(body[1::2] - body[::2], axis=1).mean(),
    }
    if middles is not None:
        middle = np.linalg.norm(middles[1] - middles[0])
        values |= {f"height_middle_{name}_mm": middle, f"middle_ratio_{name}": middle / posterior}
    return values


def _of_disc(pair: str, upper: Points, *, endplate: Points, height: float) -> dict[str, float]:
    """Return the values of a disc between a body and the superior endplate below; `height` is that of the bodies."""
    across, length = _unit(endplate), float(np.linalg.norm(endplate[1] - endplate[0]))
    slip = float((endplate[1] - upper[3]) @ across)
    x, y = across + _unit(upper[INFERIOR])
    gap = (endplate.mean(axis=0) - upper[INFERIOR].mean(axis=0)) @ np.array([-y, x]) / np.hypot(x, y)
    return {
        f"disc_height_{pair}_mm": gap,
        f"disc_height_index_{pair}": gap / height,
        f"slip_{pair}_mm": slip,
        f"slip_{pair}_percent": 100 * slip / length,
    }


def _unit(endplate: Points) -> Points:
    """Return the direction of an endplate from its anterior to its posterior end."""
    along: Points = endplate[1] - endplate[0]
    return along / np.linalg.norm(along)


def _center_height(body: Points) -> float:
    return float(np.linalg.norm(body[INFERIOR].mean(axis=0) - body[SUPERIOR].mean(axis=0)))


def _lordosis(upper: Points, lower: Points) -> float:
    """Return the angle between two endplates in degrees, positive if they are farther apart in front."""
    return _turn(upper[1] - upper[0], lower[1] - lower[0])


def _turn(upper: Points, lower: Points) -> float:
    """Return the angle in degrees from the lower to the upper of two directions, within 180."""
    cross, dot = lower[0] * upper[1] - lower[1] * upper[0], lower @ upper
    return float(np.degrees(np.arctan2(cross, dot)))
