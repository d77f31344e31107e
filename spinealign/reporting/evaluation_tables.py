"""Tables of evaluations: each accuracy with its sample size, interval and baseline."""

from __future__ import annotations

from collections.abc import Sequence

from spinealign.metrics.evaluation import Evaluation, units_of
from spinealign.metrics.registry import METRICS, format_interval, format_score, percent, score_title
from spinealign.reporting.tables import Table

NOT_DEFINED = "not defined"  # a score that needs classes without images
_SUMMARY = ("accuracy", "sensitivity", "specificity", "auroc")  # without an evaluation, the columns of a binary label


def summary_table(evaluations: Sequence[Evaluation]) -> Table:
    """Return a table with one line for each evaluation, and for each of several labels."""
    evaluations = [part for item in evaluations for part in ((item, *item.parts) if item.has_several else (item,))]
    shown = {name for item in evaluations for name in item.main_scores} or set(_SUMMARY)
    others = [name for name in METRICS if name in shown and name != "accuracy"]
    head = (
        "collection", "images", "sources", "accuracy", f"95 % over {units_of(evaluations)}", "naive 95 %",
        "thumbnail ridge", *map(score_title, others),
    )  # fmt: skip
    rows = [
        (
            item.title,
            f"{item.images:,}",
            f"{item.sources:,}" + (f" ({item.units:,} patients)" if item.unit == "patient" else ""),
            percent(item.scores["accuracy"]),
            format_interval("accuracy", item.intervals["accuracy"]),
            format_interval("accuracy", item.naive_intervals["accuracy"]),
            percent(item.thumbnail_ridge_accuracy),
            *(_value(item, name) for name in others),
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
            _value(item, name),
            format_interval(name, item.intervals[name]),
            format_interval(name, item.naive_intervals[name]),
            format_score(name, ridge.scores.get(name) if ridge else None),
            format_interval(name, ridge.intervals.get(name) if ridge else None),
        )
        for name in item.scores
    ]
    return Table(("score", "model", over, "naive 95 %", "thumbnail ridge", over), rows, numbers=range(1, 6))


def parts_tables(item: Evaluation) -> list[Table]:
    """Return a table of the classes of a label against all others, or of several labels of each kind."""
    kinds = dict.fromkeys(part.kind for part in item.parts)
    return [_parts_table([part for part in item.parts if part.kind == kind], item.has_several) for kind in kinds]


def _parts_table(parts: Sequence[Evaluation], several: bool) -> Table:
    """Return a table of parts of one kind, with intervals."""
    kind, missing = parts[0].kind, any(part.missing for part in parts) and several
    shown = [
        name
        for name, metric in METRICS.items()
        if name in parts[0].scores and name != "accuracy" and (metric.compares_classes or kind in metric.in_summary)
    ]
    binary = kind == "binary"
    head = (
        f"{kind.replace('_', '-')} label" if several else "class", "images", *["missing"] * missing,
        *["prevalence" if several else "share"] * binary, *map(score_title, shown),
    )  # fmt: skip
    rows = []
    for part in parts:
        counted = part.images if several or part.confusion is None else part.confusion.tp + part.confusion.fn
        cells = [part.label, f"{counted:,}", *[f"{part.missing:,}"] * missing, *[percent(part.prevalence)] * binary]
        for name in shown:
            interval = format_interval(name, part.intervals.get(name))
            cells.append(_value(part, name) + (f" ({interval})" if interval != "-" else ""))
        rows.append(cells)
    return Table(head, rows, numbers=range(1, len(head)))


def matrix_table(item: Evaluation) -> Table:
    """Return the images of each true class of a label with more than two classes by their predicted class."""
    rows = [(name, *(f"{count:,}" for count in counts)) for name, counts in zip(item.classes, item.matrix)]
    return Table(("truth, prediction", *item.classes), rows, numbers=range(1, len(item.classes) + 1))


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


def describe_errors(item: Evaluation) -> str:
    """Return the errors of one label as a sentence."""
    if item.confusion is not None:
        counts, positive = item.confusion, item.finding
        return (
            f"{counts.fn:,} of {counts.fn + counts.tp:,} images with {positive} were missed; {counts.fp:,} of "
            f"{counts.fp + counts.tn:,} other images were classified as {positive}."
        )
    wrong = [
        (count, item.classes[truth], item.classes[called])
        for truth, row in enumerate(item.matrix)
        for called, count in enumerate(row)
        if count and truth != called
    ]
    sentence = f"{sum(count for count, _, _ in wrong):,} of {item.images:,} images were classified wrongly"
    if not wrong:
        return f"{sentence}."
    count, truth, called = max(wrong)
    return f"{sentence}, most often {truth} as {called} ({count:,})."


def _value(item: Evaluation, name: str) -> str:
    if name not in item.scores:
        return "-"
    return NOT_DEFINED if item.scores[name] is None else format_score(name, item.scores[name])
