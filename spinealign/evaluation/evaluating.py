"""Evaluation of a checkpoint on a folder, manifest or dataset."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinealign.cohort.cohort import Cohort
from spinealign.cohort.image_cache import image_folder
from spinealign.cohort.indexing import index_cohort
from spinealign.cohort.loading import LoadedCohort, read_cohort, require_readable
from spinealign.cohort.options import CollectionOptions
from spinealign.cohort.splitting import hold_out_calibration, split_images
from spinealign.cohort.targets import codes, with_positive
from spinealign.cohort.training_images import spread, training_splits
from spinealign.config import MANIFEST_FILE
from spinealign.errors import CohortError, require
from spinealign.evaluation.scoring import cross_score, folds_of, network_output, score
from spinealign.inference.predictor import Predictor
from spinealign.labels import SINGLE, Target
from spinealign.metrics.evaluation import Evaluation
from spinealign.metrics.evidence import TrainingOverlap
from spinealign.metrics.folds import CrossValidation
from spinealign.reading.files import is_file

Model = str | os.PathLike[str] | Predictor | None
Data = str | os.PathLike[str] | Cohort

logger = logging.getLogger(__name__)


def evaluate(
    model: Model,
    data: Data,
    *,
    split: str | None = None,
    on_leakage: str = "drop",
    progress: bool = True,
    cache_dir: str | os.PathLike[str] | None = None,
    **options: Any,
) -> Evaluation:
    """Evaluate a model on labeled images.

    The collection may lack classes of the model: scores that need them are then not defined. Images without a value of
    a label are counted, and not scored for it.

    Images that the model was trained, selected or calibrated on are recognized by their pixels, in any collection. They
    get their split of the training, with all images of their sources and patients, so they are not scored by default;
    `training_overlap` counts them. For a checkpoint without a list of its training images, a collection of the same
    name is split as in the training. Remarks, such as skipped files, are logged as warnings.

    Args:
        model: A Hub id, a checkpoint folder, a loaded `Predictor`, or None for the embedded model.
        data: A folder, a CSV manifest, a Hub dataset id, or a `Cohort`.
        split: Split to score: `train`, `calibration`, `val` or `test`. None selects `test`, or `val` without a test
            split, or everything without splits.
        on_leakage: What to do with a source or patient that is in two splits: `drop` its images from the earlier
            split, raise an `error`, or `keep` them.
        progress: Show progress bars.
        cache_dir: Folder that keeps the rendered images for the next run; None keeps nothing.
        **options: `positive`, the positive class of the collection if a model with one binary label has another name
            for it; and fields of `CollectionOptions`, such as `label_column`, which are ignored for a `Cohort`. Missing
            patterns are those of the training for a collection with training images.

    Returns:
        Scores with intervals, the shortcut baseline, the evaluation of the accepted images, and the predictions.

    Raises:
        CheckpointError: If the model cannot be loaded.
        CohortError: If the collection cannot be read, has no such split, has classes that the model does not know, or
            has no images but those of the training.
        LeakageError: With `on_leakage="error"`, if a source or patient is in two splits.
        MissingDependencyError: If scikit-learn is not installed.
    """
    with image_folder(cache_dir) as folder:
        task = _prepare(model, data, on_leakage, options=options, progress=progress, folder=folder)
        if task.seen.all() and split is None:
            raise CohortError(
                f"{task.loaded.cohort.name}: the model was trained on all images or on others of their sources. "
                "Evaluate it on other images, or choose a split of the training."
            )
        evaluation = score(task.predictor, task.loaded, split=split, progress=progress)
    scored = np.array([evaluation.split in ("all", sample.split) for sample in task.loaded.cohort])
    _warn(task, scored, evaluation.split)
    measured = {item.label for item in evaluation.labels}
    if missing := [label.name for label in task.predictor.target.labels if label.name not in measured]:
        logger.warning("No scored image has a value for %s, so it has no scores.", ", ".join(missing))
    return replace(evaluation, training_overlap=task.overlap(scored))


def cross_evaluate(
    model: Model,
    data: Data,
    *,
    folds: int,
    progress: bool = True,
    cache_dir: str | os.PathLike[str] | None = None,
    **options: Any,
) -> CrossValidation:
    """Evaluate a model on folds of a collection that share no source; the model is not trained again.

    The arguments are those of `evaluate`. The result has the evaluation of each fold, whose shortcut baseline is
    trained on the others, and of all folds together.

    Raises:
        CheckpointError: If the model cannot be loaded.
        CohortError: If the collection cannot be read, has other classes, or fewer sources in two of them than folds.
        MissingDependencyError: If scikit-learn is not installed.
    """
    with image_folder(cache_dir) as folder:
        task = _prepare(model, data, "drop", options=options, progress=progress, folder=folder)
        scored = ~task.seen
        loaded = task.loaded.select(np.flatnonzero(scored).tolist())
        predictor, target = task.predictor, task.predictor.target
        fold = folds_of(loaded, folds, target=target, seed=0)
        _warn(task, scored, "all")
        probabilities = predictor.probabilities(network_output(predictor, loaded, progress=progress).logits)
        thresholds = [predictor.settings.decisions[label.name].operating_point for label in target.labels]
        result = cross_score(probabilities, loaded, target=target, fold=fold, thresholds=thresholds)
    return replace(result, pooled=replace(result.pooled, training_overlap=task.overlap(scored)))


@dataclass(frozen=True, eq=False)
class _Task:
    """A model and a collection to score it on, in which images of the training have their split of the training."""

    predictor: Predictor
    loaded: LoadedCohort
    found: int | None  # number of images of the training; None if the checkpoint has no list of them
    seen: NDArray[np.bool_]  # whether each image, or another of its source or patient, is of the training

    def overlap(self, scored: NDArray[np.bool_]) -> TrainingOverlap | None:
        return None if self.found is None else TrainingOverlap(self.found, int((self.seen & ~scored).sum()))


def _prepare(
    model: Model, data: Data, on_leakage: str, *, options: dict[str, Any], progress: bool, folder: Path
) -> _Task:
    """Load the model and the collection, and give images of the training their split of the training."""
    require("sklearn", extra="evaluate")
    predictor = model if isinstance(model, Predictor) else Predictor.from_pretrained(model)
    settings, digests = predictor.settings, predictor.checkpoint.training_images
    cohort, reading = _index(data, predictor.target, **options)
    images = read_cohort(cohort, settings.preprocessing, progress=progress, folder=folder)
    require_readable(images)
    cohort = images.cohort
    found = None if digests is None else len(cohort) - training_splits(cohort, digests).count(None)
    trained_on = settings.was_trained_on(cohort.name) if found is None else found > 0
    patterns = {
        name: pattern
        for name in ("source_pattern", "patient_pattern")
        if (pattern := getattr(settings, name)) and not getattr(reading, name)
    }
    if trained_on and patterns and not isinstance(data, Cohort):
        cohort = _with_names(cohort, os.fspath(data), replace(reading, **patterns))
    given = isinstance(data, Cohort) and bool(cohort.splits)
    split_again = trained_on and not given and (settings.split == "source" or not cohort.splits)
    if split_again:
        cohort = replace(cohort, samples=tuple(replace(sample, split=None) for sample in cohort))
    seed = settings.seed or 0
    loaded = split_images(
        replace(images, cohort=cohort),
        split=settings.split if split_again and digests is None else None,
        on_leakage=on_leakage,
        seed=seed,
        progress=progress,
    )
    cohort = loaded.cohort
    for line in cohort.skipped:
        logger.warning("%s", line)
    seen: list[str | None] = [None] * len(cohort)
    if digests is not None and trained_on:
        seen = spread(cohort, training_splits(cohort, digests))
        otherwise = "test" if not cohort.splits else None
        samples = (replace(sample, split=split or sample.split or otherwise) for sample, split in zip(cohort, seen))
        cohort = replace(cohort, samples=tuple(samples))
    elif trained_on and not given:
        cohort = hold_out_calibration(cohort, seed=seed)
    loaded = replace(loaded, cohort=cohort)
    return _Task(predictor, loaded, found, np.array([split is not None for split in seen]))


def _index(
    data: Data, target: Target, *, positive: str | None = None, **options: Any
) -> tuple[Cohort, CollectionOptions]:
    """Index a collection by the labels of a model, and check its classes; return it with how it was read."""
    labels, label_column = target.labels, options.get("label_column")
    columns = [label.name for label in labels if label.name != SINGLE]
    if label_column and len(labels) > 1:
        raise ValueError(f"label_column applies to a model with one label; this one has {', '.join(columns)}.")
    class_folders = not isinstance(data, Cohort) and os.path.isdir(data) and not is_file(Path(data) / MANIFEST_FILE)
    renamed = len(labels) == 1 and (label_column or class_folders)
    names = None if renamed else options.get("labels") or columns or None
    reading = CollectionOptions(**{**options, "labels": names})
    cohort = data if isinstance(data, Cohort) else index_cohort(os.fspath(data), reading)
    if renamed and columns:
        samples = (replace(sample, labels={columns[0]: sample.label}) for sample in cohort)
        cohort = replace(cohort, samples=tuple(samples))
    if positive is not None:
        cohort = with_positive(cohort, labels[0], positive=positive)
    for label in labels:
        codes(cohort, label)
    return cohort, reading


def _with_names(cohort: Cohort, data: str, options: CollectionOptions) -> Cohort:
    """Return the samples with what patterns find in their names, if these still match them."""
    with suppress(CohortError):
        named = {sample.name: sample for sample in index_cohort(data, options)}
        samples = (
            replace(
                sample,
                source=named[sample.name].source,
                series=named[sample.name].series or sample.series,
                patient=named[sample.name].patient or sample.patient,
            )
            for sample in cohort
        )
        return replace(cohort, samples=tuple(samples))
    return cohort


def _warn(task: _Task, scored: NDArray[np.bool_], split: str) -> None:
    """Log what to know about images of the training in the collection."""
    cohort = task.loaded.cohort
    by_name = task.found is None and task.predictor.settings.was_trained_on(cohort.name)
    if by_name:
        logger.warning(
            "The model was trained on a collection named %s, but has no list of its training images: this collection "
            "is recognized by its name, and the scored images may include training images.",
            cohort.name,
        )
    elif task.found is None:
        logger.warning("The model has no list of its training images: those in %s cannot be recognized.", cohort.name)
    elif task.found:
        logger.warning(
            "%s images of %s were used in the training of the model; %s images of the same sources are not scored.",
            f"{task.found:,}",
            cohort.name,
            f"{(task.seen & ~scored).sum():,}",
        )
    if (task.seen & scored).any() or (by_name and split in ("train", "all")):
        logger.warning("The model was trained on these images: the scores do not show how it performs on new images.")
    elif (task.found or by_name) and split == cohort.selection_split:
        logger.warning("If the epoch and the limit of novelty were selected on this split, its scores are optimistic.")
