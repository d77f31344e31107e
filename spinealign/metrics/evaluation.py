"""Evaluation of predictions: scores with intervals, the shortcut baseline, and sensitivity by size."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinealign.errors import require
from spinealign.metrics.intervals import Intervals, cluster_bootstrap
from spinealign.metrics.registry import WeightedPredictions, format_score
from spinealign.metrics.scores import Confusion, Scores, SizeBin, binary_scores, sensitivity_by_size
from spinealign.metrics.shortcut import Baseline, reached_by_ridge, require_same_scores
from spinealign.serialization import NOT_STORED, rebuild, to_plain
from spinealign.writing import replaced_together

EVALUATION_FILE, EVALUATION_PLOT, WORST_CASES = "evaluation.json", "evaluation.png", "worst_cases.png"


@dataclass(frozen=True, eq=False)
class Evidence:
    """Origin of the images of an evaluation.

    Attributes:
        collection: Name of the collection.
        split: Name of the split.
        sources: Source slice of each image.
        patients: Patient of each image, if all are known; the intervals then draw patients.
        size_mm: Size of each finding, NaN if there is none or it is unknown, shape (N,).
        ridge_called: Which of these images the thumbnail ridge classifies as positive, shape (N,); it was trained on
            other images. None if there are too few to train it.
    """

    collection: str
    split: str
    sources: Sequence[str]
    patients: Sequence[str] | None = None
    size_mm: NDArray[np.floating] | None = None
    ridge_called: NDArray[np.bool_] | None = None

    def part(self, members: NDArray[np.bool_], *, split: str) -> Evidence:
        """Return the evidence of a subset, a mask of shape (N,), with another name of the split."""
        parts: dict[str, Any] = {
            name: np.asarray(values)[members]
            for name in ("sources", "patients", "size_mm", "ridge_called")
            if (values := getattr(self, name)) is not None
        }
        return replace(self, split=split, **parts)


@dataclass(frozen=True, eq=False, repr=False)
class Predictions:
    """The predictions behind an evaluation, image by image; figures are drawn from them.

    Attributes:
        positive: Whether each image shows the finding, shape (N,).
        probability: Predicted probability of the finding in [0, 1], shape (N,).
        sources: Source slice of each image.
        names: Name of each image.
        labels: Name of the true class of each image.
        gray: The images with the worst predictions (see `worst_cases`), uint8 of shape (S, S), by their indices.
    """

    positive: NDArray[np.bool_]
    probability: NDArray[np.floating]
    sources: tuple[str, ...]
    names: tuple[str, ...]
    labels: tuple[str, ...]
    gray: Mapping[int, NDArray[np.uint8]]


@dataclass(frozen=True)
class TrainingOverlap:
    """Images of an evaluated collection that the model was trained, selected or calibrated on.

    Attributes:
        images: Number of images of the whole collection with the pixels of a training image.
        left_out: Number of images that are not scored for this reason: these, and others of their sources or patients.
    """

    images: int
    left_out: int


@dataclass(frozen=True, repr=False)
class Evaluation:
    """Scores of a model on one split of one collection, with their uncertainty.

    Attributes:
        collection: Name of the collection.
        split: Name of the split.
        images: Number of images.
        sources: Number of distinct source slices; the copies of a slice count once.
        unit: What the intervals draw, `source` or `patient`.
        units: Number of distinct units.
        threshold: Smallest probability that is classified as positive.
        scores: Scores over images; None if a score is undefined.
        confusion: Confusion matrix.
        intervals: 95 % interval of each score, over units; None if the score is undefined.
        naive_intervals: The same with each image as its own source: too narrow if images are copies.
        thumbnail_ridge: Scores of the shortcut baseline on the same images; None if there were too few to train it.
        sensitivity_by_size: Sensitivity by size of the finding, if sizes are known.
        accepted: Evaluation of the images that are not rejected as unknown; None if no image is accepted.
        training_overlap: Training images in the collection; None if the training images of the model are not known, or
            this is the evaluation of the training itself.
        predictions: The predictions themselves; None in an evaluation that was read from a file.
    """

    collection: str
    split: str
    images: int
    sources: int
    unit: str
    units: int
    threshold: float
    scores: Scores
    confusion: Confusion
    intervals: Intervals
    naive_intervals: Intervals
    thumbnail_ridge: Baseline | None = None
    sensitivity_by_size: tuple[SizeBin, ...] = ()
    accepted: Evaluation | None = None
    training_overlap: TrainingOverlap | None = field(default=None, compare=False)
    predictions: Predictions | None = field(default=None, compare=False, repr=False, metadata=NOT_STORED)

    def __post_init__(self) -> None:
        cells = astuple(self.confusion)
        if min(self.sources, self.units, *cells) < 0 or not 0 < self.images == sum(cells):
            raise ValueError("the counts contradict each other")
        require_same_scores(self.scores, self.intervals, self.naive_intervals)

    def __repr__(self) -> str:
        shown = [f"{name}={format_score(name, self.scores.get(name))}" for name in ("accuracy", "auroc")]
        counts = f"images={self.images}, sources={self.sources}"
        return f"Evaluation({self.collection!r}, {self.split!r}, {counts}, {', '.join(shown)})"

    @classmethod
    def of(
        cls,
        positive: NDArray[np.bool_],
        probability: NDArray[np.floating],
        *,
        evidence: Evidence,
        threshold: float = 0.5,
        draws: int = 1000,
    ) -> Evaluation:
        """Score predictions.

        Args:
            positive: Whether each image shows the finding, shape (N,).
            probability: Predicted probability of the finding in [0, 1], shape (N,).
            evidence: Origin of the images.
            threshold: Smallest probability that is classified as positive.
            draws: Number of bootstrap draws for the intervals.

        Raises:
            ValueError: If the shapes differ, there are no images, or a probability is not in [0, 1].
        """
        unit, groups = ("source", evidence.sources) if evidence.patients is None else ("patient", evidence.patients)
        sample = WeightedPredictions(positive, probability, threshold=threshold)
        positive, called = sample.positive, sample.called

        def intervals(drawn: Sequence[str | int]) -> Intervals:
            return cluster_bootstrap(positive, probability, groups=drawn, threshold=threshold, draws=draws)

        ridge, sizes = evidence.ridge_called, evidence.size_mm
        return cls(
            collection=evidence.collection,
            split=evidence.split,
            images=len(positive),
            sources=len(set(evidence.sources)),
            unit=unit,
            units=len(set(groups)),
            threshold=threshold,
            scores=binary_scores(positive, probability, threshold=threshold),
            confusion=Confusion(*(int(cell[0]) for cell in (sample.tp, sample.fp, sample.tn, sample.fn))),
            intervals=intervals(groups),
            naive_intervals=intervals(range(len(positive))),
            thumbnail_ridge=None if ridge is None else Baseline.of(positive, ridge, groups=groups, draws=draws),
            sensitivity_by_size=() if sizes is None else sensitivity_by_size(sizes[positive], called[positive]),
        )

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
        self.require_predictions()
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
        self.require_predictions()
        require("matplotlib", "sklearn", extra="evaluate")
        from spinealign.reporting.figures import plot_evaluation

        plot_evaluation([self], Path(path))

    def require_predictions(self) -> Predictions:
        """Return the predictions.

        Raises:
            ValueError: If the evaluation has none, because it was read from a file.
        """
        if self.predictions is None:
            where = f"{self.collection} ({self.split})"
            raise ValueError(f"The evaluation of {where} has no predictions to draw. Evaluate the model again.")
        return self.predictions

    @property
    def distinct(self) -> str:
        """Number of distinct sources, and of patients if the intervals draw them, as text."""
        patients = f" and {self.units:,} patients" if self.unit == "patient" else ""
        return f"{self.sources:,} distinct sources{patients}"

    @property
    def thumbnail_ridge_accuracy(self) -> float | None:
        """Accuracy of the shortcut baseline; None if there were too few images to train it."""
        return self.thumbnail_ridge.scores["accuracy"] if self.thumbnail_ridge else None

    @property
    def shortcut_warning(self) -> str | None:
        """Warning that the shortcut baseline solves this split, or None."""
        ridge = self.thumbnail_ridge
        if ridge is None or not ridge.tells_the_classes:
            return None
        share = (self.confusion.tp + self.confusion.fn) / self.images
        accuracy, balanced = ridge.scores["accuracy"] or 0.0, ridge.scores["balanced_accuracy"]
        reached = reached_by_ridge(accuracy, balanced, majority=max(share, 1 - share))
        return (
            f"A linear model on 16x16 thumbnails reaches {reached} on {self.collection} ({self.split}): accuracy on "
            "this split says nothing about fractures."
        )

    def sensitivity_from(self, size_mm: float) -> float | None:
        """Return the sensitivity for findings of at least `size_mm`, which must be an edge of the bins."""
        bins = [entry for entry in self.sensitivity_by_size if entry.from_mm >= size_mm]
        total = sum(entry.count for entry in bins)
        return sum(entry.sensitivity * entry.count for entry in bins) / total if total else None


def units_of(evaluations: Sequence[Evaluation]) -> str:
    """Return what the intervals of the evaluations draw: `sources`, `patients`, or both."""
    return " or ".join(sorted({f"{item.unit}s" for item in evaluations}))
