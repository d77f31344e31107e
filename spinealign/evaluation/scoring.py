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
from spinealign.errors import CohortError
from spinealign.imaging.preprocessing import normalize
from spinealign.inference.predictor import Predictor
from spinealign.labels import MISSING, Target
from spinealign.metrics.calibration import enough_sources
from spinealign.metrics.evaluation import Evaluation
from spinealign.metrics.evidence import Evidence, Predictions
from spinealign.metrics.failures import worst_cases
from spinealign.metrics.folds import CrossValidation, source_folds
from spinealign.metrics.measuring import evaluate_predictions
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
    """Evaluate a model on one split of a collection, with its predictions and the evaluation of the accepted images.

    Args:
        predictor: The model.
        loaded: The whole collection; the shortcut baseline is trained on its training images.
        split: Split to score; None selects the one that results are reported on, or everything without splits.
        output: Output of the network for the images of the split, if it is known.
        progress: Show a progress bar.

    Raises:
        CohortError: If there is no such split, no image in it has a value, or its classes are not those of the model.
    """
    part, name = held_out_part(loaded, split)
    if output is None:
        output = network_output(predictor, part, progress=progress)
    evidence = evidence_of(part, name, target=predictor.target, train=None if name == "train" else loaded.part("train"))
    probabilities = predictor.probabilities(output.logits)
    evaluation = _evaluate(predictor, part, probabilities, evidence)
    distance, limit = predictor.measure_novelty(output.features), predictor.settings.novelty
    known = np.ones(len(output.logits), bool) if distance is None or limit is None else distance <= limit.threshold
    accepted = None
    with suppress(CohortError):  # no image is accepted
        kept = part.select(np.flatnonzero(known).tolist())
        evidence = evidence.part(known, split=f"{name}, accepted")
        accepted = _evaluate(predictor, kept, [item[known] for item in probabilities], evidence)
    return replace(_with_predictions(evaluation, predictor, part, probabilities), accepted=accepted)


def _evaluate(
    predictor: Predictor, part: LoadedCohort, probabilities: Sequence[NDArray[np.floating]], evidence: Evidence
) -> Evaluation:
    """Score the probabilities of each label at the operating points of the model."""
    target, decisions = predictor.target, predictor.settings.decisions
    try:
        return evaluate_predictions(
            [part.codes(label) for label in target.labels],
            probabilities,
            target=target,
            evidence=evidence,
            thresholds=[decisions[label.name].operating_point for label in target.labels],
        )
    except ValueError as error:
        raise CohortError(str(error)) from error


def _with_predictions(
    evaluation: Evaluation, predictor: Predictor, part: LoadedCohort, probabilities: Sequence[NDArray[np.floating]]
) -> Evaluation:
    """Add the predictions of each label on the images that have a value."""
    labels = {label.name: (label, of_label) for label, of_label in zip(predictor.target.labels, probabilities)}
    samples, found = part.cohort.samples, []
    for item in evaluation.labels:
        label, of_label = labels[item.label]
        codes = part.codes(label)
        places = np.flatnonzero(codes != MISSING)
        names, sources = zip(*((samples[place].name, samples[place].source) for place in places.tolist()))
        codes, of_label = codes[places], of_label[places]
        called, margin = of_label.argmax(axis=1), of_label.max(axis=1)
        if label.kind == "binary":
            positive = label.positive_index
            called = np.where(of_label[:, positive] >= item.threshold, positive, 1 - positive)
            margin = np.abs(of_label[:, positive] - item.threshold)
        worst = worst_cases(codes, of_label, called=called, margin=margin, sources=sources)
        gray = dict(zip(worst.tolist(), part.gray[places[worst]]))
        found.append(replace(item, predictions=Predictions(codes, of_label, called, sources, names, gray)))
    return replace(evaluation, parts=tuple(found)) if evaluation.has_several else found[0]


def cross_score(
    probabilities: Sequence[NDArray[np.floating]],
    loaded: LoadedCohort,
    *,
    target: Target,
    fold: NDArray[np.intp],
    thresholds: Sequence[float] | None = None,
) -> CrossValidation:
    """Score the probabilities of each label, of shape (N, K), fold by fold.

    Each shortcut baseline is trained on the other folds. `fold` is from `folds_of`; `thresholds` are the operating
    points, None for 0.5.
    """
    codes, features = [loaded.codes(label) for label in target.labels], _thumbnails(loaded)
    ridge: list[NDArray[np.int64] | None] = []
    for of_label in codes:
        try:
            ridge.append(fold_calls(features, of_label, fold=fold))
        except ValueError:  # a fold leaves no value to train on
            ridge.append(None)
    evidence = _evidence(loaded, "all", ridge)
    return CrossValidation.of(codes, probabilities, target=target, fold=fold, evidence=evidence, thresholds=thresholds)


def network_output(predictor: Predictor, loaded: LoadedCohort, *, progress: bool = True) -> Output:
    """Run the network on images that were rendered with its preprocessing."""
    starts = range(0, len(loaded.gray), BATCH_SIZE)
    bar = tqdm(starts, desc=f"evaluating {loaded.cohort.name}", unit="batch", disable=None if progress else True)
    outputs = []
    for start in bar:
        batch = loaded.gray[start : start + BATCH_SIZE]
        pixels = [normalize(gray / np.float32(255), predictor.preprocessing) for gray in batch]
        outputs.append(predictor.run(np.stack(pixels)))
    features = [output.features for output in outputs if output.features is not None]
    return Output(np.concatenate([output.logits for output in outputs]), np.concatenate(features) if features else None)


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


def evidence_of(part: LoadedCohort, split: str, *, target: Target, train: LoadedCohort | None = None) -> Evidence:
    """Return the origin of the images of a split, with the classes that the shortcut baseline predicts for them.

    The baseline is trained on `train`. With too few sources in all classes but one, it is cross-validated over the
    sources of the images themselves, and omitted if these are too few.
    """
    features = _thumbnails(part)
    of_train = _thumbnails(train) if train and len(train.cohort) else None
    ridge: list[NDArray[np.int64] | None] = []
    for label in target.labels:
        codes, units = part.codes(label), part.cohort.units
        if (
            train is not None
            and of_train is not None
            and enough_sources(train.codes(label), [sample.source for sample in train.cohort], number=PROBE_FOLDS)
        ):
            ridge.append(thumbnail_ridge_calls(of_train, train.codes(label), test=features))
        else:
            try:
                fold = source_folds([codes], units, folds=PROBE_FOLDS)
                ridge.append(fold_calls(features, codes, fold=fold))
            except ValueError:
                ridge.append(None)
    return _evidence(part, split, ridge)


def folds_of(loaded: LoadedCohort, folds: int, *, target: Target, seed: int) -> NDArray[np.intp]:
    """Return the fold of each image; all images of a source, and of a patient if known, are in one fold.

    Raises:
        CohortError: If no label has two classes with as many sources as folds.
    """
    try:
        codes = [loaded.codes(label) for label in target.labels]
        return source_folds(codes, loaded.cohort.units, folds=folds, seed=seed)
    except ValueError as error:
        raise CohortError(f"{loaded.cohort.name}: {error}") from error


def shortcut_calls(
    train: Sequence[LoadedCohort], held_out: Sequence[LoadedCohort], *, target: Target
) -> tuple[NDArray[np.int64] | None, ...]:
    """Return the classes that a linear model on thumbnails of `train` gives the held-out images, shape (N,).

    They are None for a label without a value in the training images.
    """
    features = [np.concatenate([_thumbnails(part) for part in parts]) for parts in (train, held_out)]
    codes = (np.concatenate([part.codes(label) for part in train]) for label in target.labels)
    return tuple(
        None if (of == MISSING).all() else thumbnail_ridge_calls(features[0], of, test=features[1]) for of in codes
    )


def _evidence(part: LoadedCohort, split: str, ridge: Sequence[NDArray[np.int64] | None]) -> Evidence:
    patients = [sample.patient for sample in part.cohort]
    sizes = [np.nan if sample.size_mm is None else sample.size_mm for sample in part.cohort]
    return Evidence(
        collection=part.cohort.name,
        split=split,
        sources=[sample.source for sample in part.cohort],
        patients=None if None in patients else [str(patient) for patient in patients],
        size_mm=np.array(sizes, float) if np.isfinite(sizes).any() else None,
        ridge=ridge,
    )


def _thumbnails(loaded: LoadedCohort) -> NDArray[np.float32]:
    return np.stack([thumbnail(gray) for gray in loaded.gray])
