"""Spelling of classes, and classes that a split lacks."""

from __future__ import annotations

import difflib
from collections import defaultdict
from dataclasses import replace
from itertools import product

from spinealign.cohort.cohort import Cohort
from spinealign.errors import CohortError
from spinealign.labels import SINGLE


def spelled_alike(cohort: Cohort) -> Cohort:
    """Write classes that differ only in upper and lower case in lower case."""
    names = cohort.label_names
    spellings: dict[tuple[str, str], set[str]] = defaultdict(set)
    for sample in cohort:
        for name in names:
            if (value := sample.value(name)) is not None:
                spellings[name, value.lower()].add(value)

    def spelled(name: str, value: str | None) -> str | None:
        return value if value is None or len(spellings[name, value.lower()]) == 1 else value.lower()

    samples = (
        replace(
            sample,
            label=spelled(names[0], sample.label),
            labels={name: spelled(name, value) for name, value in sample.labels.items()},
        )
        for sample in cohort
    )
    return replace(cohort, samples=tuple(samples))


def with_class_notes(cohort: Cohort) -> Cohort:
    """Note the classes that a split lacks.

    Raises:
        CohortError: If such a class and one that only this split has differ by a few letters.
    """
    notes = []
    for name, split in product(cohort.label_names, cohort.splits):
        present, known = cohort.part(split).counts(name), cohort.counts(name)
        missing = [value for value in known if value not in present]
        elsewhere = {value for other in cohort.splits if other != split for value in cohort.part(other).counts(name)}
        for value in filter(str.isalpha, missing):  # other names, such as grade 3, differ on purpose
            for near in difflib.get_close_matches(value, sorted(present.keys() - elsewhere), n=1):
                raise CohortError(
                    f"{cohort.name}: split {split} has the classes {', '.join(present)} but lacks {value}. "
                    f"Is {near!r} a misspelled {value!r}?"
                )
        if missing:
            label = "" if cohort.label_names == (SINGLE,) else f" of {name}"
            notes.append(f"{cohort.name}: split {split} has no image of class {', '.join(missing)}{label}")
    return replace(cohort, skipped=(*cohort.skipped, *notes))
