"""One object behind every printed, stored and published number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, replace
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinealign.metrics.intervals import Interval, cluster_bootstrap
from spinealign.metrics.scores import (
    Confusion,
    Scores,
    SizeBin,
    binary_scores,
    confusion_of,
    sensitivity_by_size,
)
from spinealign.serialization import rebuild

SIZE_EDGES_MM = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, inf)
SHORTCUT_MARGIN = 0.05  # by which the thumbnail ridge certainly beats guessing where a split proves little
SKEWED = 0.6  # share of the more frequent class from which an accuracy flatters
NEED_PROBABILITY = ("auroc", "auprc", "brier", "ece")  # scores that calls alone do not have

Intervals = dict[str, Interval | None]


@dataclass(frozen=True, eq=False)
class Evidence:
    """What predictions rest on, image by image.

    Attributes:
        collection: Name of the collection.
        split: Name of its part.
        sources: The source slice of each image.
        patients: The patient of each image, where all are known; the intervals then draw patients.
        size_mm: Size of each finding, NaN where there is none or it is not known, shape (N,).
        ridge_called: Calls of the thumbnail ridge on the same images, which it has not learnt from, shape (N,); None
            where there is too little to learn from.
    """

    collection: str
    split: str
    sources: Sequence[str]
    patients: Sequence[str] | None = None
    size_mm: NDArray[np.floating] | None = None
    ridge_called: NDArray[np.bool_] | None = None

    def part(self, members: NDArray[np.bool_], *, split: str) -> Evidence:
        """Return the evidence of some images, a mask of shape (N,), under another name of the split."""
        chosen = np.flatnonzero(members).tolist()
        return replace(
            self,
            split=split,
            sources=[self.sources[index] for index in chosen],
            patients=None if self.patients is None else [self.patients[index] for index in chosen],
            size_mm=None if self.size_mm is None else self.size_mm[members],
            ridge_called=None if self.ridge_called is None else self.ridge_called[members],
        )


@dataclass(frozen=True)
class Baseline:
    """What a model reaches that gives calls but no probabilities; scores that need those are None.

    Attributes:
        scores: Scores over images.
        intervals: 95 % interval of each score, over the units of the evaluation.
    """

    scores: Scores
    intervals: Intervals

    @classmethod
    def of(
        cls,
        positive: NDArray[np.bool_],
        called: NDArray[np.bool_],
        *,
        groups: Sequence[str | int],
        draws: int = 1000,
        seed: int = 0,
    ) -> Baseline:
        """Score calls, with intervals as of `cluster_bootstrap`."""
        calls = np.asarray(called, float)
        intervals = cluster_bootstrap(positive, calls, groups=groups, draws=draws, seed=seed)
        without: dict[str, Any] = dict.fromkeys(NEED_PROBABILITY)
        return cls(replace(binary_scores(positive, calls), **without), {**intervals, **without})

    @property
    def tells_the_classes(self) -> bool:
        """Whether its balanced accuracy certainly beats guessing: a linear model on thumbnails never should."""
        interval = self.intervals["balanced_accuracy"]
        return interval is not None and interval[0] > 0.5 + SHORTCUT_MARGIN


@dataclass(frozen=True)
class Evaluation:
    """What a model scores on one split of one collection, and how much that means.

    Attributes:
        collection: Name of the collection.
        split: Name of its part.
        images: Number of images.
        sources: Number of distinct source slices; the copies of one slice count once.
        unit: What the intervals draw, `source` or `patient`.
        units: Number of distinct ones.
        threshold: Probabilities of at least this much count as a call.
        scores: Scores over images.
        confusion: Right and wrong calls.
        intervals: 95 % interval of each score, over units; None where there is no score.
        naive_intervals: The same as if each image were its own source: too narrow wherever copies stand together.
        thumbnail_ridge: What the shortcut probe reaches on the same images; None where it had too little to learn from.
        sensitivity_by_size: Sensitivity over the size of the finding, where sizes are known.
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

    @classmethod
    def of(
        cls,
        positive: NDArray[np.bool_],
        probability: NDArray[np.floating],
        *,
        evidence: Evidence,
        threshold: float = 0.5,
        draws: int = 1000,
        seed: int = 0,
    ) -> Evaluation:
        """Score predictions.

        Args:
            positive: True where the finding is there, shape (N,).
            probability: Its predicted probability in [0, 1], shape (N,).
            evidence: What they rest on.
            threshold: Probabilities of at least this much count as a call.
            draws: Number of bootstrap draws behind an interval.
            seed: Seed of the draws.

        Raises:
            ValueError: If the shapes differ, there is nothing to score, or a probability is not in [0, 1].
        """
        unit, groups = ("source", evidence.sources) if evidence.patients is None else ("patient", evidence.patients)
        positive = np.asarray(positive, bool)
        scores = binary_scores(positive, probability, threshold=threshold)
        called = np.asarray(probability) >= threshold

        def intervals(drawn: Sequence[str | int]) -> Intervals:
            return cluster_bootstrap(positive, probability, groups=drawn, threshold=threshold, draws=draws, seed=seed)

        ridge = None
        if evidence.ridge_called is not None:
            ridge = Baseline.of(positive, evidence.ridge_called, groups=groups, draws=draws, seed=seed)
        return cls(
            collection=evidence.collection,
            split=evidence.split,
            images=len(positive),
            sources=len(set(evidence.sources)),
            unit=unit,
            units=len(set(groups)),
            threshold=threshold,
            scores=scores,
            confusion=confusion_of(positive, called),
            intervals=intervals(groups),
            naive_intervals=intervals(range(len(positive))),
            thumbnail_ridge=ridge,
            sensitivity_by_size=_size_curve(positive, called, evidence.size_mm),
        )

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Evaluation:
        """Rebuild an evaluation from what `to_dict` gave, also after a way through JSON.

        Raises:
            ValueError: If fields are missing, not known or not of their kind, or contradict each other, as in a file
                that is damaged or of another version.
        """
        try:
            evaluation: Evaluation = rebuild(cls, content)
            evaluation._check()
        except ValueError as error:
            raise ValueError(
                f"these are not the numbers of an evaluation ({error}); measure the model again."
            ) from error
        return evaluation

    def _check(self) -> None:
        """Raise a ValueError if the numbers cannot be of one evaluation."""
        cells = astuple(self.confusion)
        if min(self.sources, self.units, *cells) < 0 or not 0 < self.images == sum(cells):
            raise ValueError("the counts contradict each other")
        scored = self.scores.to_dict().keys()
        ridge = [self.thumbnail_ridge.intervals] if self.thumbnail_ridge else []
        if any(intervals.keys() != scored for intervals in (self.intervals, self.naive_intervals, *ridge)):
            raise ValueError("the intervals are not those of the scores")

    def to_dict(self) -> dict[str, Any]:
        """Return the content as plain data for JSON."""
        return asdict(self)

    @property
    def distinct(self) -> str:
        """What the images come from, counted: distinct sources, and patients where the intervals draw them."""
        patients = f" and {self.units:,} patients" if self.unit == "patient" else ""
        return f"{self.sources:,} distinct sources{patients}"

    @property
    def accuracy_interval(self) -> Interval:
        """The 95 % interval of the accuracy over units."""
        return self.intervals["accuracy"] or (0.0, 1.0)

    @property
    def thumbnail_ridge_accuracy(self) -> float | None:
        """What the shortcut probe reaches on the same images; None where there is too little to learn from."""
        return self.thumbnail_ridge.scores.accuracy if self.thumbnail_ridge else None

    @property
    def thumbnail_ridge_interval(self) -> Interval | None:
        """The 95 % interval of that, over units."""
        return self.thumbnail_ridge.intervals["accuracy"] if self.thumbnail_ridge else None

    @property
    def shortcut_warning(self) -> str | None:
        """A plain sentence where the split proves little, else None."""
        ridge = self.thumbnail_ridge
        if ridge is None or not ridge.tells_the_classes:
            return None
        share = (self.confusion.tp + self.confusion.fn) / self.images
        reached = reached_by_ridge(
            ridge.scores.accuracy, ridge.scores.balanced_accuracy, majority=max(share, 1 - share)
        )
        return (
            f"A linear model on 16x16 thumbnails reaches {reached} on {self.collection} ({self.split}): accuracy on "
            "this split says nothing about fractures."
        )

    def sensitivity_from(self, size_mm: float) -> float | None:
        """Return the sensitivity for findings of at least `size_mm`, which must be a limit of the bins."""
        bins = [entry for entry in self.sensitivity_by_size if entry.from_mm >= size_mm]
        total = sum(entry.count for entry in bins)
        return sum(entry.sensitivity * entry.count for entry in bins) / total if total else None


def percent(share: float | None) -> str:
    """Write a share of 1 for people; a dash where there is none."""
    return "-" if share is None else f"{share * 100:.2f} %"


def units_of(evaluations: Sequence[Evaluation]) -> str:
    """Return what the intervals of evaluations draw: `sources`, `patients`, or both."""
    return " or ".join(sorted({f"{item.unit}s" for item in evaluations}))


def reached_by_ridge(accuracy: float, balanced: float | None, *, majority: float) -> str:
    """Write what the thumbnail ridge reaches; where one class is rare, its balanced accuracy.

    Args:
        accuracy: Its accuracy.
        balanced: Its balanced accuracy, where both classes are there.
        majority: Share of the more frequent class.
    """
    return percent(accuracy) if balanced is None or majority < SKEWED else f"a balanced accuracy of {percent(balanced)}"


def _size_curve(
    positive: NDArray[np.bool_], called: NDArray[np.bool_], size_mm: NDArray[np.floating] | None
) -> tuple[SizeBin, ...]:
    if size_mm is None:
        return ()
    known = np.isfinite(size_mm) & positive
    return tuple(sensitivity_by_size(size_mm[known], called[known], edges_mm=SIZE_EDGES_MM))
