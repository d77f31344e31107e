"""Tables of evaluations of films: angles against a reference, with intervals over groups of films."""

from __future__ import annotations

from collections.abc import Sequence

from spinealign.evaluation.films import LARGEST, FilmEvaluation, explain_error
from spinealign.evaluation.measured_film import MeasuredFilm
from spinealign.metrics.agreement import Agreement, Estimate
from spinealign.reporting.tables import Table

LARGEST_SCORES = {
    "mean_error": "largest angle: mean error",
    "p90_error": "largest angle: 90 % of the errors are at most",
    "bias": "largest angle: bias",
}
SCORES: dict[str, tuple[str, float, int, str]] = {  # title, factor, decimals, unit
    "smape": ("SMAPE of the three angles", 1, 2, " %"),
    "circular_error_1": ("circular error, main angle", 1, 2, "°"),
    "circular_error_2": ("circular error, upper angle", 1, 2, "°"),
    "circular_error_3": ("circular error, lower angle", 1, 2, "°"),
    "severity_kappa": ("severity class, quadratic kappa", 1, 3, ""),
    "landmark_error": ("corners: median error, share of a vertebra's width", 1, 3, ""),
    "shifted": ("chains shifted by one or two levels", 100, 1, " %"),
    "coverage": ("90 % interval of the largest angle: coverage", 100, 1, " %"),
    "interval_width": ("90 % interval of the largest angle: mean width", 1, 1, "°"),
}


def agreement_table(agreements: Sequence[Agreement]) -> Table:
    """Return a table with one line for each score and one column for each set of films."""
    found = {name for item in agreements for name in item.scores}
    rows = [
        (title, *(format_estimate(item.scores.get(name), factor, decimals, unit) for item in agreements))
        for name, (title, factor, decimals, unit) in SCORES.items()
        if name in found
    ]
    of_largest = [
        (title, *(format_estimate(item.measures[LARGEST].get(name), 1, 2, "°") for item in agreements))
        for name, title in LARGEST_SCORES.items()
    ]
    rows[4:4] = of_largest  # after the errors of all angles
    rejected = ("films that the model does not accept", *(f"{item.rejected:,}" for item in agreements))
    return Table(
        ("score (95 % interval)", *(item.title for item in agreements)), [*rows, rejected], numbers=_numbers(agreements)
    )


def measures_table(item: Agreement) -> Table:
    """Return a table with the errors of each measure in degrees."""
    rows = [
        (
            name,
            *(format_estimate(scores.get(score), 1, 2, "") for score in ("mean_error", "p90_error", "bias")),
            f"{scores['lower_limit'].value:+.1f} to {scores['upper_limit'].value:+.1f}",
        )
        for name, scores in item.measures.items()
    ]
    head = ("measure, in degrees", "mean error", "90 % of the errors are at most", "bias", "limits of agreement")
    return Table(head, rows, numbers=range(1, len(head)))


def large_errors_table(films: Sequence[MeasuredFilm], *, named: bool = True) -> Table:
    """Return a table of films with a large error of the main angle, with or without their names."""
    rows = [
        (
            film.file if named else str(number),
            f"{film.measures[LARGEST]:.1f}",
            f"{film.reference[LARGEST]:.1f}",
            f"{film.error(LARGEST):+.1f}",
            explain_error(film),
        )
        for number, film in enumerate(films, start=1)
    ]
    return Table(("film", "measured", "reference", "error", "signs"), rows, numbers=(1, 2, 3))


def format_film_evaluation(evaluation: FilmEvaluation, cross_validated: Agreement | None = None) -> str:
    """Return all scores of an evaluation as text, and the films with a large error."""
    agreements = [*evaluation.agreements, *([cross_validated] if cross_validated else [])]
    wrong = evaluation.large_errors
    return "\n\n".join(
        [
            f"{evaluation.collection}\n{agreement_table(agreements).text()}",
            measures_table(evaluation.official).text(),
            f"films with an error of the largest angle above 15 degrees: {len(wrong)}"
            + (f"\n{large_errors_table(wrong).text()}" if wrong else ""),
        ]
    )


def format_estimate(item: Estimate | None, factor: float, decimals: int, unit: str) -> str:
    """Format a score with its interval, such as `7.0 % (6.0 to 7.9)`."""
    if item is None:
        return "-"
    value, low, high = (f"{number * factor:.{decimals}f}" for number in (item.value, item.low, item.high))
    return f"{value}{unit} ({low} to {high})"


def _numbers(agreements: Sequence[Agreement]) -> range:
    return range(1, len(agreements) + 1)
