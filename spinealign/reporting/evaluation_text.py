"""Text of evaluations for a terminal: each accuracy with its sample size, interval and baseline."""

from __future__ import annotations

from collections.abc import Sequence

from spinealign.metrics.evaluation import Evaluation, units_of
from spinealign.metrics.folds import CrossValidation
from spinealign.metrics.registry import METRICS, format_interval, format_score, percent, score_title
from spinealign.reporting.terminal import align


def format_evaluations(evaluations: Sequence[Evaluation]) -> str:
    """Return all scores of evaluations and of their accepted images, with intervals, baseline and warnings."""
    evaluations = [part for item in evaluations for part in (item, item.accepted) if part]
    tables = ["\n".join([*_all_scores(item), ""]) for item in evaluations]
    narrow = "The naive interval treats each image as an independent patient; if images are copies, it is too narrow."
    return "\n".join([*tables, narrow, *_warnings(evaluations)])


def format_summary(evaluations: Sequence[Evaluation]) -> str:
    """Return a table with one line for each evaluation, followed by warnings."""
    return "\n".join([*_summary_lines(evaluations), *_warnings(evaluations)])


def format_cross_validation(result: CrossValidation) -> str:
    """Return one line for each fold, the variation over folds, and all scores of the pooled predictions."""
    spread = [
        f"{score_title(name)} over {len(result.folds)} folds: {format_score(name, mean)}, "
        f"standard deviation {format_score(name, deviation)}"
        for name in ("accuracy", "auroc")
        for mean, deviation in [result.mean_and_deviation(name)]
        if mean is not None
    ]
    return "\n".join([*_summary_lines(result.folds), "", *spread, "", format_evaluations([result.pooled])])


def _all_scores(item: Evaluation) -> list[str]:
    over, counts, ridge = f"95 % over {item.unit}s", item.confusion, item.thumbnail_ridge
    rows = [("", "model", over, "naive (images)", "thumbnail ridge", over)]
    rows += [
        (
            score_title(name),
            format_score(name, value),
            format_interval(name, item.intervals[name]),
            format_interval(name, item.naive_intervals[name]),
            format_score(name, ridge.scores[name] if ridge else None),
            format_interval(name, ridge.intervals[name] if ridge else None),
        )
        for name, value in item.scores.items()
    ]
    return [
        f"{item.collection} ({item.split}): {item.images:,} images of {item.distinct}; positive from a probability of "
        f"{item.threshold:.4g}",
        *align(rows, right=range(1, 6)),
        f"true positives {counts.tp:,}, false positives {counts.fp:,}, true negatives {counts.tn:,}, false negatives "
        f"{counts.fn:,}",
    ]


def _summary_lines(evaluations: Sequence[Evaluation]) -> list[str]:
    shown = [name for name, metric in METRICS.items() if metric.in_summary and name != "accuracy"]
    head = (
        "collection", "split", "images", "sources", "accuracy", f"95 % over {units_of(evaluations)}",
        "thumbnail ridge", *map(score_title, shown),
    )  # fmt: skip
    rows = [
        (
            item.collection,
            item.split,
            f"{item.images:,}",
            f"{item.sources:,}",
            percent(item.scores["accuracy"]),
            format_interval("accuracy", item.accuracy_interval),
            percent(item.thumbnail_ridge_accuracy),
            *(format_score(name, item.scores.get(name)) for name in shown),
        )
        for item in evaluations
    ]
    return align([head, *rows])


def _warnings(evaluations: Sequence[Evaluation]) -> list[str]:
    return [f"! {item.shortcut_warning}" for item in evaluations if item.shortcut_warning]
