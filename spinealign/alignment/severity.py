"""Severity of a scoliosis by its Cobb angle."""

from __future__ import annotations

import bisect

BORDERS_DEG = (10.0, 25.0, 40.0)
CLASSES = ("none", "mild", "moderate", "severe")


def classify_severity(angle_deg: float) -> str:
    """Return the class of a main Cobb angle: none below 10, mild below 25, moderate below 40 degrees, else severe.

    Ten degrees define scoliosis (Negrini et al., Scoliosis and Spinal Disorders 13, 2018, 3); 25 to 40 degrees is the
    range in which braces are studied (Richards et al., Spine 30, 2005, 2068).

    Example:
        >>> classify_severity(25)
        'moderate'
    """
    return CLASSES[bisect.bisect_right(BORDERS_DEG, angle_deg)]


def is_near_border(low_deg: float, high_deg: float) -> bool:
    """Return whether the class differs between the ends of an interval."""
    return classify_severity(low_deg) != classify_severity(high_deg)
