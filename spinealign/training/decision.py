"""Temperature, operating point and novelty limit, chosen on held-out images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinealign.cohort.cohort import Cohort
from spinealign.cohort.loading import LoadedCohort
from spinealign.config import DecisionConfig, NoveltyConfig
from spinealign.errors import CheckpointError
from spinealign.evaluation.scoring import network_output
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


@dataclass(frozen=True, eq=False)
class MeasuredCohort:
    """Images of a collection with the output of the network.

    Attributes:
        loaded: The N images.
        logits: Logits of shape (N, classes).
        features: Features of shape (N, F).
        collection: The whole collection, with the samples that were not measured.
    """

    loaded: LoadedCohort
    logits: NDArray[np.float32]
    features: NDArray[np.float32]
    collection: Cohort

    @property
    def sources(self) -> list[tuple[str, str]]:
        """Collection and source of each image."""
        return [(self.loaded.cohort.name, sample.source) for sample in self.loaded.cohort]

    def part(self, split: str | None, *, alone: bool = False) -> MeasuredCohort:
        """Return the images of one split; with `alone`, without sources that are also in another split."""
        shared = {sample.source for sample in self.collection if alone and sample.split != split}
        samples = enumerate(self.loaded.cohort)
        places = [place for place, sample in samples if sample.split == split and sample.source not in shared]
        return MeasuredCohort(self.loaded.select(places), self.logits[places], self.features[places], self.collection)


def measure(predictor: Predictor, loaded: LoadedCohort, *, seed: int) -> MeasuredCohort:
    """Run the network once on each image of a collection, but on at most `MAX_REFERENCE` random training images.

    Raises:
        CheckpointError: If the network gives no features.
    """
    collection = loaded.cohort
    split = np.array([sample.split for sample in collection])
    train = np.flatnonzero(split == "train")
    if len(train) > MAX_REFERENCE:
        train = np.random.default_rng(seed).choice(train, MAX_REFERENCE, replace=False)
        loaded = loaded.select(np.sort([*train, *np.flatnonzero(split != "train")]).tolist())
    logits, features = network_output(predictor, loaded)
    if features is None:
        raise CheckpointError(f"{predictor.model} gives no features, so unknown images cannot be recognized.")
    return MeasuredCohort(loaded, logits, features, collection)


def choose_decision(
    predictor: Predictor, collections: Sequence[MeasuredCohort], *, sensitivity: float
) -> DecisionConfig:
    """Choose temperature and operating point on the calibration splits.

    Args:
        predictor: The model before calibration.
        collections: The collections; those without a calibration split, or with too few sources in it, are ignored.
        sensitivity: Sensitivity of the operating point on these splits, in (0, 1].

    Returns:
        The decision; its note says what was done and why.
    """
    splits = [item.loaded.cohort.calibration_split for item in collections]
    parts = [item.part(split, alone=True) for item, split in zip(collections, splits) if split]
    used = [part for part in parts if enough_sources(part.loaded.positive.astype(int), part.sources)]
    if not used:
        return DecisionConfig(
            note=f"No collection has a calibration split with {MIN_SOURCES} distinct sources of each class that is "
            "neither trained nor reported on; the temperature stays at 1 and the operating point at 0.5."
        )
    logits, index = (
        np.concatenate([part.logits for part in used]).astype(float),
        predictor.settings.target.labels[0].positive_index,
    )
    log_odds = logits[:, index] - logits[:, 1 - index]
    positive = np.concatenate([part.loaded.positive for part in used])
    sources = [source for part in used for source in part.sources]
    weights = source_weights(sources)
    temperature = fit_temperature(logits, np.where(positive, index, 1 - index), weights=weights)
    if temperature is None and not ((log_odds > 0) == positive).all():
        return DecisionConfig(
            sources=len(set(sources)),
            note="The model does not separate the classes on the calibration split, so neither a temperature nor an "
            "operating point was chosen.",
        )
    scale = "" if temperature else " All predictions there are correct, so the temperature stays at 1."
    probability = 1 / (1 + np.exp(-log_odds / (temperature or 1.0)))
    point = operating_point(probability, positive, sensitivity=sensitivity, weights=weights)
    names = ", ".join(f"{part.loaded.cohort.name} ({part.loaded.cohort.samples[0].split})" for part in used)
    return DecisionConfig(
        temperature=temperature or 1.0,
        operating_point=float(np.clip(point, 1e-6, 1 - 1e-6)),
        target_sensitivity=sensitivity,
        sources=len(set(sources)),
        note=f"Chosen on {names}; no source of it was used for training or is reported on.{scale}",
    )


def fit_rejection(collections: Sequence[MeasuredCohort], *, seed: int) -> tuple[NoveltyStatistics, NoveltyConfig]:
    """Fit the feature statistics of the training images and choose the limit beyond which images are rejected.

    Args:
        collections: The collections with their splits; the limit is chosen on their selection splits.
        seed: Seed of the folds that estimate the rejection of images that did not set the limit.

    Returns:
        The statistics, and the smallest limit that rejects at most `REJECTED_SHARE` of the held-out images of each
        collection, with equal weight for each source.
    """
    train = [item.part("train") for item in collections]
    groups = [f"{part.loaded.cohort.name}/{sample.label}" for part in train for sample in part.loaded.cohort]
    statistics = fit_novelty(np.concatenate([part.features for part in train]), groups)
    rng = np.random.default_rng(seed)
    parts = [item.part(item.loaded.cohort.selection_split or "test") for item in collections]
    distances = [statistics.distance(part.features) for part in parts]
    weights = [source_weights(part.sources) for part in parts]
    sources = [np.unique([source for _, source in part.sources], return_inverse=True)[1] for part in parts]
    folds = [rng.permutation(number.max() + 1)[number] % FOLDS for number in sources]

    def limit(left_out: int | None) -> float:
        """Return the limit chosen without one fold, or with all images of a collection that has no other."""
        kept = [fold != left_out if (fold != left_out).any() else fold >= 0 for fold in folds]
        return max(
            rejection_limit(distance[keep], weights=weight[keep], share=REJECTED_SHARE)
            for distance, weight, keep in zip(distances, weights, kept)
        )

    threshold, unseen = limit(None), np.array([limit(fold) for fold in range(FOLDS)])
    rejected, rejected_unseen = {}, {}
    for part, distance, weight, fold in zip(parts, distances, weights, folds):
        name = part.loaded.cohort.name
        rejected[name] = float(np.average(distance > threshold, weights=weight))
        rejected_unseen[name] = float(np.average(distance > unseen[fold], weights=weight))
    return statistics, NoveltyConfig(threshold, rejected, rejected_unseen, sum(len(set(number)) for number in sources))
