"""Evaluate a model on the images of a cohort, as it will be served."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from spinealign.checkpoint.engines import Output
from spinealign.cohort.loading import LoadedCohort
from spinealign.config import POSITIVE_LABEL
from spinealign.errors import CheckpointError, CohortError
from spinealign.imaging.preprocessing import normalize
from spinealign.inference.predictor import Predictor
from spinealign.metrics.evaluation import Evaluation, Evidence
from spinealign.metrics.folds import CrossValidation, source_folds
from spinealign.metrics.shortcut import fold_calls, thumbnail, thumbnail_ridge_calls

BATCH_SIZE = 16
PROBE_FOLDS = 5  # of the shortcut probe where a collection has no training images


def network_output(predictor: Predictor, loaded: LoadedCohort, *, progress: bool = True) -> Output:
    """Run the network on every image.

    Args:
        predictor: The model; the images must be conditioned as it asks.
        loaded: The images.
        progress: Show a progress bar.

    Returns:
        Raw logits of shape (N, classes), and features of shape (N, F) where the network gives them.
    """
    starts = range(0, len(loaded.gray), BATCH_SIZE)
    bar = tqdm(starts, desc=f"evaluating {loaded.cohort.name}", unit="batch", disable=None if progress else True)
    outputs = [
        predictor.output(
            np.stack([
                normalize(gray / np.float32(255), predictor.conditioning)
                for gray in loaded.gray[start : start + BATCH_SIZE]
            ])
        )
        for start in bar
    ]  # fmt: skip
    features = [output.features for output in outputs if output.features is not None]
    return Output(np.concatenate([output.logits for output in outputs]), np.concatenate(features) if features else None)


def fracture_probabilities(predictor: Predictor, loaded: LoadedCohort, *, progress: bool = True) -> NDArray[np.float64]:
    """Return the calibrated probability of a fracture for each image, shape (N,).

    Args:
        predictor: The model; the images must be conditioned as it asks.
        loaded: The images.
        progress: Show a progress bar.

    Raises:
        CheckpointError: As for `fracture_index`.
    """
    index = fracture_index(predictor)
    return predictor.calibrated(network_output(predictor, loaded, progress=progress).logits)[:, index]


def fracture_index(predictor: Predictor) -> int:
    """Return the place of the finding among the classes of a model.

    Raises:
        CheckpointError: If the model does not tell `fracture` from one other class.
    """
    if len(predictor.labels) != 2 or POSITIVE_LABEL not in predictor.labels:
        raise CheckpointError(
            f"{predictor.model} knows {', '.join(predictor.labels)}; scores need two classes, one of them "
            f"{POSITIVE_LABEL!r}."
        )
    return predictor.labels.index(POSITIVE_LABEL)


def held_out_part(loaded: LoadedCohort, split: str | None = None) -> tuple[LoadedCohort, str]:
    """Return the images that are scored, and the name of their split.

    Args:
        loaded: The whole collection.
        split: The split to score; None takes the one that results are reported on, or everything.

    Raises:
        CohortError: If there is no such part.
    """
    chosen = split or loaded.cohort.report_split
    part = loaded.part(chosen) if chosen else loaded
    if not len(part.cohort) or (chosen is None and loaded.cohort.splits):
        splits = ", ".join(loaded.cohort.splits) or "no split"
        raise CohortError(f"{loaded.cohort.name} has no part {chosen or 'test or val'}; it has {splits}.")
    return part, chosen or "all"


def assess(
    probability: NDArray[np.floating], loaded: LoadedCohort, *, split: str, threshold: float, train: LoadedCohort | None
) -> Evaluation:
    """Score probabilities for one split, with the shortcut probe on the same images beside them.

    Args:
        probability: Probability of a fracture for each image, shape (N,).
        loaded: The images.
        split: Name of their split.
        threshold: Operating point.
        train: The images that the shortcut probe learns from; without any, it is cross-validated over the sources of
            the images themselves, and left out where they are too few.
    """
    known = train is not None and len(train.cohort)
    ridge = shortcut_calls([train], [loaded]) if train is not None and known else _calls_over_folds(loaded)
    return Evaluation.of(
        loaded.positive, probability, evidence=evidence_of(loaded, split, ridge_called=ridge), threshold=threshold
    )


def evidence_of(loaded: LoadedCohort, split: str, *, ridge_called: NDArray[np.bool_] | None) -> Evidence:
    """Return what predictions for these images rest on."""
    patients = [sample.patient for sample in loaded.cohort]
    sizes = [np.nan if sample.size_mm is None else sample.size_mm for sample in loaded.cohort]
    return Evidence(
        collection=loaded.cohort.name,
        split=split,
        sources=[sample.source for sample in loaded.cohort],
        patients=None if None in patients else [str(patient) for patient in patients],
        size_mm=np.array(sizes, float) if np.isfinite(sizes).any() else None,
        ridge_called=ridge_called,
    )


def cross_assess(
    probability: NDArray[np.floating], loaded: LoadedCohort, *, fold: NDArray[np.intp], threshold: float
) -> CrossValidation:
    """Score probabilities fold by fold; the shortcut probe of each fold learns from the others.

    Args:
        probability: Probability of a fracture for each image, shape (N,).
        loaded: The images.
        fold: The fold of each image, as of `folds_of`.
        threshold: Operating point.
    """
    evidence = evidence_of(loaded, "all", ridge_called=fold_calls(_thumbnails(loaded), loaded.positive, fold=fold))
    return CrossValidation.of(loaded.positive, probability, fold=fold, evidence=evidence, threshold=threshold)


def folds_of(loaded: LoadedCohort, folds: int, *, seed: int) -> NDArray[np.intp]:
    """Return the fold of each image; no patient, where known, and no source stands in two of them.

    Raises:
        CohortError: If a class has fewer sources than folds.
    """
    try:
        return source_folds(loaded.positive, loaded.cohort.units, folds=folds, seed=seed)
    except ValueError as error:
        raise CohortError(f"{loaded.cohort.name}: {error}") from error


def _calls_over_folds(loaded: LoadedCohort) -> NDArray[np.bool_] | None:
    try:
        return fold_calls(_thumbnails(loaded), loaded.positive, fold=folds_of(loaded, PROBE_FOLDS, seed=0))
    except CohortError:
        return None


def _thumbnails(loaded: LoadedCohort) -> NDArray[np.float32]:
    return np.stack([thumbnail(gray) for gray in loaded.gray])


def shortcut_calls(train: Sequence[LoadedCohort], held_out: Sequence[LoadedCohort]) -> NDArray[np.bool_]:
    """Return what a linear model on thumbnails calls a fracture, shape (N,).

    Args:
        train: The training images.
        held_out: The images to call.
    """
    features = [np.concatenate([_thumbnails(part) for part in parts]) for parts in (train, held_out)]
    positive = np.concatenate([part.positive for part in train])
    return thumbnail_ridge_calls(features[0], positive, test=features[1])
