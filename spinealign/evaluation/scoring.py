"""Scores of a model on loaded images."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from spinealign.checkpoint.engines import Output
from spinealign.cohort.loading import LoadedCohort
from spinealign.config import POSITIVE_LABEL
from spinealign.errors import CheckpointError, CohortError
from spinealign.imaging.preprocessing import normalize
from spinealign.inference.predictor import Predictor
from spinealign.metrics.evaluation import Evaluation, Evidence, Predictions
from spinealign.metrics.failures import worst_cases
from spinealign.metrics.folds import CrossValidation, source_folds
from spinealign.metrics.shortcut import fold_calls, thumbnail, thumbnail_ridge_calls

BATCH_SIZE = 16
PROBE_FOLDS = 5  # of the shortcut baseline, if a collection has no training images


def score(
    predictor: Predictor,
    loaded: LoadedCohort,
    *,
    split: str | None = None,
    output: Output | None = None,
    progress: bool = True,
) -> Evaluation:
    """Evaluate a model on one split of a collection.

    Args:
        predictor: The model.
        loaded: The whole collection; the shortcut baseline is trained on its training images.
        split: Split to score; None selects the one that results are reported on, or everything without splits.
        output: Output of the network for the images of the split, if it is known.
        progress: Show a progress bar.

    Returns:
        The evaluation, with its predictions and with the evaluation of the accepted images.

    Raises:
        CohortError: If there is no such split.
        CheckpointError: If the model is not a binary classifier of the finding.
    """
    part, name = held_out_part(loaded, split)
    index, threshold = finding_index(predictor), predictor.settings.decision.operating_point
    if output is None:
        output = network_output(predictor, part, progress=progress)
    probability = predictor.probabilities(output.logits)[0][:, index]
    evidence = evidence_of(part, name, train=None if name == "train" else loaded.part("train"))
    distance, limit = predictor.measure_novelty(output.features), predictor.settings.novelty
    known = np.ones(len(probability), bool) if distance is None or limit is None else distance <= limit.threshold
    accepted = None
    if known.any():
        evidence_known = evidence.part(known, split=f"{name}, accepted")
        accepted = Evaluation.of(part.positive[known], probability[known], evidence=evidence_known, threshold=threshold)
    evaluation = Evaluation.of(part.positive, probability, evidence=evidence, threshold=threshold)
    sources, names, labels = zip(*((sample.source, sample.name, sample.label) for sample in part.cohort))
    worst = worst_cases(part.positive, probability, sources=sources, threshold=threshold)
    gray = dict(zip(worst.tolist(), part.gray[worst]))
    predictions = Predictions(part.positive, probability, sources, names, labels, gray)
    return replace(evaluation, accepted=accepted, predictions=predictions)


def cross_score(
    probability: NDArray[np.floating], loaded: LoadedCohort, *, fold: NDArray[np.intp], threshold: float
) -> CrossValidation:
    """Score N probabilities fold by fold (see `folds_of`); each shortcut baseline is trained on the other folds."""
    evidence = _evidence(loaded, "all", fold_calls(_thumbnails(loaded), loaded.positive, fold=fold))
    return CrossValidation.of(loaded.positive, probability, fold=fold, evidence=evidence, threshold=threshold)


def network_output(predictor: Predictor, loaded: LoadedCohort, *, progress: bool = True) -> Output:
    """Run the network on images that were rendered with its preprocessing.

    Returns:
        Raw logits of shape (N, classes), and features of shape (N, F) if the network has them.
    """
    starts = range(0, len(loaded.gray), BATCH_SIZE)
    bar = tqdm(starts, desc=f"evaluating {loaded.cohort.name}", unit="batch", disable=None if progress else True)
    outputs = []
    for start in bar:
        batch = loaded.gray[start : start + BATCH_SIZE]
        pixels = [normalize(gray / np.float32(255), predictor.preprocessing) for gray in batch]
        outputs.append(predictor.run(np.stack(pixels)))
    features = [output.features for output in outputs if output.features is not None]
    return Output(np.concatenate([output.logits for output in outputs]), np.concatenate(features) if features else None)


def finding_index(predictor: Predictor) -> int:
    """Return the index of the positive class among the classes of a model.

    Raises:
        CheckpointError: If the model is not a binary classifier of the finding.
    """
    if len(predictor.labels) != 2 or not {POSITIVE_LABEL, predictor.settings.positive_class} <= {*predictor.labels}:
        raise CheckpointError(
            f"{predictor.model} has the classes {', '.join(predictor.labels)}. An evaluation needs two classes, one of "
            f"them {POSITIVE_LABEL!r}, which collections are labeled with."
        )
    return predictor.labels.index(POSITIVE_LABEL)


def held_out_part(loaded: LoadedCohort, split: str | None = None) -> tuple[LoadedCohort, str]:
    """Return the images to score and the name of their split; see `score`.

    Raises:
        CohortError: If there is no such split.
    """
    chosen = split or loaded.cohort.report_split
    part = loaded.part(chosen) if chosen else loaded
    if not len(part.cohort) or (chosen is None and loaded.cohort.splits):
        splits = ", ".join(loaded.cohort.splits) or "no splits"
        raise CohortError(f"{loaded.cohort.name} has no split {chosen or 'test or val'}; it has {splits}.")
    return part, chosen or "all"


def evidence_of(part: LoadedCohort, split: str, *, train: LoadedCohort | None = None) -> Evidence:
    """Return the origin of the images of a split, with the labels that the shortcut baseline predicts for them.

    The baseline is trained on `train`. With too few sources in a class, it is cross-validated over the sources of the
    images themselves, and omitted if these are too few.
    """
    pairs = {(sample.label, sample.source) for sample in train.cohort} if train else set()
    positive = sum(label == POSITIVE_LABEL for label, _ in pairs)
    calls = None
    if train and min(positive, len(pairs) - positive) >= PROBE_FOLDS:
        calls = shortcut_calls([train], [part])
    else:
        with suppress(CohortError):
            calls = fold_calls(_thumbnails(part), part.positive, fold=folds_of(part, PROBE_FOLDS, seed=0))
    return _evidence(part, split, calls)


def folds_of(loaded: LoadedCohort, folds: int, *, seed: int) -> NDArray[np.intp]:
    """Return the fold of each image; all images of a source, and of a patient if known, are in one fold.

    Raises:
        CohortError: If a class has fewer sources than folds.
    """
    try:
        return source_folds(loaded.positive, loaded.cohort.units, folds=folds, seed=seed)
    except ValueError as error:
        raise CohortError(f"{loaded.cohort.name}: {error}") from error


def shortcut_calls(train: Sequence[LoadedCohort], held_out: Sequence[LoadedCohort]) -> NDArray[np.bool_]:
    """Return whether a linear model on thumbnails of `train` classifies each held-out image as positive, shape (N,)."""
    features = [np.concatenate([_thumbnails(part) for part in parts]) for parts in (train, held_out)]
    positive = np.concatenate([part.positive for part in train])
    return thumbnail_ridge_calls(features[0], positive, test=features[1])


def _evidence(part: LoadedCohort, split: str, ridge_called: NDArray[np.bool_] | None) -> Evidence:
    patients = [sample.patient for sample in part.cohort]
    sizes = [np.nan if sample.size_mm is None else sample.size_mm for sample in part.cohort]
    return Evidence(
        collection=part.cohort.name,
        split=split,
        sources=[sample.source for sample in part.cohort],
        patients=None if None in patients else [str(patient) for patient in patients],
        size_mm=np.array(sizes, float) if np.isfinite(sizes).any() else None,
        ridge_called=ridge_called,
    )


def _thumbnails(loaded: LoadedCohort) -> NDArray[np.float32]:
    return np.stack([thumbnail(gray) for gray in loaded.gray])
