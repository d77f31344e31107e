"""From the vertebrae of an image to its measures and findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from spinealign.alignment.cobb import Curve, aasce_angles, endplate_curves
from spinealign.alignment.result import Finding, Measure, NamedCurve
from spinealign.alignment.severity import BORDERS_DEG, classify_severity, is_near_border
from spinealign.alignment.vertebra import Vertebra
from spinealign.metrics.conformal import IntervalRule

ENDPLATE = ("cobb_main", "cobb_upper", "cobb_lower")
AASCE = ("aasce_1", "aasce_2", "aasce_3")
SCOLIOSIS = "scoliosis"


class Measured(NamedTuple):
    """What is measured in one image, by the names of the fields of `Alignment`."""

    measures: tuple[Measure, ...]
    curves: tuple[NamedCurve, ...]
    findings: tuple[Finding, ...]


def measure_frontal(
    vertebrae: Sequence[Vertebra],
    *,
    spacing_mm: tuple[float, float] | None = None,
    rules: Mapping[str, IntervalRule] | None = None,
    disagreements: Mapping[str, float] | None = None,
) -> Measured:
    """Measure the curves of a frontal spine.

    Args:
        vertebrae: At least two vertebrae from the top, with ordered corners in pixels.
        spacing_mm: Distance of pixels down a column and along a row; needed if they are not square.
        rules: Rules of the intervals by name of the measure; a measure without rule has no interval.
        disagreements: Absolute difference of two networks by name of the measure, 0 where missing.

    Returns:
        The measures `cobb_main`, `cobb_upper` and `cobb_lower` between endplates, and `aasce_1` to `aasce_3` by the
        rules of the AASCE challenge; the curves behind the first three; and the finding scoliosis.

    Raises:
        ValueError: If there are fewer than two vertebrae.
    """
    scaled = [each.scaled(spacing_mm) for each in vertebrae] if spacing_mm else vertebrae
    found = dict(zip(ENDPLATE, endplate_curves(scaled)))

    def measure(name: str, value: float, *, levels: tuple[str, ...] = ()) -> Measure:
        rule = (rules or {}).get(name)
        low, high = rule.interval(value, (disagreements or {}).get(name, 0.0)) if rule else (None, None)
        return Measure(name, value, low, high, levels=levels)

    curves = tuple(_named(name, curve, vertebrae) for name, curve in found.items() if curve)
    measures = [measure(each.measure, each.geometry.angle_deg, levels=(each.upper, each.lower)) for each in curves]
    measures += [_missing(name) for name, curve in found.items() if not curve]
    measures.sort(key=lambda item: ENDPLATE.index(item.name))
    measures += [measure(name, value) for name, value in zip(AASCE, aasce_angles(scaled))]
    return Measured(tuple(measures), curves, (_scoliosis(measures[0], curves),))


def angles_of(vertebrae: Sequence[Vertebra], *, spacing_mm: tuple[float, float] | None = None) -> dict[str, float]:
    """Return all angles in degrees by name of the measure; 0 without a curve, or with fewer than two vertebrae."""
    if len(vertebrae) < 2:
        return dict.fromkeys((*ENDPLATE, *AASCE), 0.0)
    measures = measure_frontal(vertebrae, spacing_mm=spacing_mm).measures
    return {item.name: item.value or 0.0 for item in measures}


def not_measured(reasons: Sequence[str]) -> Measured:
    """Return the measures and findings of an image that is not accepted."""
    reason = f"The image was not accepted: {'; '.join(reasons)}"
    return Measured(tuple(Measure(name, reason=reason) for name in (*ENDPLATE, *AASCE)), (), (Finding(SCOLIOSIS),))


def _named(measure: str, curve: Curve, vertebrae: Sequence[Vertebra]) -> NamedCurve:
    upper, lower, apex = (vertebrae[place].name for place in (curve.upper, curve.lower, curve.apex))
    return NamedCurve(measure, upper, lower, apex, curve.side, curve)


def _missing(name: str) -> Measure:
    place = "above" if name == "cobb_upper" else "below"
    return Measure(name, reason=f"No vertebra {place} the main curve bends to the other side.")


def _scoliosis(main: Measure, curves: Sequence[NamedCurve]) -> Finding:
    """Return the finding; its type counts the curves that reach 10 degrees."""
    angle = curves[0].geometry.angle_deg
    near_border = main.low is not None and main.high is not None and is_near_border(main.low, main.high)
    severity, large = classify_severity(angle), [each for each in curves if each.geometry.angle_deg >= BORDERS_DEG[0]]
    if not large:
        return Finding(SCOLIOSIS, False, severity=severity, near_border=near_border)
    number = ("single", "double", "triple")[len(large) - 1]
    kind = f"{number} curve, {'main curve ' if len(large) > 1 else ''}convex to the {curves[0].side} of the image"
    return Finding(SCOLIOSIS, True, kind, curves[0].apex, severity, near_border)
