"""Tables of evaluations: each accuracy with its sample size, interval and baseline."""

from __future__ import annotations

from collections.abc import Sequence

from spinealign.metrics.evaluation import Evaluation, units_of
from spinealign.metrics.registry import METRICS, format_interval, format_score, percent, score_title
from spinealign.reporting.tables import Table


def summary_table(evaluations: Sequence[Evaluation]) -> Table:
    """Return a table with one line for each evaluation."""
    others = [name for name, metric in METRICS.items() if metric.in_summary and name != "accuracy"]
    head = (
        "collection", "images", "sources", "accuracy", f"95 % over {units_of(evaluations)}", "naive 95 %",
        "thumbnail ridge", *map(score_title, others),
    )  # fmt: skip
    rows = [
        (
            f"{item.collection} ({item.split})",
            f"{item.images:,}",
            f"{item.sources:,}" + (f" ({item.units:,} patients)" if item.unit == "patient" else ""),
            percent(item.scores["accuracy"]),
            format_interval("accuracy", item.intervals["accuracy"]),
            format_interval("accuracy", item.naive_intervals["accuracy"]),
            percent(item.thumbnail_ridge_accuracy),
            *(format_score(name, item.scores.get(name)) for name in others),
        )
        for item in evaluations
    ]
    return Table(head, rows, numbers=range(1, len(head)))


def scores_table(item: Evaluation) -> Table:
    """Return a table with all scores of an evaluation."""
    over, ridge = f"95 % over {item.unit}s", item.thumbnail_ridge
    rows = [
        (
            score_title(name),
            format_score(name, value),
            format_interval(name, item.intervals[name]),
            format_interval(name, item.naive_intervals[name]),
            format_score(name, ridge.scores.get(name) if ridge else None),
            format_interval(name, ridge.intervals.get(name) if ridge else None),
        )
        for name, value in item.scores.items()
    ]
    return Table(("score", "model", over, "naive 95 %", "thumbnail ridge", over), rows, numbers=range(1, 6))


def size_table(item: Evaluation) -> Table:
    """Return the sensitivity by size of the finding, with a last line for findings of at least 3 mm."""
    rows = [
        (
            f"{entry.from_mm:.0f} {'and more' if entry.to_mm is None else f'to {entry.to_mm:.0f}'}",
            f"{entry.count:,}",
            percent(entry.sensitivity),
        )
        for entry in item.sensitivity_by_size
    ]
    rows.append(("3 and more", "", percent(item.sensitivity_from(3.0))))
    return Table(("size in mm", "findings", "sensitivity"), rows, numbers=(1, 2))
