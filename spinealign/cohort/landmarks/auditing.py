"""Audit of a collection of films with the corners of their vertebrae."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from spinealign.cohort.landmarks.film import TEST, LabelCheck, LandmarkCohort
from spinealign.cohort.landmarks.grouping import join_groups
from spinealign.cohort.landmarks.loading import load_films
from spinealign.cohort.landmarks.twins import find_twins
from spinealign.serialization import to_plain


@dataclass(frozen=True)
class FilmPair:
    """Two films that show, or may show, the same radiograph or patient.

    Attributes:
        kind: `same` radiograph by pixels; `named`, with the same name except for its date; or `alike`, perhaps of one
            patient.
        films: Their names.
        splits: Their splits.
        correlation: Correlation of the pixels along the spine, in [-1, 1]; None if it was not measured.
    """

    kind: str
    films: tuple[str, str]
    splits: tuple[str, str]
    correlation: float | None

    @property
    def straddles(self) -> bool:
        """Whether the films are in two splits."""
        return self.splits[0] != self.splits[1]


@dataclass(frozen=True)
class LandmarkAudit:
    """Findings of an audit of films.

    Attributes:
        name: Name of the collection.
        films: Number of films of each split.
        outcomes: Number of labels by the outcome of their check, for each split.
        checks: Labels that are not `ok`, with the reasons.
        pairs: Films of one radiograph, and suspected ones, the surest first.
        groups: Number of groups of films that may show one radiograph or patient.
        divided_groups: Number of groups in `test` and another split.
        clean_test: Number of test films whose group is in no other split.
        notes: What was passed over.
    """

    name: str
    films: dict[str, int]
    outcomes: dict[str, dict[str, int]]
    checks: tuple[LabelCheck, ...]
    pairs: tuple[FilmPair, ...]
    groups: int
    divided_groups: int
    clean_test: int
    notes: tuple[str, ...] = ()

    @property
    def has_leaks(self) -> bool:
        """True if a radiograph, or a group, is in two splits."""
        return self.divided_groups > 0 or any(pair.kind == "same" and pair.straddles for pair in self.pairs)

    def to_dict(self) -> dict[str, Any]:
        """Return the findings as plain data for JSON."""
        found: dict[str, Any] = to_plain(self)
        return found


def audit_films(
    source: str | os.PathLike[str], *, repairs: str | os.PathLike[str] | None = None, progress: bool = False
) -> LandmarkAudit:
    """Check the labels of films, and search for films of one radiograph or patient; see `load_films`.

    Raises:
        CohortError: If the films cannot be loaded.
    """
    cohort = load_films(source, repairs=repairs)
    twins = find_twins(cohort.films, progress=progress)
    pairs = []
    for twin in twins:
        one, other = cohort.films[twin.one], cohort.films[twin.other]
        if twin.kind != "alike" or one.group != other.group:
            splits = one.split, other.split
            pairs.append(FilmPair(twin.kind, (one.name, other.name), splits, twin.correlation))
    joined = replace(cohort, films=join_groups(cohort.films, [(twin.one, twin.other) for twin in twins]))
    return LandmarkAudit(
        name=cohort.name,
        films=dict(Counter(film.split for film in cohort)),
        outcomes={split: cohort.part(split).outcomes for split in sorted({check.split for check in cohort.checks})},
        checks=tuple(check for check in cohort.checks if check.outcome != "ok"),
        pairs=tuple(pairs),
        groups=len({film.group for film in joined}),
        divided_groups=_divided(joined),
        clean_test=len(joined.clean_test),
        notes=cohort.notes,
    )


def _divided(cohort: LandmarkCohort) -> int:
    tested = {film.group for film in cohort if film.split == TEST}
    return len(tested & {film.group for film in cohort if film.split != TEST})
