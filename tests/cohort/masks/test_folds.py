"""Folds over patients of several collections."""

from __future__ import annotations

from collections import Counter

import numpy as np

from spinealign.cohort.masks.boxed import BoxedSlice
from spinealign.cohort.masks.folds import patient_folds


def series(patient, source):
    return BoxedSlice("", patient, source, "T2", np.zeros((1, 1), np.float32))


def test_each_patient_is_in_one_fold_of_balanced_sources():
    both = [series(f"spider/{number}", source) for number in range(20) for source in ("t2_space", "spider")]
    others = [series(f"lumbar_mri/{number}", "lumbar_mri") for number in range(30)]

    folds = patient_folds([*both, *others])

    assert len(folds) == 50
    for name, count in (("spider", 4), ("lumbar_mri", 6)):
        sizes = Counter(fold for patient, fold in folds.items() if patient.startswith(name))
        assert sizes == dict.fromkeys(range(5), count)


def test_folds_do_not_depend_on_the_order_of_slices():
    slices = [series(f"spider/{number}", "spider") for number in range(12)]

    assert patient_folds(slices, folds=3) == patient_folds(slices[::-1], folds=3)
    assert patient_folds(slices, folds=3) != patient_folds(slices, folds=3, seed=1)
