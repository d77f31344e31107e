"""Films that may show the same radiograph or patient, by their names; folds over such groups."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spinealign.alignment.cobb import aasce_angles
from spinealign.alignment.severity import classify_severity
from spinealign.alignment.vertebra import spine
from spinealign.cohort.duplicates.neighbors import connect
from spinealign.cohort.landmarks.film import Film
from spinealign.metrics.folds import balanced_folds

_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_DATE = re.compile(
    rf"\d{{4}}[-_. ]?\d{{2}}[-_. ]?\d{{2}}|\d{{1,2}}[-_. ]?(?:{_MONTHS})[a-z]*[-_. ]?\d{{4}}", re.IGNORECASE
)
_NUMBER = re.compile(r"[\W_]*([a-z]*[\W_]*\d+)", re.IGNORECASE)


class NameParts(NamedTuple):
    """What the name of a film says: its date, the number after it, and all that follows the date."""

    date: str
    number: str
    rest: str


def name_parts(name: str) -> NameParts | None:
    """Return the parts of a name with a date and a number; None for other names.

    Example:
        >>> name_parts("sunhl-1th-10-Jan-2017-239 A AP.jpg")
        NameParts(date='10-Jan-2017', number='239', rest='239 a ap')
    """
    stem = re.sub(r"\.\w{2,5}$", "", name)
    date = _DATE.search(stem)
    number = _NUMBER.match(stem, date.end()) if date else None
    if not date or not number:
        return None
    rest = re.sub(r"[\W_]+", " ", stem[date.end() :]).strip().lower()
    return NameParts(date[0], number[1].lower(), rest)


def join_groups(films: Sequence[Film], pairs: Iterable[tuple[int, int]]) -> tuple[Film, ...]:
    """Return the films with the groups of each pair of places joined."""
    first: dict[str, int] = {}
    links = [(first.setdefault(film.group, place), place) for place, film in enumerate(films)]
    joined = connect(len(films), np.array([*links, *pairs], np.intp).reshape(-1, 2))
    return tuple(replace(film, group=films[place].group) for film, place in zip(films, joined.tolist()))


def film_folds(films: Sequence[Film], *, folds: int = 3, seed: int = 0) -> NDArray[np.intp]:
    """Return the fold of each film, from 0: each group in one fold, similar shares of each severity.

    Raises:
        MissingDependencyError: If scikit-learn is not installed.
    """
    kinds = [_severity(film) for film in films]
    return balanced_folds(kinds, [film.group for film in films], folds=folds, seed=seed)


def _severity(film: Film) -> str:
    return classify_severity(aasce_angles(spine(film.points))[0]) if len(film.corners) > 1 else "without vertebrae"
