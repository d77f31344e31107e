"""Temperature, operating point and novelty limit, chosen on held-out images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinealign.cohort.loading import LoadedCohort
from spinealign.config import DecisionConfig, NoveltyConfig
from spinealign.errors import CheckpointError
from spinealign.evaluation.scoring import finding_index, network_output
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
FOLDS = 5  # over sources, to estimate the rejection rate on images that did not set the limit
MAX_REFERENCE = 2000  # training images of each collection that describe known images


def choose_decision(predictor: Predictor, collections: Sequence[LoadedCohort], *, sensitivity: float) -> DecisionConfig:
    """Choose temperature and operating point on the calibration splits.

    Args:
        predictor: The model before calibration.
        collections: The collections; those without a calibration split, or with too few sources in it, are ignored.
        sensitivity: Sensitivity of the operating point on these splits, in (0, 1].

    Returns:
        The decision; its note says what was done and why.
    """
    parts = [_unshared_sources(item) for item in collections if item.cohort.calibration_split]
    used = [part for part in parts if enough_sources(part.positive, [sample.source for sample in part.cohort])]
    if not used:
        return DecisionConfig(
            note=f"No collection has a calibration split with {MIN_SOURCES} distinct sources of each class that is "
            "neither trained nor reported on; the temperature stays at 1 and the operating point at 0.5."
        )
    logits = np.concatenate([network_output(predictor, part).logits for part in used]).astype(float)
    index = finding_index(predictor)
    log_odds, positive = logits[:, index] - logits[:, 1 - index], np.concatenate([part.positive for part in used])
    sources = [(part.cohort.name, sample.source) for part in used for sample in part.cohort]
    weights = source_weights(sources)
    temperature = fit_temperature(log_odds, positive, weights=weights)
    if temperature is None and not ((log_odds > 0) == positive).all():
        return DecisionConfig(
            sources=len(set(sources)),
            note="The model does not separate the classes on the calibration split, so neither a temperature nor an "
            "operating point was chosen.",
        )
    scale = "" if temperature else " All predictions there are correct, so the temperature stays at 1."
    probability = 1 / (1 + np.exp(-log_odds / (temperature or 1.0)))
    point = operating_point(probability, positive, sensitivity=sensitivity, weights=weights)
    names = ", ".join(f"{part.cohort.name} ({part.cohort.samples[0].split})" for part in used)
    return DecisionConfig(
        temperature=temperature or 1.0,
        operating_point=float(np.clip(point, 1e-6, 1 - 1e-6)),
        target_sensitivity=sensitivity,
        sources=len(set(sources)),
        note=f"Chosen on {names}; no source of it was used for training or is reported on.{scale}",
    )


def _unshared_sources(loaded: LoadedCohort) -> LoadedCohort:
    """Return the calibration split without sources that are also in another split, if leakage was kept."""
    split = loaded.cohort.calibration_split
    elsewhere = {sample.source for sample in loaded.cohort if sample.split != split}
    places = [
        place for place, sample in enumerate(loaded.cohort) if sample.split == split and sample.source not in elsewhere
    ]
    return loaded.select(places)


def fit_rejection(
    predictor: Predictor, collections: Sequence[LoadedCohort], *, seed: int
) -> tuple[NoveltyStatistics, NoveltyConfig]:
    """Fit the feature statistics of the training images and choose the limit beyond which images are rejected.

    Args:
        predictor: The model.
        collections: The collections with their splits; the limit is chosen on their selection splits.
        seed: Seed of the choice of `MAX_REFERENCE` training images.

    Returns:
        The statistics, and the smallest limit that rejects at most `REJECTED_SHARE` of the held-out images of each
        collection, with equal weight for each source.

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
    return statistics, NoveltyConfig(threshold, rejected, unseen, sum(part.sources for part in held_out))


@dataclass(frozen=True, eq=False)
class _HeldOut:
    """Distances of the held-out images of a collection, their weights (with sum 1), and the folds of their sources."""

    name: str
    distances: NDArray[np.float64]
    weights: NDArray[np.float64]
    fold: NDArray[np.intp]
    sources: int

    def limit(self, members: NDArray[np.bool_] | None = None) -> float:
        selected = np.ones(len(self.fold), bool) if members is None or not members.any() else members
        return rejection_limit(self.distances[selected], weights=self.weights[selected], share=REJECTED_SHARE)

    def rejected(self, limit: float, members: NDArray[np.bool_] | None = None) -> float:
        beyond = self.distances > limit
        return float(self.weights[beyond if members is None else beyond & members].sum())


def _held_out(
    predictor: Predictor, item: LoadedCohort, statistics: NoveltyStatistics, rng: np.random.Generator
) -> _HeldOut:
    part = item.part(item.cohort.selection_split or "test")
    names, source = np.unique([sample.source for sample in part.cohort], return_inverse=True)
    weights = source_weights(source.tolist())
    fold = rng.permutation(len(names))[source] % FOLDS
    distances = statistics.distance(_features(predictor, part))
    return _HeldOut(item.cohort.name, distances, weights / weights.sum(), fold, len(names))


def _features(predictor: Predictor, part: LoadedCohort) -> NDArray[np.float32]:
    features = network_output(predictor, part).features
    if features is None:
        raise CheckpointError(f"{predictor.model} gives no features, so unknown images cannot be recognized.")
    return features


def _at_most(part: LoadedCohort, count: int, rng: np.random.Generator) -> LoadedCohort:
    """Return at most `count` random images."""
    places = np.arange(len(part.cohort))
    return part if len(places) <= count else part.select(np.sort(rng.choice(places, count, replace=False)).tolist())
