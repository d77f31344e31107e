"""Evaluations as text for people: no accuracy stands without sources, interval and shortcut probe."""

from __future__ import annotations

from collections.abc import Sequence

from spinealign.metrics.evaluation import Evaluation, percent, units_of
from spinealign.metrics.folds import CrossValidation
from spinealign.metrics.intervals import Interval

SCORE_TITLES = {
    "accuracy": "accuracy",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "ppv": "PPV",
    "npv": "NPV",
    "f1": "F1",
    "balanced_accuracy": "balanced accuracy",
    "mcc": "MCC",
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "brier": "Brier",
    "ece": "ECE",
}
_SHARES = ("accuracy", "sensitivity", "specificity", "ppv", "npv", "balanced_accuracy")


def format_evaluations(evaluations: Sequence[Evaluation]) -> str:
    """Return every score of every evaluation with its intervals, the thumbnail ridge beside it, warnings at the end."""
    return "\n".join([*("\n".join([*_all_scores(item), ""]) for item in evaluations), *_notes(evaluations)]).rstrip()


def format_summary(evaluations: Sequence[Evaluation]) -> str:
    """Return one line for each evaluation, warnings at the end."""
    return "\n".join([*_summary_lines(evaluations), *_warnings(evaluations)])


def format_cross_validation(result: CrossValidation) -> str:
    """Return one line for each fold, the spread over folds, and every score of all folds together."""
    spread = [
        f"{SCORE_TITLES[name]} over {len(result.folds)} folds: {format_score(name, mean)}, "
        f"standard deviation {format_score(name, deviation)}"
        for name in ("accuracy", "auroc")
        for mean, deviation in [result.mean_and_deviation(name)]
        if mean is not None
    ]
    return "\n".join([*_summary_lines(result.folds), "", *spread, "", format_evaluations([result.pooled])])


def format_score(name: str, value: float | None) -> str:
    """Write a score for people: a share in percent, another with four digits, a dash where there is none."""
    return percent(value) if value is None or name in _SHARES else f"{value:.4f}"


def format_interval(name: str, interval: Interval | None) -> str:
    """Write the interval of a score for people; a dash where there is none."""
    if interval is None:
        return "-"
    low, high = interval
    return f"{low * 100:.1f} to {high * 100:.1f} %" if name in _SHARES else f"{low:.3f} to {high:.3f}"


def _all_scores(item: Evaluation) -> list[str]:
    over, counts = f"95 % over {item.unit}s", item.confusion
    rows = [("", "model", over, "naive (images)", "thumbnail ridge", over)]
    for name, value in item.scores.to_dict().items():
        ridge = item.thumbnail_ridge
        rows.append((
            SCORE_TITLES[name],
            format_score(name, value),
            format_interval(name, item.intervals[name]),
            format_interval(name, item.naive_intervals[name]),
            format_score(name, ridge.scores.to_dict()[name] if ridge else None),
            format_interval(name, ridge.intervals[name] if ridge else None),
        ))  # fmt: skip
    return [
        f"{item.collection} ({item.split}): {item.images:,} images of {item.distinct}; called "
        f"from a probability of {item.threshold:.4g}",
        *_aligned(rows, right=True),
        f"true positives {counts.tp:,}, false positives {counts.fp:,}, true negatives {counts.tn:,}, false negatives "
        f"{counts.fn:,}",
    ]


def _summary_lines(evaluations: Sequence[Evaluation]) -> list[str]:
    over = units_of(evaluations)
    header = ("collection", "split", "images", "sources", "accuracy", f"95 % over {over}", "thumbnail ridge",
              "sensitivity", "specificity", "AUROC")  # fmt: skip
    rows = [
        (
            item.collection,
            item.split,
            f"{item.images:,}",
            f"{item.sources:,}",
            percent(item.scores.accuracy),
            format_interval("accuracy", item.accuracy_interval),
            percent(item.thumbnail_ridge_accuracy),
            percent(item.scores.sensitivity),
            percent(item.scores.specificity),
            format_score("auroc", item.scores.auroc),
        )
        for item in evaluations
    ]
    return _aligned([header, *rows])


def _aligned(rows: Sequence[tuple[str, ...]], *, right: bool = False) -> list[str]:
    """Return rows as lines with columns of one width; `right` aligns all but the first to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if right and column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths))
        ).rstrip()
        for row in rows
    ]


def _notes(evaluations: Sequence[Evaluation]) -> list[str]:
    narrow = "The naive interval takes each image for a new patient; where images are copies, it is too narrow."
    return [narrow, *_warnings(evaluations)]


def _warnings(evaluations: Sequence[Evaluation]) -> list[str]:
    return [f"! {item.shortcut_warning}" for item in evaluations if item.shortcut_warning]
