"""Findings in a sagittal lumbar spine: listhesis, deformed vertebrae and unusual lordosis.

The norms are those of 55 people (15 for T12), most of them healthy volunteers, in supine MRI: outlines in the middle
slices of the volumes that `cohort.masks.lumbar_mri` reads, with the corners of `corners.mask_corners`.
`benchmarks/sagittal_norms.py` prints them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from math import erf, inf, sqrt
from statistics import median
from typing import Any, NamedTuple

from spinealign.alignment.result import Finding, Measure
from spinealign.alignment.sagittal.values import SACRUM

SLIP_MM = 3.0  # Vogt et al., Spine 23, 1998, 2640
NORMAL_SLIP_MM = -1.7  # mean of L1-L2 to L4-L5 in the norms
SLIP_PERCENT, NORMAL_SLIP_PERCENT = 9.0, -5.0  # the same on an endplate of 33 mm
# The endplate of S1 was learned from computed outlines. By it, held-out slips of L5 in 54 of these people are
# 2.2 +- 2.7 mm, 6 +- 10 percent (`benchmarks/mri_model.py`); the limits are two standard deviations away.
SLIP_ON_S1_MM, SLIP_ON_S1_PERCENT = (-3.2, 7.6), (-14.0, 26.0)
MEYERDING = (25.0, 50.0, 75.0, 100.0)  # percent; Surg. Gynecol. Obstet. 54, 1932, 371; grade V by later authors
MEYERDING_GRADES = ("grade I", "grade II", "grade III", "grade IV", "grade V")
GENANT = (20.0, 25.0, 40.0)  # percent of a height; Genant et al., J. Bone Miner. Res. 8, 1993, 1137
GENANT_GRADES = ("none", "mild", "moderate", "severe")
DEVIATIONS = 3.0  # standard deviations from the norm; Eastell et al., J. Bone Miner. Res. 6, 1991, 207
LORDOSIS_DEG = (23.0, 51.0)  # percentiles 5 and 95 of L1 to L5; the median is 38
NINETY = 1.645  # standard deviations in half of a 90 % interval
NORMS = {  # mean and standard deviation by type of deformity, measure and level
    "wedge": (
        "height_ratio_{}",
        {
            "T12": (0.943, 0.063),
            "L1": (0.967, 0.071),
            "L2": (1.020, 0.072),
            "L3": (1.042, 0.081),
            "L4": (1.074, 0.095),
            "L5": (1.251, 0.118),
        },
    ),
    "biconcave": (
        "middle_ratio_{}",
        {
            "T12": (0.925, 0.079),
            "L1": (0.924, 0.053),
            "L2": (0.931, 0.067),
            "L3": (0.919, 0.061),
            "L4": (0.945, 0.064),
            "L5": (1.034, 0.078),
        },
    ),
    "crush": (  # deviations from the other bodies of the patient
        "height_posterior_{}_mm",
        {
            "T12": (26.4, 1.5),  # the mean is scaled to the size of all 55
            "L1": (27.6, 1.4),
            "L2": (27.7, 1.4),
            "L3": (27.9, 1.4),
            "L4": (26.8, 1.4),
            "L5": (24.1, 2.0),
        },
    ),
}


Ranked = tuple[float, Finding]  # a finding with its strength; it is present from 1 on


class Judged(NamedTuple):
    """A value with half of its 90 % interval, or None without one."""

    value: float
    half: float | None

    @classmethod
    def of(cls, measure: Measure, *, scale: float = 1.0) -> Judged:
        """Return the value of a measure in another unit; a missing one is 0."""
        half = None if measure.low is None or measure.high is None else scale * (measure.high - measure.low) / 2
        return cls(scale * (measure.value or 0.0), half)

    def crosses(self, *borders: float) -> bool:
        """Return whether a border is within the interval."""
        return self.half is not None and any(abs(border - self.value) <= self.half for border in borders)

    def chance(self, *, high: float, low: float = -inf) -> float | None:
        """Return the probability of a true value from `high` on or down to `low`, with normal errors."""
        if self.half is None:
            return None
        deviation = max(self.half / NINETY, 1e-9)
        below, above = (0.5 * (1 + erf((border - self.value) / deviation / sqrt(2))) for border in (low, high))
        return round(below + 1 - above, 4)

    def fields(self, unit: str) -> dict[str, Any]:
        """Return the fields of a finding for the value and its interval."""
        low, high = (None, None) if self.half is None else (self.value - self.half, self.value + self.half)
        return {"value": self.value, "low": low, "high": high, "unit": unit}


def sagittal_findings(values: Mapping[str, float], *, measures: Sequence[Measure]) -> tuple[Finding, ...]:
    """Return the findings listhesis, vertebral deformity and unusual lordosis.

    Of a name, there is one finding for each level where it is present, the greatest first, or else a single one for the
    level that comes closest. Without values, its presence is None; deformity and lordosis need levels.

    Args:
        values: Values of the spine, as from `sagittal_values`.
        measures: Measures of the same values with their intervals.
    """
    by_name = {item.name: item for item in measures if item.value is not None}
    slips = [
        _slip(item, in_mm=by_name.get(item.name.replace("_percent", "_mm")))
        for item in by_name.values()
        if item.unit == "percent"
    ]
    return (
        *_strongest("listhesis", slips),
        *_strongest("vertebral_deformity", _deformities(values, measures=by_name)),
        _lordosis(by_name.get("lordosis_l1_l5")),
    )


def _strongest(name: str, found: Iterable[Ranked]) -> list[Finding]:
    """Return the findings that are present in the order of their strength, or else the strongest one."""
    ordered = [finding for _, finding in sorted(found, key=lambda item: -item[0])]
    return [finding for finding in ordered if finding.present] or ordered[:1] or [Finding(name)]


def _slip(percent: Measure, *, in_mm: Measure | None) -> Ranked:
    """Return the finding of a slip.

    It is present from 3 mm on, or 9 percent without spacing; backwards beyond the normal slip, so that a normal
    posterior lip is not a retrolisthesis. On S1, other limits hold.
    """
    share, judged = Judged.of(percent), Judged.of(in_mm or percent)
    forward, normal = (SLIP_MM, NORMAL_SLIP_MM) if in_mm else (SLIP_PERCENT, NORMAL_SLIP_PERCENT)
    backward, (upper, lower) = normal - forward, percent.levels
    if lower == SACRUM:
        backward, forward = SLIP_ON_S1_MM if in_mm else SLIP_ON_S1_PERCENT
    strength = max(judged.value / forward, judged.value / backward)
    present, note = strength >= 1, ", experimental" if lower == SACRUM else ""
    return strength, Finding(
        "listhesis",
        present,
        type=f"{'antero' if judged.value > 0 else 'retro'}listhesis of {upper} on {lower}{note}" if present else None,
        level=f"{upper}-{lower}",
        severity=MEYERDING_GRADES[bisect_right(MEYERDING, abs(share.value))] if present else "none",
        near_border=judged.crosses(backward, forward) or share.crosses(*MEYERDING, *(-each for each in MEYERDING)),
        probability=judged.chance(low=backward, high=forward),
        measure=percent.name,
        **share.fields("percent"),
    )


def _deformities(values: Mapping[str, float], *, measures: Mapping[str, Measure]) -> Iterable[Ranked]:
    """Return the finding of each level, of the type that is most pronounced there.

    A loss of height is what is missing to the norm of the level and to the other bodies of the patient, the smaller of
    both; for a crush, to the other bodies. It counts from 20 percent and three standard deviations of the norm on.
    """
    found: dict[str, list[Ranked]] = {}
    for kind, (pattern, norms) in NORMS.items():
        names = {level: pattern.format(level.lower()) for level in norms}
        shares = {level: values[name] / norms[level][0] for level, name in names.items() if name in values}
        for level, share in shares.items():
            others = [other for key, other in shares.items() if key != level]
            if len(others) >= 2:
                reference = median(others) if kind == "crush" else min(1.0, median(others))
                mean, deviation = norms[level]
                interval = Judged.of(measures.get(names[level], Measure("")), scale=100 / (mean * reference))
                loss = Judged(100 * (1 - share / reference), interval.half)
                limit = max(GENANT[0], 100 * DEVIATIONS * deviation / mean)
                ranked = _deformity(f"{kind} of {level}", loss, level=level, limit=limit, measure=names[level])
                found.setdefault(level, []).append(ranked)
    return [max(ranked, key=lambda item: item[0]) for ranked in found.values()]


def _deformity(kind: str, loss: Judged, *, level: str, limit: float, measure: str) -> Ranked:
    present = loss.value >= limit
    return loss.value / limit, Finding(
        "vertebral_deformity",
        present,
        type=kind if present else None,
        level=level,
        severity=GENANT_GRADES[bisect_right(GENANT, loss.value)] if present else "none",
        near_border=loss.crosses(limit, *GENANT[1:]),
        probability=loss.chance(high=limit),
        measure=measure,
        **loss.fields("percent"),
    )


def _lordosis(measure: Measure | None) -> Finding:
    if measure is None:
        return Finding("unusual_lordosis", measure="lordosis_l1_l5")
    judged, (low, high) = Judged.of(measure), LORDOSIS_DEG
    kind = None
    if not low < judged.value < high:
        place = f"below percentile 5 ({low:.0f}°)" if judged.value <= low else f"above percentile 95 ({high:.0f}°)"
        kind = f"{place} of 55 people in supine MRI"
    return Finding(
        "unusual_lordosis",
        kind is not None,
        type=kind,
        near_border=judged.crosses(low, high),
        probability=judged.chance(low=low, high=high),
        measure=measure.name,
        **judged.fields("degree"),
    )
