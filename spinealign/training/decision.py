"""Learn from held-out images how far an answer may be trusted: temperature, operating point, novelty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinealign.cohort.loading import LoadedCohort
from spinealign.config import DecisionConfig, NoveltyConfig
from spinealign.errors import CheckpointError
from spinealign.evaluation.assessment import fracture_index, network_output
from spinealign.inference.predictor import Predictor
from spinealign.metrics.calibration import (
    MIN_SOURCES,
    enough_sources,
    fit_temperature,
    operating_point,
    source_weights,
)
from spinealign.metrics.novelty import NoveltyStatistics, fit_novelty, rejection_limit

REJECTED_SHARE = 0.05  # of the held-out images of each collection
FOLDS = 5  # over sources, in which the rejection of images is measured that chose no threshold
MAX_REFERENCE = 2000  # training images of each collection that describe what is known


def learn_decision(predictor: Predictor, collections: Sequence[LoadedCohort], *, sensitivity: float) -> DecisionConfig:
    """Choose the temperature and the operating point on the calibration parts.

    Args:
        predictor: The model, not yet calibrated.
        collections: The collections; those without a calibration part, or with too few sources in it, do not count.
        sensitivity: The sensitivity that the operating point reaches.

    Returns:
        The decision, whose note says what was done and why.
    """
    parts = [_spare_sources(item) for item in collections if item.cohort.calibration_split]
    used = [part for part in parts if enough_sources(part.positive, [sample.source for sample in part.cohort])]
    if not used:
        return DecisionConfig(
            note=f"No collection has a part for calibration with {MIN_SOURCES} distinct sources of each class that is "
            "neither trained nor reported on; the temperature stays at 1 and the operating point at 0.5."
        )
    logits = np.concatenate([network_output(predictor, part).logits for part in used]).astype(float)
    index = fracture_index(predictor)
    log_odds, positive = logits[:, index] - logits[:, 1 - index], np.concatenate([part.positive for part in used])
    sources = [(part.cohort.name, sample.source) for part in used for sample in part.cohort]
    weights = source_weights(sources)
    temperature = fit_temperature(log_odds, positive, weights=weights)
    if temperature is None and not ((log_odds > 0) == positive).all():
        return DecisionConfig(
            sources=len(set(sources)),
            note="The model does not tell the classes apart on the calibration part, so neither a temperature nor an "
            "operating point can be chosen.",
        )
    scale = "" if temperature else " The classes are told apart without an error, so the temperature stays at 1."
    probability = 1 / (1 + np.exp(-log_odds / (temperature or 1.0)))
    point = operating_point(probability, positive, sensitivity=sensitivity, weights=weights)
    names = ", ".join(f"{part.cohort.name} ({part.cohort.samples[0].split})" for part in used)
    return DecisionConfig(
        temperature=temperature or 1.0,
        operating_point=float(np.clip(point, 1e-6, 1 - 1e-6)),
        target_sensitivity=sensitivity,
        sources=len(set(sources)),
        note=f"Chosen on {names}, of which no source was trained or is reported on.{scale}",
    )


def _spare_sources(loaded: LoadedCohort) -> LoadedCohort:
    """Return the calibration part without sources that also stand in another one, where leakage was kept."""
    split = loaded.cohort.calibration_split
    elsewhere = {sample.source for sample in loaded.cohort if sample.split != split}
    places = [
        place for place, sample in enumerate(loaded.cohort) if sample.split == split and sample.source not in elsewhere
    ]
    return loaded.chosen(places)


def learn_novelty(
    predictor: Predictor, collections: Sequence[LoadedCohort], *, seed: int
) -> tuple[NoveltyStatistics, NoveltyConfig]:
    """Describe the training images, and choose the distance from which an image is rejected.

    Args:
        predictor: The model.
        collections: The collections with their splits; the threshold is chosen on their selection parts.
        seed: Chooses `MAX_REFERENCE` training images where there are more.

    Returns:
        The statistics, and a threshold that rejects at most `REJECTED_SHARE` of the held-out images of any collection,
        where each source counts alike.

    Raises:
        CheckpointError: If the network gives no features.
    """
    rng = np.random.default_rng(seed)
    features, groups = [], []
    for item in collections:
        train = _at_most(item.part("train"), MAX_REFERENCE, rng)
        features.append(_features(predictor, train))
        groups += [f"{item.cohort.name}/{sample.label}" for sample in train.cohort]
    statistics = fit_novelty(np.concatenate(features), groups)
    held_out = [_held_out(predictor, item, statistics, rng) for item in collections]
    threshold = max(part.limit() for part in held_out)
    unseen = {part.name: 0.0 for part in held_out}
    for fold in range(FOLDS):
        limit = max(part.limit(part.fold != fold) for part in held_out)
        for part in held_out:
            unseen[part.name] += part.rejected(limit, part.fold == fold)
    rejected = {part.name: part.rejected(threshold) for part in held_out}
    sources = sum(len(item.part(item.cohort.selection_split or "test").cohort.sources) for item in collections)
    return statistics, NoveltyConfig(threshold, rejected, unseen, sources)


@dataclass(frozen=True, eq=False)
class _HeldOut:
    """Distances of the held-out images of a collection, the weight of each (1 in all), and the fold of its source."""

    name: str
    distances: NDArray[np.float64]
    weights: NDArray[np.float64]
    fold: NDArray[np.intp]

    def limit(self, members: NDArray[np.bool_] | None = None) -> float:
        chosen = np.ones(len(self.fold), bool) if members is None or not members.any() else members
        return rejection_limit(self.distances[chosen], weights=self.weights[chosen], share=REJECTED_SHARE)

    def rejected(self, limit: float, members: NDArray[np.bool_] | None = None) -> float:
        beyond = self.distances > limit
        return float(self.weights[beyond if members is None else beyond & members].sum())


def _held_out(
    predictor: Predictor, item: LoadedCohort, statistics: NoveltyStatistics, rng: np.random.Generator
) -> _HeldOut:
    part = item.part(item.cohort.selection_split or "test")
    sources = [sample.source for sample in part.cohort]
    weights = source_weights(sources)
    _, source = np.unique(sources, return_inverse=True)
    fold = rng.permutation(source.max() + 1)[source] % FOLDS
    return _HeldOut(item.cohort.name, statistics.distance(_features(predictor, part)), weights / weights.sum(), fold)


def _features(predictor: Predictor, part: LoadedCohort) -> NDArray[np.float32]:
    features = network_output(predictor, part).features
    if features is None:
        raise CheckpointError(f"{predictor.model} gives no features, so what is unknown to it cannot be told.")
    return features


def _at_most(part: LoadedCohort, count: int, rng: np.random.Generator) -> LoadedCohort:
    if len(part.cohort) <= count:
        return part
    chosen = np.sort(rng.choice(len(part.cohort), count, replace=False))
    return part.chosen(chosen.tolist())
