"""Computation of an evaluation from arrays of predictions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spinealign.labels import MISSING, Label, Target
from spinealign.metrics.evaluation import Evaluation
from spinealign.metrics.evidence import Evidence
from spinealign.metrics.intervals import bootstrap_of_means, cluster_bootstrap
from spinealign.metrics.scores import Confusion, SizeBin, mean_scores, predictions_of, scores_of, sensitivity_by_size
from spinealign.metrics.shortcut import Baseline, without_probabilities
from spinealign.metrics.weighted import WeightedPredictions


def evaluate_predictions(
    codes: Sequence[NDArray[np.integer]],
    probabilities: Sequence[NDArray[np.floating]],
    *,
    target: Target,
    evidence: Evidence,
    thresholds: Sequence[float] | None = None,
    draws: int = 1000,
) -> Evaluation:
    """Score predictions: for each label true classes, or `MISSING`, of shape (N,) and probabilities of shape (N, K).

    `thresholds` has the operating point of each label, which only binary ones use; None for 0.5. The intervals have
    `draws` bootstrap draws.

    Raises:
        ValueError: If the shapes differ, no image has a value, or a probability is not in [0, 1].
    """
    ridge = evidence.ridge or [None] * len(target.labels)
    columns = zip(target.labels, codes, probabilities, thresholds or [0.5] * len(target.labels), ridge, strict=True)
    samples = [
        _Sample.of(
            np.asarray(truth), predicted, label=label, threshold=threshold, evidence=replace(evidence, ridge=[calls])
        )
        for label, truth, predicted, threshold, calls in columns
        if (np.asarray(truth) != MISSING).any()
    ]
    if not samples:
        raise ValueError(f"No image of {evidence.collection} ({evidence.split}) has a value of any label.")
    evaluations = [sample.evaluate(draws) for sample in samples]
    if not target.has_several:
        return evaluations[0]
    return _mean_of(samples, evaluations, evidence=evidence, kind=target.problem_type, draws=draws)


@dataclass(frozen=True, eq=False)
class _Sample:
    """Predictions of one label on the images that have a value."""

    label: Label
    threshold: float
    predictions: WeightedPredictions
    evidence: Evidence
    places: NDArray[np.intp]  # of these images among all
    missing: int
    called_by_ridge: NDArray[np.integer] | None = None

    @classmethod
    def of(
        cls,
        codes: NDArray[np.integer],
        probabilities: NDArray[np.floating],
        *,
        label: Label,
        threshold: float,
        evidence: Evidence,
    ) -> _Sample:
        known = codes != MISSING
        predictions = predictions_of(codes, probabilities, label=label, threshold=threshold)
        evidence = evidence.part(known, split=evidence.split)
        (called,) = evidence.ridge or (None,)
        if called is not None and label.kind == "binary":
            called = (called == label.positive_index).astype(int)
        return cls(label, threshold, predictions, evidence, np.flatnonzero(known), int((~known).sum()), called)

    def evaluate(self, draws: int) -> Evaluation:
        """Score the label, and each of its classes if it has more than two."""
        predictions, evidence = self.predictions, self.evidence
        cells = predictions.confusion[0].astype(int)
        binary, sizes = predictions.kind == "binary", evidence.size_mm
        bins: tuple[SizeBin, ...] = ()
        baseline = None
        if self.called_by_ridge is not None:
            baseline = Baseline.of(predictions, self.called_by_ridge, groups=evidence.units, draws=draws)
        if binary and sizes is not None:
            bins = sensitivity_by_size(sizes[predictions.positive], predictions.called[predictions.positive] == 1)
        return Evaluation(
            collection=evidence.collection,
            split=evidence.split,
            images=len(predictions.codes),
            sources=len(set(evidence.sources)),
            unit=evidence.unit,
            units=len(set(evidence.units)),
            threshold=self.threshold,
            scores=scores_of(predictions),
            intervals=cluster_bootstrap(predictions, groups=evidence.units, draws=draws),
            naive_intervals=cluster_bootstrap(predictions, groups=range(len(predictions.codes)), draws=draws),
            confusion=Confusion(*cells[[1, 0, 0, 1], [1, 1, 0, 0]].tolist()) if binary else None,
            kind=predictions.kind,
            label=self.label.name,
            classes=self.label.classes,
            positive=self.label.positive or "",
            matrix=() if binary else tuple(map(tuple, cells.tolist())),
            missing=self.missing,
            parts=() if binary else tuple(part.evaluate(draws) for part in self._of_classes()),
            thumbnail_ridge=baseline,
            sensitivity_by_size=bins,
        )

    def _of_classes(self) -> Iterator[_Sample]:
        """Yield the predictions of each class against all others."""
        evidence = replace(self.evidence, size_mm=None)
        for code, (name, predictions) in enumerate(zip(self.label.classes, self.predictions.one_vs_rest)):
            called = None if self.called_by_ridge is None else (self.called_by_ridge == code).astype(int)
            label = Label(name, "binary", (f"not {name}", name), name)
            yield replace(self, label=label, predictions=predictions, evidence=evidence, called_by_ridge=called)


def _mean_of(
    samples: Sequence[_Sample], parts: Sequence[Evaluation], *, evidence: Evidence, kind: str, draws: int
) -> Evaluation:
    """Return the evaluation of several labels, with the means of their scores."""
    predictions = [sample.predictions for sample in samples]
    units = [sample.evidence.units for sample in samples]
    valued = np.unique(np.concatenate([sample.places for sample in samples]))
    of_valued = [np.asarray(values)[valued].tolist() for values in (evidence.sources, evidence.units)]
    ridge = None
    if all(sample.called_by_ridge is not None for sample in samples):
        called = [
            without_probabilities(sample.predictions, sample.called_by_ridge)
            for sample in samples if sample.called_by_ridge is not None
        ]  # fmt: skip
        intervals = bootstrap_of_means(called, groups=units, draws=draws)
        ridge = Baseline.without(mean_scores([scores_of(part) for part in called]), intervals)
    return Evaluation(
        collection=evidence.collection,
        split=evidence.split,
        images=len(valued),
        sources=len(set(of_valued[0])),
        unit=evidence.unit,
        units=len(set(of_valued[1])),
        threshold=0.5,
        scores=mean_scores([part.scores for part in parts]),
        intervals=bootstrap_of_means(predictions, groups=units, draws=draws),
        naive_intervals=bootstrap_of_means(
            predictions, groups=[sample.places.tolist() for sample in samples], draws=draws
        ),
        kind=kind,
        label="",
        missing=len(evidence.sources) - len(valued),
        parts=tuple(parts),
        thumbnail_ridge=ridge,
    )
