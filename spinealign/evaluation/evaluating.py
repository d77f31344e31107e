"""Evaluation of a checkpoint on a folder, manifest or dataset."""

from __future__ import annotations

import logging
import os

from spinealign.checkpoint.settings import ModelSettings
from spinealign.cohort.cohort import Cohort
from spinealign.cohort.indexing import index_cohort, require_binary
from spinealign.cohort.loading import LoadedCohort, read_cohort, require_readable
from spinealign.cohort.splitting import hold_out_calibration, split_images
from spinealign.errors import require
from spinealign.evaluation.scoring import cross_score, folds_of, probabilities, score
from spinealign.inference.predictor import Predictor
from spinealign.metrics.evaluation import Evaluation
from spinealign.metrics.folds import CrossValidation

Model = str | os.PathLike[str] | Predictor | None
Data = str | os.PathLike[str] | Cohort

_TRAINED_ON = "The model was trained on these images: the scores do not show how it performs on new images."

logger = logging.getLogger(__name__)


def evaluate(
    model: Model,
    data: Data,
    *,
    split: str | None = None,
    on_leakage: str = "drop",
    source_pattern: str | None = None,
    progress: bool = True,
) -> Evaluation:
    """Evaluate a model on labeled images.

    A folder, manifest or dataset that the model was trained on is split as in the training; the splits of a `Cohort`
    are kept. Remarks, such as skipped files, are logged
    as warnings.

    Args:
        model: A Hub id, a checkpoint folder, a loaded `Predictor`, or None for the embedded model.
        data: A folder, a CSV manifest, a Hub dataset id, or a `Cohort`.
        split: Split to score: `train`, `calibration`, `val` or `test`. None selects `test`, or `val` without a test
            split, or everything without splits.
        on_leakage: What to do with a source or patient that is in two splits: `drop` its images from the earlier
            split, raise an `error`, or `keep` them.
        source_pattern: Regular expression for file names with a group `source`; None uses the pattern of the training
            for a collection that the model was trained on. It is not applied to a `Cohort`.
        progress: Show progress bars.

    Returns:
        Scores with intervals, the shortcut baseline, the evaluation of the accepted images, and the predictions.

    Raises:
        CheckpointError: If the model cannot be loaded, or is not a binary classifier of the finding.
        CohortError: If the collection cannot be read, or has no such split.
        LeakageError: With `on_leakage="error"`, if a source or patient is in two splits.
        MissingDependencyError: If scikit-learn is not installed.
    """
    predictor, loaded = _prepare(model, data, on_leakage, source_pattern, progress)
    evaluation = score(predictor, loaded, split=split, progress=progress)
    if predictor.settings.was_trained_on(loaded.cohort.name):
        given = isinstance(data, Cohort) and bool(data.splits)
        logger.warning("%s", _remark(evaluation.split, loaded.cohort, settings=predictor.settings, given=given))
    return evaluation


def cross_evaluate(
    model: Model, data: Data, *, folds: int, source_pattern: str | None = None, progress: bool = True
) -> CrossValidation:
    """Evaluate a model on folds of a collection that share no source; the model is not trained again.

    Args:
        model: A Hub id, a checkpoint folder, a loaded `Predictor`, or None for the embedded model.
        data: A folder, a CSV manifest, a Hub dataset id, or a `Cohort`.
        folds: Number of folds, at least 2.
        source_pattern: As for `evaluate`.
        progress: Show progress bars.

    Returns:
        The evaluation of each fold and of all folds together. The shortcut baseline of each fold is trained on the
        others.

    Raises:
        CheckpointError: If the model cannot be loaded, or is not a binary classifier of the finding.
        CohortError: If the collection cannot be read, or a class has fewer sources than folds.
        MissingDependencyError: If scikit-learn is not installed.
    """
    predictor, loaded = _prepare(model, data, "drop", source_pattern, progress)
    fold = folds_of(loaded, folds, seed=0)
    if predictor.settings.was_trained_on(loaded.cohort.name):
        logger.warning("%s", _TRAINED_ON)
    threshold = predictor.settings.decision.operating_point
    return cross_score(probabilities(predictor, loaded, progress=progress), loaded, fold=fold, threshold=threshold)


def _prepare(
    model: Model, data: Data, on_leakage: str, source_pattern: str | None, progress: bool
) -> tuple[Predictor, LoadedCohort]:
    """Load the model and the collection; one that the model was trained on is split as in the training."""
    require("sklearn", extra="evaluate")
    predictor = model if isinstance(model, Predictor) else Predictor.from_pretrained(model)
    settings = predictor.settings
    cohort = data if isinstance(data, Cohort) else index_cohort(os.fspath(data), source_pattern=source_pattern)
    trained_on = settings.was_trained_on(cohort.name)
    if trained_on and settings.source_pattern and not source_pattern and not isinstance(data, Cohort):
        cohort = index_cohort(os.fspath(data), source_pattern=settings.source_pattern)
    require_binary(cohort)
    given = isinstance(data, Cohort) and bool(cohort.splits)
    split_again = trained_on and not given and (settings.split == "source" or not cohort.splits)
    seed = settings.seed or 0
    images = read_cohort(cohort, settings.preprocessing, progress=progress)
    require_readable(images)
    loaded = split_images(
        images, split=settings.split if split_again else None, on_leakage=on_leakage, seed=seed, progress=progress
    )
    for line in loaded.cohort.skipped:
        logger.warning("%s", line)
    if trained_on and not given:
        loaded = loaded.matching(hold_out_calibration(loaded.cohort, seed=seed))
    return predictor, loaded


def _remark(split: str, cohort: Cohort, *, settings: ModelSettings, given: bool) -> str:
    """Return what to know about the scores of a collection that the model was trained on."""
    how = "the given splits are used, and may include training images" if given else "this one is split in the same way"
    remarks = [f"The model was trained on a collection named {cohort.name}; {how}."]
    if cohort.name not in settings.training_data:  # a Hub dataset for a folder, or the reverse
        remarks.append("If its sources have other names than in the training, it may include training images.")
    if split == "train":
        remarks.append(_TRAINED_ON)
    if split == cohort.selection_split:
        remarks.append("The epoch and the limit of novelty were selected on this split, so its scores are optimistic.")
    return " ".join(remarks)
