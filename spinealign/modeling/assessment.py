"""Evaluate a model on the images of a cohort, as it will be served."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from spinealign.cohort.loading import LoadedCohort
from spinealign.config import POSITIVE_LABEL
from spinealign.errors import CheckpointError, CohortError
from spinealign.evaluation.evaluation import Evaluation
from spinealign.evaluation.shortcut import thumbnail, thumbnail_ridge
from spinealign.imaging.conditioning import normalize
from spinealign.inference.predictor import Predictor

BATCH_SIZE = 16


def fracture_probabilities(predictor: Predictor, loaded: LoadedCohort, *, progress: bool = True) -> NDArray[np.float64]:
    """Return the probability of a fracture for each image, shape (N,).

    Args:
        predictor: The model; the images must be conditioned as it asks.
        loaded: The images.
        progress: Show a progress bar.

    Raises:
        CheckpointError: If the model knows no class `fracture`.
    """
    if POSITIVE_LABEL not in predictor.labels:
        raise CheckpointError(f"{predictor.model} knows {', '.join(predictor.labels)} but no {POSITIVE_LABEL!r}.")
    chunks = range(0, len(loaded.gray), BATCH_SIZE)
    rows = [
        predictor.probabilities(
            np.stack([
                normalize(gray / np.float32(255), predictor.conditioning)
                for gray in loaded.gray[start : start + BATCH_SIZE]
            ])
        )
        for start in tqdm(
            chunks, desc=f"evaluating {loaded.cohort.name}", unit="batch", disable=None if progress else True
        )
    ]  # fmt: skip
    return np.concatenate(rows)[:, predictor.labels.index(POSITIVE_LABEL)]


def assess(predictor: Predictor, loaded: LoadedCohort, *, split: str | None = None) -> Evaluation:
    """Score a model on one split, with the shortcut probe on the same split beside it.

    Args:
        predictor: The model.
        loaded: The whole collection, training images included: the probe needs them.
        split: The split to score; None takes `test`, or `val` where there is no test, or everything.

    Returns:
        The evaluation.

    Raises:
        CohortError: If there is no such part.
        CheckpointError: If the model knows no class `fracture`.
    """
    splits = loaded.cohort.splits
    chosen = split or next((name for name in ("test", "val") if name in splits), None)
    held_out = loaded.part(chosen) if chosen else loaded
    if not len(held_out.cohort):
        raise CohortError(f"{loaded.cohort.name} has no part {chosen}; it has {', '.join(splits) or 'no split'}.")
    sizes = [np.nan if sample.size_mm is None else sample.size_mm for sample in held_out.cohort]
    return Evaluation.of(
        held_out.positive,
        fracture_probabilities(predictor, held_out),
        sources=[sample.source for sample in held_out.cohort],
        name=(loaded.cohort.name, chosen or "all"),
        size_mm=np.array(sizes, float),
        thumbnail_ridge_accuracy=shortcut_accuracy([loaded.part("train")], [held_out])
        if "train" in splits and chosen != "train"
        else None,
    )


def shortcut_accuracy(train: Sequence[LoadedCohort], held_out: Sequence[LoadedCohort]) -> float:
    """Return what a linear model on thumbnails reaches, in [0, 1].

    Args:
        train: The training images.
        held_out: The images to call.
    """
    features = [np.stack([thumbnail(gray) for part in parts for gray in part.gray]) for parts in (train, held_out)]
    positive = [np.concatenate([part.positive for part in parts]) for parts in (train, held_out)]
    return thumbnail_ridge(features[0], positive[0], test=features[1], test_positive=positive[1])
