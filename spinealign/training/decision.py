"""Temperature, operating point and novelty limit, chosen on held-out images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spinealign.cohort.cohort import Cohort
from spinealign.cohort.loading import LoadedCohort
from spinealign.config import DecisionConfig, NoveltyConfig
from spinealign.errors import CheckpointError
from spinealign.evaluation.scoring import network_output
from spinealign.inference.predictor import Predictor
from spinealign.labels import MISSING, Label, Target
from spinealign.metrics.calibration import (
    MIN_SOURCES,
    enough_sources,
    fit_temperature,
    operating_point,
    source_weights,
)
from spinealign.metrics.novelty import NoveltyStatistics, fit_novelty, rejection_limit

REJECTED_SHARE = 0.05  # of the held-out images of each collection
MIN_GROUP = 20  # images of a combination of classes
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


def choose_decisions(
    target: Target, collections: Sequence[MeasuredCohort], *, sensitivity: float
) -> dict[str, DecisionConfig]:
    """Choose the temperature of each label, and the operating point of each binary one, on the calibration splits.

    The operating points reach a sensitivity in (0, 1] there. Collections without a calibration split, or with too few
    sources in it, are ignored. The note of each decision says what was done and why.
    """
    splits = [item.loaded.cohort.calibration_split for item in collections]
    parts = [item.part(split, alone=True) for item, split in zip(collections, splits) if split]
    logits = [target.class_logits(part.logits) for part in parts]
    return {
        label.name: _decide(
            label,
            [_known(label, part, of_part[number]) for part, of_part in zip(parts, logits)],
            sensitivity=sensitivity,
        )
        for number, label in enumerate(target.labels)
    }


class _Calibration(NamedTuple):
    """Images of a calibration split that have a value of a label."""

    name: str
    logits: NDArray[np.float64]
    codes: NDArray[np.int64]
    sources: list[tuple[str, str]]


def _known(label: Label, part: MeasuredCohort, logits: NDArray[np.float64]) -> _Calibration:
    codes = part.loaded.codes(label)
    known = codes != MISSING
    name = f"{part.loaded.cohort.name} ({part.loaded.cohort.samples[0].split})" if len(part.loaded.cohort) else ""
    sources = [source for source, has_value in zip(part.sources, known) if has_value]
    return _Calibration(name, logits[known], codes[known], sources)


def _decide(label: Label, parts: Sequence[_Calibration], *, sensitivity: float) -> DecisionConfig:
    binary = label.kind == "binary"
    used = [part for part in parts if enough_sources(part.codes, part.sources)]
    if not used:
        classes, rest = ("each class", " and the operating point at 0.5") if binary else ("two classes", "")
        return DecisionConfig(
            note=f"No collection has a calibration split with {MIN_SOURCES} distinct sources of {classes} that is "
            f"neither trained nor reported on; the temperature stays at 1{rest}."
        )
    logits, codes = np.concatenate([part.logits for part in used]), np.concatenate([part.codes for part in used])
    sources = [source for part in used for source in part.sources]
    weights, count = source_weights(sources), len(set(sources))
    temperature = fit_temperature(logits, codes, weights=weights)
    if temperature is None and not (logits.argmax(axis=1) == codes).all():
        chosen = "neither a temperature nor an operating point" if binary else "no temperature"
        return DecisionConfig(
            sources=count,
            note=f"The model does not separate the classes on the calibration split, so {chosen} was chosen.",
        )
    scale = "" if temperature else " All predictions there are correct, so the temperature stays at 1."
    decision = DecisionConfig(
        temperature=temperature or 1.0,
        sources=count,
        note=f"Chosen on {', '.join(part.name for part in used)}; no source of it was used for training or is reported "
        f"on.{scale}",
    )
    if not binary:
        return decision
    index = label.positive_index
    log_odds = (logits[:, index] - logits[:, 1 - index]) / decision.temperature
    probability = 1 / (1 + np.exp(-log_odds))
    point = operating_point(probability, codes == index, sensitivity=sensitivity, weights=weights)
    return replace(decision, operating_point=float(np.clip(point, 1e-6, 1 - 1e-6)), target_sensitivity=sensitivity)


def fit_rejection(
    target: Target, collections: Sequence[MeasuredCohort], *, seed: int
) -> tuple[NoveltyStatistics, NoveltyConfig]:
    """Fit the feature statistics of the training images and choose the limit beyond which images are rejected.

    Each class of each collection is a group of images with a mean of its own; with several labels, each combination of
    their classes with at least `MIN_GROUP` images. The limit is the smallest one that rejects at most `REJECTED_SHARE`
    of the images of the selection split of each collection, with equal weight for each source. Folds, drawn with the
    seed, estimate the rejection of images that did not set the limit.
    """
    train = [item.part("train") for item in collections]
    groups = [f"{part.loaded.cohort.name}/{group}" for part in train for group in _groups(target, part.loaded.cohort)]
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


def _groups(target: Target, cohort: Cohort) -> list[str]:
    """Return the group of each image: its class, or with several labels its combination of classes if frequent."""
    values = ["/".join(str(sample.value(label.name)) for label in target.labels) for sample in cohort]
    if not target.has_several:
        return values
    counts = Counter(values)
    return [value if counts[value] >= MIN_GROUP else "" for value in values]
