"""Tables of evaluations of films: angles against a reference, with intervals over groups of films."""

from __future__ import annotations

from collections.abc import Sequence

from spinealign.metrics.agreement import LARGE_ERROR_DEG, LARGEST, Agreement, Estimate
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
PUBLISHED = (
    "smape", "mean_error", "p90_error", "severity_kappa", "landmark_error", "coverage", "interval_width",
)  # fmt: skip


def published_scores(item: Agreement) -> list[tuple[str, str, float, str]]:
    """Return name, title, value and interval of the scores that the `model-index` of a card states."""
    titles = {**{name: title for name, (title, *_) in SCORES.items()}, **LARGEST_SCORES}
    found = {**item.scores, **item.measures[LARGEST]}
    return [
        (name, titles[name], round(found[name].value, 6), f"{found[name].low:.3f} to {found[name].high:.3f}")
        for name in PUBLISHED
        if name in found
    ]


def agreement_table(agreements: Sequence[Agreement]) -> Table:
    """Return a table with one line for each score and one column for each set of films."""
    found = {name for item in agreements for name in item.scores}
    rows = [
        (
            title,
            *(format_estimate(item.scores.get(name), unit, factor=factor, decimals=decimals) for item in agreements),
        )
        for name, (title, factor, decimals, unit) in SCORES.items()
        if name in found
    ]
    of_largest = [
        (title, *(format_estimate(item.measures[LARGEST].get(name), "°") for item in agreements))
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
            *(format_estimate(scores.get(score)) for score in ("mean_error", "p90_error", "bias")),
            f"{scores['lower_limit'].value:+.1f} to {scores['upper_limit'].value:+.1f}",
        )
        for name, scores in item.measures.items()
    ]
    head = ("measure, in degrees", "mean error", "90 % of the errors are at most", "bias", "limits of agreement")
    return Table(head, rows, numbers=range(1, len(head)))


def large_errors_table(item: Agreement, names: Sequence[str] | None = None) -> Table:
    """Return a table of the films with a large error of the main angle; numbered without names."""
    rows = [
        (name, f"{of.measured:.1f}", f"{of.reference:.1f}", f"{of.measured - of.reference:+.1f}", of.signs)
        for name, of in zip(names or range(1, len(item.large_errors) + 1), item.large_errors)
    ]
    return Table(("film", "measured", "reference", "error", "signs"), rows, numbers=(1, 2, 3))


def format_agreements(agreements: Sequence[Agreement], names: Sequence[str] | None = None) -> str:
    """Return all scores as text, and the films with a large error in the first set, whose names may be given."""
    first = agreements[0]
    wrong = f"films with an error of the largest angle above {LARGE_ERROR_DEG:g} degrees: {len(first.large_errors)}"
    if first.large_errors:
        wrong += f"\n{large_errors_table(first, names).text()}"
    scores = f"{first.collection}\n{agreement_table(agreements).text()}"
    return "\n\n".join([scores, measures_table(first).text(), wrong])


def format_estimate(item: Estimate | None, unit: str = "", *, factor: float = 1, decimals: int = 2) -> str:
    """Format a score with its interval, such as `7.0 % (6.0 to 7.9)`."""
    if item is None:
        return "-"
    value, low, high = (f"{number * factor:.{decimals}f}" for number in (item.value, item.low, item.high))
    return f"{value}{unit} ({low} to {high})"


def _numbers(agreements: Sequence[Agreement]) -> range:
    return range(1, len(agreements) + 1)
