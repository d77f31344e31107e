"""Folds over the patients of collections of sagittal slices."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from spinealign.cohort.masks.boxed import BoxedSlice
from spinealign.cohort.masks.labeled import LabeledSlice
from spinealign.metrics.folds import balanced_folds


def patient_folds(slices: Iterable[LabeledSlice | BoxedSlice], *, folds: int = 5, seed: int = 0) -> dict[str, int]:
    """Return the fold of each patient, from 0, with similar shares of each combination of sources.

    Raises:
        MissingDependencyError: If scikit-learn is not installed.
    """
    sources: dict[str, set[str]] = defaultdict(set)
    for item in slices:
        sources[item.patient].add(item.source)
    patients = sorted(sources)
    kinds = ["+".join(sorted(sources[patient])) for patient in patients]
    numbers = balanced_folds(kinds, patients, folds=folds, seed=seed)
    return dict(zip(patients, numbers.tolist()))
