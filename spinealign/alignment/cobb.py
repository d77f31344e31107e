"""Cobb angles between vertebrae of a frontal spine, by two definitions.

`endplate_curves` measures as a clinician does, between a superior and an inferior endplate (Cobb, Instructional Course
Lectures 5, 1948, 261). `aasce_angles` measures between mid-vertebra lines by the rules of the AASCE 2019 challenge (Wu
et al., MICCAI 2017), to compare with published figures. Angles are differences of directions, so they do not depend on
the scale, padding or small rotations of the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spinealign.alignment.vertebra import Vertebra

Angles = NDArray[np.float64]
Side = Literal["left", "right"]
ROUNDING = 1e-6  # radians; parallel endplates differ by less


@dataclass(frozen=True)
class Curve:
    """One curve of a frontal spine.

    Attributes:
        angle_deg: Cobb angle in degrees, not negative.
        upper: Index of the upper end vertebra in the list of vertebrae.
        lower: Index of the lower end vertebra.
        apex: Index of the vertebra farthest from the line between the centers of the end vertebrae.
        side: Side of the convexity in the image. It is not the patient's side, since a mirrored
            image cannot be recognized.
    """

    angle_deg: float
    upper: int
    lower: int
    apex: int
    side: Side


def endplate_curves(vertebrae: Sequence[Vertebra]) -> tuple[Curve, Curve | None, Curve | None]:
    """Measure the main curve and the compensatory curves above and below it.

    The main curve has the greatest angle between the superior endplate of a vertebra and the inferior endplate of a
    lower one. A compensatory curve shares an end vertebra with it and bends to the other side.

    Args:
        vertebrae: At least two vertebrae, from the top.

    Returns:
        The main curve, the curve above and the curve below; None where no vertebra bends to the other side.

    Raises:
        ValueError: If there are fewer than two vertebrae.
    """
    bends = _bends(_tilts(vertebrae, 0, 1), _tilts(vertebrae, 2, 3))
    upper, lower = np.unravel_index(np.argmax(np.abs(bends)), bends.shape)
    turned = -bends * np.sign(bends[upper, lower])  # positive where the spine bends to the other side
    main = _curve(vertebrae, bends, int(upper), int(lower))
    above = _greatest(turned[:upper, upper])
    below = _greatest(turned[lower, lower + 1 :])
    return (
        main,
        None if above is None else _curve(vertebrae, bends, above, int(upper)),
        None if below is None else _curve(vertebrae, bends, int(lower), int(lower) + 1 + below),
    )


def aasce_angles(vertebrae: Sequence[Vertebra]) -> tuple[float, float, float]:
    """Measure the three angles of the AASCE 2019 challenge in its order: main, upper and lower.

    Angles are between the lines through the middles of the left and the right side of vertebrae. For an S-shaped spine
    the challenge compares the height of the main curve with half the height of the image, which depends on the padding;
    here it is compared with the middle between the highest and the lowest corner. Angles above 90 degrees are not
    folded back.

    Args:
        vertebrae: At least two vertebrae, from the top.

    Returns:
        Angles in degrees.

    Raises:
        ValueError: If there are fewer than two vertebrae.
    """
    middles = np.stack([each.corners[:2] + each.corners[2:] for each in _several(vertebrae)]) / 2
    across = middles[:, 1] - middles[:, 0]
    tilts = np.arctan2(across[:, 1], across[:, 0])
    angles = np.abs(_wrapped(tilts[:, None] - tilts[None, :]))
    first, second = sorted(int(place) for place in np.unravel_index(np.argmax(angles), angles.shape))
    midline = np.stack([each.corners[::2] + each.corners[1::2] for each in vertebrae]).reshape(-1, 2) / 2
    if not _is_s_shaped(midline):
        return _degrees(angles[first, second], angles[0, first], angles[second, -1])
    heights = np.stack([each.corners[:, 1] for each in vertebrae])
    if np.mean([vertebrae[first].center[1], vertebrae[second].center[1]]) < (heights.min() + heights.max()) / 2:
        return _degrees(angles[first, second], angles[first, : first + 1].max(), angles[second, second:].max())
    above = int(np.argmax(angles[first, : first + 1]))
    return _degrees(angles[first, second], angles[first, above], angles[above, : above + 1].max())


def _degrees(*radians: float) -> tuple[float, float, float]:
    main, upper, lower = (float(np.degrees(each)) for each in radians)
    return main, upper, lower


def _is_s_shaped(midline: Angles) -> bool:
    """Return whether the points are on both sides of the line between the first and the last."""
    chord, away = midline[-1] - midline[0], midline[1:-1] - midline[0]
    sides = chord[0] * away[:, 1] - chord[1] * away[:, 0]
    return bool((sides > 0).any() and (sides < 0).any())


def _several(vertebrae: Sequence[Vertebra]) -> Sequence[Vertebra]:
    if len(vertebrae) < 2:
        raise ValueError(f"A Cobb angle needs at least two vertebrae, got {len(vertebrae)}.")
    return vertebrae


def _tilts(vertebrae: Sequence[Vertebra], left: int, right: int) -> Angles:
    """Return the direction of one endplate of each vertebra in radians, from its left to its right corner."""
    across = np.stack([each.corners[right] - each.corners[left] for each in _several(vertebrae)])
    return np.arctan2(across[:, 1], across[:, 0])


def _bends(superior: Angles, inferior: Angles) -> Angles:
    """Return the signed angles in radians, positive if convex to the right; 0 where lower is not below upper."""
    return np.triu(_wrapped(inferior[None, :] - superior[:, None]), k=1)


def _wrapped(angles: Angles) -> Angles:
    return (angles + np.pi) % (2 * np.pi) - np.pi


def _greatest(turned: Angles) -> int | None:
    return int(np.argmax(turned)) if len(turned) and turned.max() > ROUNDING else None


def _curve(vertebrae: Sequence[Vertebra], bends: Angles, upper: int, lower: int) -> Curve:
    centers = np.stack([each.center for each in vertebrae[upper : lower + 1]])
    chord, away = centers[-1] - centers[0], centers - centers[0]
    distance = np.abs(chord[0] * away[:, 1] - chord[1] * away[:, 0])
    bend = float(bends[upper, lower])
    apex = upper + int(np.argmax(distance))
    return Curve(abs(float(np.degrees(bend))), upper, lower, apex, "right" if bend > 0 else "left")
