"""From values of a sagittal spine to measures with intervals, or with the reasons why they are missing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

from spinealign.alignment.result import Measure
from spinealign.alignment.sagittal.instances import Body
from spinealign.alignment.sagittal.naming import MISSED, Numbering, find_gaps
from spinealign.alignment.sagittal.values import LUMBAR, SACRUM
from spinealign.metrics.conformal import IntervalRule

OF_SPINE = {  # levels that must be measured
    "lordosis_l1_l5": ("L1", "L5"),
    "lordosis_l1_s1": ("L1", SACRUM),
    "centroid_lordosis_l1_l5": LUMBAR,
}
OF_PAIR = ("segment_{}", "disc_height_{}_mm", "disc_height_index_{}", "slip_{}_mm", "slip_{}_percent")
OF_BODY = (
    "height_anterior_{}_mm",
    "height_middle_{}_mm",
    "height_posterior_{}_mm",
    "height_ratio_{}",
    "middle_ratio_{}",
    "depth_{}_mm",
)
NO_SPACING = "No reliable spacing, so no value in mm."
UNCERTAIN = "The levels are not certain."
TRANSITIONAL = "Whether a vertebra is transitional cannot be settled from these slices."
EXPERIMENTAL = (
    "lordosis_l1_s1 and the measures of L5 on S1 are experimental: the model learned S1 from computed outlines."
)
ONE_SLICE = "One slice: slips below 4 mm are within the error."


def measure_sagittal(
    values: Mapping[str, float],
    names: Sequence[str],
    *,
    in_mm: bool = True,
    rules: Mapping[str, IntervalRule] | None = None,
    spreads: Mapping[str, float] | None = None,
    reasons: Mapping[str, str] | None = None,
) -> tuple[Measure, ...]:
    """Return a measure for each value that the spine should have; those that are missing say why.

    Args:
        values: Values by the name of the measure, as from `sagittal_values`.
        names: Names of the bodies from the top: levels, or V1, V2, ... from below.
        in_mm: Whether the spacing is known.
        rules: Rules of the intervals by the name of a measure, or by its `kind_of`, which does not hold for
            those with S1. A measure without rule has no interval.
        spreads: Spread of the value over slices by the name of the measure, 0 where missing; it widens the interval.
        reasons: Reasons by the name of a body, of `S1`, or of a pair such as `L4-L5`, why it was not measured.
    """
    measures = []
    for name, levels in expected_measures(names).items():
        unit = unit_of(name)
        if name in values and (in_mm or unit != "mm") and "-".join(levels) not in (reasons or {}):
            value, rule = values[name], (rules or {}).get(name)
            if rule is None and SACRUM not in levels:  # what holds for bodies does not hold for S1
                rule = (rules or {}).get(kind_of(name))
            half = rule.half_width((spreads or {}).get(name, 0.0)) if rule else None
            low, high = (None, None) if half is None else (value - half, value + half)
            measures.append(Measure(name, value, low, high, unit, levels))
        else:
            reason = _reason(name, levels, names=names, reasons=reasons or {}, no_mm=name in values)
            measures.append(Measure(name, unit=unit, levels=levels, reason=reason))
    return tuple(measures)


def expected_measures(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the levels of each measure of a spine, by its name.

    All of L1 to S1 are expected; without levels, also what is between the bodies.
    """
    lumbar = [*LUMBAR, SACRUM]
    chains = [[*(name for name in names if name not in LUMBAR), *lumbar]] if are_levels(names) else [[*names], lumbar]
    expected = dict(OF_SPINE)
    for chain in chains:
        for upper, lower in pairwise(chain):
            expected |= {pattern.format(f"{upper}_{lower}".lower()): (upper, lower) for pattern in OF_PAIR}
        for name in chain:
            if name != SACRUM:
                expected |= {pattern.format(name.lower()): (name,) for pattern in OF_BODY}
    return expected


def are_levels(names: Sequence[str]) -> bool:
    """Return whether names are levels, and not only positions from below."""
    return bool(names) and not names[-1].startswith("V")


def unit_of(name: str) -> str:
    """Return the unit of a measure: `mm`, `percent`, `ratio` or `degree`."""
    if name.endswith(("_mm", "_percent")):
        return name.rsplit("_", 1)[1]
    return "ratio" if "_ratio_" in name or "_index_" in name else "degree"


def kind_of(name: str) -> str:
    """Return the kind of a measure, which all levels share; each lordosis is a kind of its own.

    Example:
        >>> kind_of("slip_l4_l5_mm"), kind_of("height_ratio_l1"), kind_of("lordosis_l1_l5")
        ('slip_mm', 'height_ratio', 'lordosis_l1_l5')
    """
    return name if name in OF_SPINE else re.sub(r"_[ctlsv]\d+", "", name)


def sagittal_notes(numbering: Numbering, *, slices: int, in_mm: bool) -> tuple[str, ...]:
    """Return sentences on what limits the measures of a slice, or of a number of slices."""
    notes = [] if in_mm else [NO_SPACING]
    if numbering.certain:
        notes.append(TRANSITIONAL)
    else:
        notes.append(f"The vertebrae are counted from below, V1 is the lowest. {' '.join(numbering.reasons)}")
    return (*notes, *([ONE_SLICE] if slices == 1 else []))


def body_reasons(bodies: Sequence[Body], names: Sequence[str]) -> dict[str, str]:
    """Return why bodies that the border of the slice cuts and pairs with a gap are not measured, by their names."""
    cut = (name for name, body in zip(names, bodies) if body.touches_border)
    apart = {f"{names[place]}-{names[place + 1]}": MISSED for place in find_gaps(bodies)}
    return {name: f"{name} is cut off by the border of the image." for name in cut} | apart


def _reason(name: str, levels: Sequence[str], *, names: Sequence[str], reasons: Mapping[str, str], no_mm: bool) -> str:
    """Return the reason why a measure is missing."""
    if (pair := "-".join(levels)) in reasons:
        return reasons[pair]
    if no_mm:
        return NO_SPACING
    if not are_levels(names) and not set(levels) <= {*names, *reasons}:
        return UNCERTAIN
    for level in levels:
        if level in reasons:
            return reasons[level]
    absent = [level for level in levels if level not in names]
    return f"{absent[0]} is not in view." if absent else "Its outline is not clear enough."
