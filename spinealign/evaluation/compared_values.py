"""Measures of sagittal slices beside their reference, one value for each patient and level."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from spinealign.alignment.sagittal.measuring import kind_of, unit_of
from spinealign.alignment.sagittal.values import LUMBAR
from spinealign.evaluation.measured_slice import MeasuredSlice
from spinealign.metrics.agreement import estimate, weighted_mean
from spinealign.metrics.conformal import IntervalRule, cross_fitted_half_widths, fit_interval
from spinealign.metrics.value_agreement import Figure, ValueAgreement, mean_figure, value_errors

Floats = NDArray[np.float64]
KINDS = (  # of measures, in the order of tables
    "lordosis_l1_l5", "lordosis_l1_s1", "centroid_lordosis_l1_l5", "segment", "disc_height_mm", "disc_height_index",
    "slip_mm", "slip_percent", "height_ratio", "middle_ratio", "height_anterior_mm", "height_middle_mm",
    "height_posterior_mm", "depth_mm",
)  # fmt: skip
REACH_MM = 3  # slices within this distance of the middle one count for a volume
VOLUMES = "lumbar_mri"  # source of neighboring slices with distances of 1 mm
_LEVELS = {level.lower() for level in (*LUMBAR, "S1")}


@dataclass(frozen=True)
class ComparedValue:
    """A value of one patient beside its reference.

    Attributes:
        name: Name of the measure.
        patient: The patient.
        fold: Fold of the cross-validation.
        measured: The value.
        reference: Its reference.
        spread: Standard deviation over the slices that were measured.
    """

    name: str
    patient: str
    fold: int
    measured: float
    reference: float
    spread: float = 0.0


def by_patient(slices: Iterable[MeasuredSlice], source: str) -> dict[str, list[MeasuredSlice]]:
    """Return the slices of a source with exact outlines by patient, in the order of their numbers."""
    groups: dict[str, list[MeasuredSlice]] = defaultdict(list)
    for item in slices:
        if item.source == source and item.reference:
            groups[item.patient].append(item)
    return {patient: sorted(items, key=lambda item: item.number) for patient, items in groups.items()}


def middle_slice(slices: Sequence[MeasuredSlice]) -> MeasuredSlice:
    """Return the slice in the middle of those of a patient."""
    middle = float(np.median([item.number for item in slices]))
    return min(slices, key=lambda item: abs(item.number - middle))


def of_middle_slices(slices: Iterable[MeasuredSlice], source: str) -> list[ComparedValue]:
    """Return the values of the middle slice of each patient."""
    return [value for items in by_patient(slices, source).values() for value in compared([middle_slice(items)])]


def all_slices(slices: Iterable[MeasuredSlice]) -> list[ComparedValue]:
    """Return the values of every slice with exact outlines, also beside the midline."""
    return [value for item in slices if item.reference for value in compared([item])]


def of_volumes(slices: Iterable[MeasuredSlice], source: str = VOLUMES) -> list[ComparedValue]:
    """Return the values of each patient: medians over the slices near the middle one."""
    found = []
    for items in by_patient(slices, source).values():
        middle = middle_slice(items).number
        found += compared([item for item in items if abs(item.number - middle) <= REACH_MM])
    return found


def compared(slices: Sequence[MeasuredSlice]) -> list[ComparedValue]:
    """Return the medians over slices of one patient for each lumbar measure that all of them have."""
    names = set.intersection(*(item.values.keys() & item.reference_values.keys() for item in slices))
    first = slices[0]
    chosen = sorted(name for name in names if is_lumbar(name) and (first.in_mm or unit_of(name) != "mm"))
    return [
        ComparedValue(
            name,
            first.patient,
            first.fold or 0,
            float(np.median([item.values[name] for item in slices])),
            float(np.median([item.reference_values[name] for item in slices])),
            float(np.std([item.values[name] for item in slices])),
        )
        for name in chosen
    ]


def is_lumbar(name: str) -> bool:
    """Return whether a measure has only lumbar levels and S1."""
    levels = [part for part in name.split("_") if part[-1].isdigit()]
    return _LEVELS.issuperset(levels)


def agreement(values: Sequence[ComparedValue], kind: str, *, part: str) -> ValueAgreement | None:
    """Return how well the values of a kind of measure agree with their reference; None for fewer than two patients."""
    own = [value for value in values if kind_of(value.name) == kind]
    patients = [value.patient for value in own]
    if len(set(patients)) < 2:
        return None
    measured, reference = (np.array([getattr(value, name) for value in own]) for name in ("measured", "reference"))
    levels = np.unique([value.name for value in own], return_inverse=True)[1]
    half_widths = _cross_fitted(own)

    def scores(weights: Floats) -> dict[str, Floats]:
        found = value_errors(measured, reference, levels=levels, weights=weights)
        if half_widths is not None:
            inside = (np.abs(measured - reference) <= half_widths).astype(np.float64)
            found |= {
                "coverage": weighted_mean(inside, weights),
                "interval_width": weighted_mean(2 * half_widths, weights),
            }
        return found

    pairs = tuple(zip(measured.round(3).tolist(), reference.round(3).tolist()))
    return ValueAgreement(kind, unit_of(own[0].name), part, len(set(patients)), estimate(scores, patients), pairs)


def _cross_fitted(values: Sequence[ComparedValue]) -> Floats | None:
    errors, spreads = (
        np.array(of) for of in zip(*((value.measured - value.reference, value.spread) for value in values))
    )
    try:
        return cross_fitted_half_widths(errors, spreads, folds=np.array([value.fold for value in values]))
    except ValueError:  # too few values
        return None


def interval_rules(values: Sequence[ComparedValue]) -> dict[str, IntervalRule]:
    """Return the rule of the interval of each kind of measure with enough values."""
    rules = {}
    for kind in KINDS:
        own = [value for value in values if kind_of(value.name) == kind]
        errors = np.array([value.measured - value.reference for value in own])
        try:
            rules[kind] = fit_interval(errors, np.array([value.spread for value in own]))
        except ValueError:  # too few values
            continue
    return rules


def label_noise(slices: Iterable[MeasuredSlice], kind: str, *, source: str = VOLUMES) -> Figure | None:
    """Return how much the reference differs from slice to slice, where the masks of neighbors are not the same."""
    differences, patients = [], []
    for patient, items in by_patient(slices, source).items():
        for one, other in pairwise(items):
            if one.reference == other.reference:
                continue
            for name in one.reference_values.keys() & other.reference_values.keys():
                if kind_of(name) == kind and is_lumbar(name):
                    differences.append(abs(one.reference_values[name] - other.reference_values[name]))
                    patients.append(patient)
    return mean_figure(f"label_noise_{kind}", source, values=differences, patients=patients)
