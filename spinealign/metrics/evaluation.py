"""Evaluation of predictions: scores with intervals, the shortcut baseline, and sensitivity by size."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any

from spinealign.errors import require
from spinealign.labels import KINDS, PROBLEM_TYPES, SINGLE
from spinealign.metrics.evidence import Predictions, TrainingOverlap
from spinealign.metrics.intervals import Intervals
from spinealign.metrics.registry import METRICS, format_score, percent
from spinealign.metrics.scores import Confusion, Scores, SizeBin
from spinealign.metrics.shortcut import SKEWED, Baseline, require_same_scores
from spinealign.reading.tally import counted
from spinealign.serialization import NOT_STORED, rebuild, to_plain
from spinealign.writing import replaced_together

EVALUATION_FILE, EVALUATION_PLOT, WORST_CASES = "evaluation.json", "evaluation.png", "worst_cases.png"
_NOTHING_ABOVE = 0.98  # upper end of the shortcut baseline from which no model can be clearly better


@dataclass(frozen=True, repr=False)
class Evaluation:
    """Scores of a model on one split of one collection, with their uncertainty.

    For one label, the scores are those of its kind, and a label with more than two classes has a part for each class
    against all others. For several labels, each has a part, and the scores are the means over the labels for which they
    are defined.

    Attributes:
        collection: Name of the collection.
        split: Name of the split.
        images: Number of images with a value of the label, or of any of several labels.
        sources: Number of distinct source slices; the copies of a slice count once.
        unit: What the intervals draw, `source` or `patient`.
        units: Number of distinct units.
        threshold: Smallest probability that is classified as positive; not used for other kinds than binary.
        scores: Scores over images; None if a score is undefined.
        intervals: 95 % interval of each score, over units; None if the score is undefined.
        naive_intervals: The same with each image as its own source: too narrow if images are copies.
        confusion: Confusion matrix of a binary label.
        kind: Kind of the label, or `multi_label` or `mixed` for several labels.
        label: Name of the label, or of the class in the part of a class; empty for several labels.
        classes: Names of the classes of the label.
        positive: Positive class of a binary label; empty in files of older releases.
        matrix: Images of each true class (rows) in each predicted class, for a label of another kind.
        missing: Number of images without a value.
        parts: Evaluation of each class of a label with more than two, or of each of several labels with a value.
        thumbnail_ridge: Scores of the shortcut baseline on the same images; None if there were too few to train it.
        sensitivity_by_size: Sensitivity by size of the finding, if sizes are known.
        accepted: Evaluation of the images that are not rejected as unknown; None if no image is accepted.
        training_overlap: Training images in the collection; None if the training images of the model are not known, or
            this is the evaluation of the training itself.
        predictions: The predictions themselves; None for several labels and in an evaluation that was read from a file.
    """

    collection: str
    split: str
    images: int
    sources: int
    unit: str
    units: int
    threshold: float
    scores: Scores
    intervals: Intervals
    naive_intervals: Intervals
    confusion: Confusion | None = None
    kind: str = "binary"
    label: str = SINGLE
    classes: tuple[str, ...] = ()
    positive: str = ""
    matrix: tuple[tuple[int, ...], ...] = ()
    missing: int = 0
    parts: tuple[Evaluation, ...] = ()
    thumbnail_ridge: Baseline | None = None
    sensitivity_by_size: tuple[SizeBin, ...] = ()
    accepted: Evaluation | None = None
    training_overlap: TrainingOverlap | None = field(default=None, compare=False)
    predictions: Predictions | None = field(default=None, compare=False, repr=False, metadata=NOT_STORED)

    def __post_init__(self) -> None:
        cells = astuple(self.confusion) if self.confusion else tuple(sum(self.matrix, ()))
        if self.kind not in PROBLEM_TYPES:
            raise ValueError(f"the kind {self.kind!r} is not one of {', '.join(PROBLEM_TYPES)}")
        counted = bool(self.parts) if self.has_several else self.images == sum(cells)
        square = all(len(row) == len(self.matrix) for row in self.matrix)
        if not counted or not square or min(self.sources, self.units, self.images - 1, self.missing, *cells) < 0:
            raise ValueError("the counts contradict each other")
        require_same_scores(self.scores, self.intervals, self.naive_intervals)

    def __repr__(self) -> str:
        shown = [f"{name}={format_score(name, self.scores[name])}" for name in self.main_scores]
        counts = f"images={self.images}, sources={self.sources}"
        return f"Evaluation({self.collection!r}, {self.split!r}, {counts}, {', '.join(shown)})"

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Evaluation:
        """Build an evaluation from the output of `to_dict`, also after JSON.

        Files of other releases can be read; their scores may differ from those of the registry.

        Raises:
            ValueError: If the content is damaged: fields are missing, have the wrong type, or contradict each other.
        """
        try:
            return rebuild(cls, content)
        except ValueError as error:
            raise ValueError(f"The content is not an evaluation ({error}). Evaluate the model again.") from error

    def to_dict(self) -> dict[str, Any]:
        """Return the evaluation without its predictions as plain data for JSON."""
        return to_plain(self)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write `evaluation.json`, the figure `evaluation.png` and the worst cases, `worst_cases.png`.

        The worst cases are images of the collection.

        Args:
            folder: Output folder; it is created if missing, and other files in it are kept.

        Raises:
            ValueError: If the evaluation has no predictions, because it was read from a file.
            MissingDependencyError: If matplotlib or scikit-learn is not installed.
        """
        for item in self.labels:
            item.require_predictions()
        from spinealign.reporting.case_sheet import draw_worst_cases

        with replaced_together(Path(folder), key=EVALUATION_FILE) as staging:
            content = json.dumps(self.to_dict(), indent=2, allow_nan=False)
            (staging / EVALUATION_FILE).write_text(content + "\n", encoding="utf-8")
            self.save_plots(staging / EVALUATION_PLOT)
            draw_worst_cases([self], staging / WORST_CASES)

    def save_plots(self, path: str | os.PathLike[str]) -> None:
        """Draw ROC curve, precision-recall curve, reliability diagram and confusion matrix.

        Args:
            path: Output file, PNG.

        Raises:
            ValueError: If the evaluation has no predictions, because it was read from a file.
            MissingDependencyError: If matplotlib or scikit-learn is not installed.
        """
        for item in self.labels:
            item.require_predictions()
        require("matplotlib", "sklearn", extra="evaluate")
        from spinealign.reporting.figures import plot_evaluation

        plot_evaluation([self], Path(path))

    def require_predictions(self) -> Predictions:
        """Return the predictions of one label.

        Raises:
            ValueError: If the evaluation has none, because it was read from a file.
        """
        if self.predictions is None:
            where = f"{self.collection} ({self.split})"
            raise ValueError(f"The evaluation of {where} has no predictions to draw. Evaluate the model again.")
        return self.predictions

    @property
    def has_several(self) -> bool:
        """Whether this is the evaluation of several labels."""
        return self.kind not in KINDS

    @property
    def labels(self) -> tuple[Evaluation, ...]:
        """Evaluation of each label: itself for one label."""
        return self.parts if self.has_several else (self,)

    @property
    def title(self) -> str:
        """Collection and split, and the label if it has a name of its own."""
        where = f"{self.collection} ({self.split})"
        return f"{where}, mean of {len(self.parts)} labels" if self.has_several else where + self._named

    @property
    def _named(self) -> str:
        return "" if self.label == SINGLE else f", {self.label}"

    @property
    def main_scores(self) -> tuple[str, ...]:
        """Names of the scores for one-line summaries, in the order of the registry."""
        kinds = {item.kind for item in self.labels}
        return tuple(name for name, metric in METRICS.items() if kinds & {*metric.in_summary} and name in self.scores)

    @property
    def finding(self) -> str:
        """What the label tells, as text: its name, or the positive class or the classes of the only label."""
        if self.label != SINGLE:
            return self.label
        return self.positive or ("the finding" if self.kind == "binary" else f"the classes {', '.join(self.classes)}")

    @property
    def prevalence(self) -> float | None:
        """Share of the images with the finding of a binary label."""
        return (self.confusion.tp + self.confusion.fn) / self.images if self.confusion else None

    @property
    def size(self) -> str:
        """Number of images, of distinct sources, and of patients if the intervals draw them, as text."""
        patients = f" and {counted(self.units, 'patient')}" if self.unit == "patient" else ""
        return f"{counted(self.images, 'image')} of {counted(self.sources, 'distinct source')}{patients}"

    @property
    def thumbnail_ridge_accuracy(self) -> float | None:
        """Accuracy of the shortcut baseline; None if there were too few images to train it."""
        return self.thumbnail_ridge.scores["accuracy"] if self.thumbnail_ridge else None

    @property
    def shortcut_warning(self) -> str | None:
        """Warning that the shortcut baseline solves this split, or None; one sentence for each label that it solves."""
        if self.has_several:
            return " ".join(warning for item in self.parts if (warning := item.shortcut_warning)) or None
        ridge = self.thumbnail_ridge
        if ridge is None or not ridge.tells_the_classes:
            return None
        share = 1.0 if self.matrix else self.prevalence or 0.0
        name = "accuracy" if max(share, 1 - share) < SKEWED else "balanced_accuracy"
        of_what = "" if name == "accuracy" else "a balanced accuracy of "
        high = (ridge.intervals[name] or (0.0, 1.0))[1]
        beat = (
            f"a model must exceed {high * 100:.1f} %" if high < _NOTHING_ABOVE else "no model can clearly exceed this"
        )
        return (
            f"A linear model on 16x16 thumbnails reaches {of_what}{percent(ridge.scores[name])} on {self.collection} "
            f"({self.split}): accuracy on this split does not show that a model recognizes {self.finding}; {beat}."
        )

    def sensitivity_from(self, size_mm: float) -> float | None:
        """Return the sensitivity for findings of at least `size_mm`, which must be an edge of the bins."""
        bins = [entry for entry in self.sensitivity_by_size if entry.from_mm >= size_mm]
        total = sum(entry.count for entry in bins)
        return sum(entry.sensitivity * entry.count for entry in bins) / total if total else None


def units_of(evaluations: Sequence[Evaluation]) -> str:
    """Return what the intervals of the evaluations draw: `sources`, `patients`, or both."""
    return " or ".join(sorted({f"{item.unit}s" for item in evaluations}))
