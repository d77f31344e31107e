"""Learn from held-out images how far an answer may be trusted: temperature, operating point, novelty."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spinealign.cohort.loading import LoadedCohort
from spinealign.config import DecisionConfig, NoveltyConfig
from spinealign.errors import CheckpointError
from spinealign.evaluation.calibration import (
    MIN_SOURCES,
    enough_sources,
    fit_temperature,
    operating_point,
    source_weights,
)
from spinealign.evaluation.novelty import NoveltyStatistics, fit_novelty
from spinealign.inference.predictor import Predictor
from spinealign.modeling.assessment import fracture_index, network_output

REJECTED_SHARE = 0.05  # of the held-out images of each collection
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
        The statistics, and a threshold that rejects at most `REJECTED_SHARE` of the held-out images of any collection.

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
    held_out = {item.cohort.name: item.part(item.cohort.selection_split or "test") for item in collections}
    distances = {name: statistics.distance(_features(predictor, part)) for name, part in held_out.items()}
    threshold = max(float(np.quantile(values, 1 - REJECTED_SHARE, method="higher")) for values in distances.values())
    rejected = {name: float((values > threshold).mean()) for name, values in distances.items()}
    sources = sum(len(part.cohort.sources) for part in held_out.values())
    return statistics, NoveltyConfig(threshold=threshold, rejected=rejected, sources=sources)


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
