"""Text of evaluations for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from spinealign.metrics.evaluation import Evaluation
from spinealign.metrics.folds import CrossValidation
from spinealign.metrics.registry import format_score, score_title
from spinealign.reporting.evaluation_tables import matrix_table, parts_tables, scores_table, summary_table


def format_evaluations(evaluations: Sequence[Evaluation]) -> str:
    """Return all scores of evaluations and of their accepted images, with intervals, baseline and warnings."""
    evaluations = [part for item in evaluations for part in (item, item.accepted) if part]
    narrow = "The naive interval treats each image as an independent patient; if images are copies, it is too narrow."
    return "\n".join([*map(_all_scores, evaluations), narrow, *_warnings(evaluations)])


def format_summary(evaluations: Sequence[Evaluation]) -> str:
    """Return a table with one line for each evaluation, followed by warnings."""
    return "\n".join([summary_table(evaluations).text(), *_warnings(evaluations)])


def format_cross_validation(result: CrossValidation) -> str:
    """Return one line for each fold, the variation over folds, and all scores of the pooled predictions."""
    spread = [
        f"{score_title(name)} over {len(result.folds)} folds: {format_score(name, mean)}, "
        f"standard deviation {format_score(name, deviation)}"
        for name in result.pooled.main_scores
        for mean, deviation in [result.mean_and_deviation(name)]
        if mean is not None
    ]
    return "\n".join([summary_table(result.folds).text(), "", *spread, "", format_evaluations([result.pooled])])


def _all_scores(item: Evaluation) -> str:
    missing = f"; left out without a value: {item.missing:,}" if item.missing else ""
    first = f"{item.title}: {item.size}{missing}"
    table = scores_table(item).text()
    if item.has_several:
        labels = "\n".join(map(_all_scores, item.parts))
        return f"{first}\n{table}\n{_text_of_parts(item)}\n{_overlap(item)}{labels}"
    if item.confusion is None:
        return f"{first}\n{table}\n{_text_of_parts(item)}\n{matrix_table(item).text()}\n{_overlap(item)}"
    counts = item.confusion
    return (
        f"{first}; positive from a probability of {item.threshold:.4g}\n{table}\n"
        f"true positives {counts.tp:,}, false positives {counts.fp:,}, true negatives {counts.tn:,}, false negatives "
        f"{counts.fn:,}\n{_overlap(item)}"
    )


def _text_of_parts(item: Evaluation) -> str:
    return "\n".join(table.text() for table in parts_tables(item))


def _overlap(item: Evaluation) -> str:
    if item.training_overlap is None:
        return ""
    found, left_out = item.training_overlap.images, item.training_overlap.left_out
    return f"training images in the collection {found:,}; images left out of the scores for this reason {left_out:,}\n"


def _warnings(evaluations: Sequence[Evaluation]) -> list[str]:
    return [f"! {label.shortcut_warning}" for item in evaluations for label in item.labels if label.shortcut_warning]
