"""Evaluation of a model that finds vertebrae on films with marked corners, without torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from spinealign.alignment.frontal import FrontalMeasurer
from spinealign.alignment.measuring import AASCE, ENDPLATE
from spinealign.alignment.preparing import prepare
from spinealign.alignment.severity import BORDERS_DEG
from spinealign.cohort.landmarks.film import TEST, LandmarkCohort
from spinealign.evaluation.measured_film import MeasuredFilm, measure_film
from spinealign.metrics.agreement import (
    CLEAN,
    CROSS_VALIDATED,
    LARGE_ERROR_DEG,
    LARGEST,
    OFFICIAL,
    Agreement,
    LargeError,
    angle_errors,
    circular_error,
    class_kappa,
    estimate,
    symmetric_error,
    weighted_mean,
    weighted_quantile,
)
from spinealign.metrics.conformal import IntervalRule, cross_fitted_half_widths
from spinealign.serialization import to_plain

Floats = NDArray[np.float64]
DISAGREEMENT_DEG, OFF_WIDTHS = 5.0, 0.2  # signs of trouble


@dataclass(frozen=True)
class FilmEvaluation:
    """Films of one collection that a model measured, and how well it agrees with the reference.

    Attributes:
        collection: Name of the collection.
        films: The measured films of the test split.
        official: Agreement in all of them.
        clean: Agreement in those whose group has no film in another split; None if these are all.
    """

    collection: str
    films: tuple[MeasuredFilm, ...]
    official: Agreement
    clean: Agreement | None = None

    @property
    def agreements(self) -> tuple[Agreement, ...]:
        """The agreement in each set of films."""
        return (self.official,) if self.clean is None else (self.official, self.clean)

    @property
    def large_error_files(self) -> list[str]:
        """Names of the films in `official.large_errors`, in the same order."""
        return [film.file for film in large_errors(self.films)]

    def to_dict(self) -> dict[str, Any]:
        """Return the evaluation as plain data for JSON."""
        return to_plain(self)


def evaluate_films(measurer: FrontalMeasurer, cohort: LandmarkCohort) -> FilmEvaluation | None:
    """Measure the films of the test split of a collection; None without such a split.

    Films that the model does not accept are scored too, and counted.

    Raises:
        ImageError: If a film cannot be read.
    """
    tested, clean = cohort.part(TEST), {film.path for film in cohort.clean_test}
    if not len(tested):
        return None
    measured = []
    for film in tqdm(tested, desc="Measuring films", unit="film", leave=False, disable=None, delay=1.0):
        image = film.read()
        prepared = prepare(image)
        location = measurer.locate(prepared)
        accepted = not (measurer.kind_reasons(image, prepared) or measurer.location_reasons(location))
        found = measure_film(film, location, prepared=prepared, clean=film.path in clean)
        measured.append(replace(found, accepted=accepted))
    return summarize_films(measured, cohort.name, rules=measurer.settings.intervals)


def summarize_films(
    films: Sequence[MeasuredFilm], collection: str, *, rules: Mapping[str, IntervalRule] | None = None
) -> FilmEvaluation:
    """Return the evaluation of measured films of a test split; `rules` are those of the intervals of the model."""
    unseen = [film for film in films if film.clean]
    parts = {OFFICIAL: films, **({CLEAN: unseen} if 0 < len(unseen) < len(films) else {})}
    rule = (rules or {}).get(LARGEST)
    found = {
        part: agreement_of(
            members,
            collection,
            part=part,
            half_widths=None
            if rule is None
            else np.array([rule.half_width(film.disagreement(LARGEST)) for film in members]),
        )
        for part, members in parts.items()
    }
    return FilmEvaluation(collection, tuple(films), found[OFFICIAL], found.get(CLEAN))


def cross_validated_agreement(films: Sequence[MeasuredFilm], collection: str) -> Agreement:
    """Return the agreement of the films of a cross-validation, with intervals by rules of the other folds."""
    errors = np.array([film.error(LARGEST) for film in films])
    disagreements = np.array([film.disagreement(LARGEST) for film in films])
    folds = np.array([film.fold or 0 for film in films])
    try:
        half_widths = cross_fitted_half_widths(errors, disagreements, folds=folds)
    except ValueError:  # too few films for intervals
        half_widths = None
    return agreement_of(films, collection, part=CROSS_VALIDATED, half_widths=half_widths)


def agreement_of(
    films: Sequence[MeasuredFilm],
    collection: str,
    *,
    part: str,
    half_widths: Floats | None = None,
) -> Agreement:
    """Return how well measured films agree with their reference.

    Args:
        films: At least one film.
        collection: Name of the collection.
        part: Name of the set of films.
        half_widths: Half the width of the interval of the main angle, shape (N,); None without intervals.
    """
    groups = [film.group for film in films]
    angles = {name: _angles(films, name) for name in (*ENDPLATE, *AASCE)}
    scores = estimate(lambda weights: _scores(films, weights, half_widths=half_widths), groups)
    measures = {name: estimate(_errors_of(*pair), groups) for name, pair in angles.items()}
    largest = ((film.measures[LARGEST], film.reference[LARGEST], film.disagreement(LARGEST)) for film in films)
    return Agreement(
        collection,
        part,
        films=len(films),
        groups=len(set(groups)),
        rejected=sum(not film.accepted for film in films),
        scores=scores,
        measures=measures,
        large_errors=tuple(
            LargeError(round(film.measures[LARGEST], 2), round(film.reference[LARGEST], 2), explain_error(film))
            for film in large_errors(films)
        ),
        largest=tuple((round(found, 2), round(true, 2), round(apart, 2)) for found, true, apart in largest),
    )


def _angles(films: Sequence[MeasuredFilm], name: str) -> tuple[Floats, Floats]:
    """Return the measured and the reference angle of each film."""
    return np.array([film.measures[name] for film in films]), np.array([film.reference[name] for film in films])


def _errors_of(measured: Floats, reference: Floats) -> Callable[[Floats], dict[str, Floats]]:
    return lambda weights: angle_errors(measured, reference, weights=weights)


def _scores(films: Sequence[MeasuredFilm], weights: Floats, *, half_widths: Floats | None = None) -> dict[str, Floats]:
    """Return the scores of the whole set for weightings of the films, of shape (D, N)."""
    angles = [_angles(films, name) for name in AASCE]
    measured, reference = (np.stack(of, axis=1) for of in zip(*angles))
    scores = {
        "smape": symmetric_error(measured, reference, weights=weights),
        **{f"circular_error_{place}": circular_error(*of, weights=weights) for place, of in enumerate(angles, start=1)},
        "severity_kappa": class_kappa(*angles[0], weights=weights, borders=BORDERS_DEG),
        "shifted": weighted_mean(np.array([film.offset != 0 for film in films], np.float64), weights),
    }
    known = np.array([film.landmark_error is not None for film in films])
    if known.any():
        corners = np.array([film.landmark_error for film in films if film.landmark_error is not None])
        scores["landmark_error"] = weighted_quantile(corners, weights[:, known], share=0.5)
    if half_widths is not None:
        inside = np.abs(angles[0][0] - angles[0][1]) <= half_widths
        scores["coverage"] = weighted_mean(inside.astype(np.float64), weights)
        scores["interval_width"] = weighted_mean(2 * half_widths, weights)
    return scores


def large_errors(films: Sequence[MeasuredFilm]) -> tuple[MeasuredFilm, ...]:
    """Return the films whose main angle is off by more than 15 degrees, the worst first."""
    wrong = [film for film in films if abs(film.error(LARGEST)) > LARGE_ERROR_DEG]
    return tuple(sorted(wrong, key=lambda film: -abs(film.error(LARGEST))))


def explain_error(film: MeasuredFilm) -> str:
    """Return what the numbers of a film say about the reason of its error."""
    off = film.landmark_error
    signs = [
        (not film.accepted, "not accepted by the model"),
        (
            film.offset != 0 and off is not None and off <= OFF_WIDTHS,
            f"chain {abs(film.offset)} level{'s' * (abs(film.offset) > 1)} too {'low' if film.offset > 0 else 'high'}",
        ),
        (off is None, "no chain"),
        (off is not None and off > OFF_WIDTHS, f"corners off by {off or 0:.2f} of the width of a vertebra"),
        (
            film.disagreement(LARGEST) > DISAGREEMENT_DEG,
            f"the networks differ by {film.disagreement(LARGEST):.0f} degrees",
        ),
    ]
    return "; ".join(text for sign, text in signs if sign) or "no sign in the chain: a few endplates, or the label"
