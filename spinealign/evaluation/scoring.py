"""Score a model on a collection: what it says, what that is worth, and which images it gets wrong."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinealign.cohort.loading import LoadedCohort
from spinealign.evaluation.assessment import (
    assess,
    cross_assess,
    folds_of,
    fracture_index,
    fracture_probabilities,
    held_out_part,
    network_output,
)
from spinealign.inference.predictor import Predictor
from spinealign.metrics.evaluation import Evaluation
from spinealign.metrics.failures import worst_cases
from spinealign.metrics.folds import CrossValidation
from spinealign.reporting.case_sheet import Case, draw_worst_cases
from spinealign.reporting.evaluation_figures import Predictions, plot_evaluation
from spinealign.writing import staged

EVALUATION_FILE, EVALUATION_PLOT, WORST_CASES = "evaluation.json", "evaluation.png", "worst_cases.png"


@dataclass(frozen=True, eq=False)
class Scored:
    """The images of one collection that results are reported on, and what the model says of them.

    Attributes:
        part: The images.
        probability: Calibrated probability of a fracture, shape (N,).
        known: Whether each image is accepted as known, shape (N,).
        evaluation: What the probabilities score.
        accepted: What those of the accepted images score; None where there is none.
    """

    part: LoadedCohort
    probability: NDArray[np.float64]
    known: NDArray[np.bool_]
    evaluation: Evaluation
    accepted: Evaluation | None

    @property
    def predictions(self) -> Predictions:
        """What pictures are drawn from."""
        return Predictions(self.part.positive, self.probability, self.evaluation)


def score(predictor: Predictor, loaded: LoadedCohort, *, split: str | None = None) -> Scored:
    """Evaluate a model on one split of a collection.

    Args:
        predictor: The model.
        loaded: The whole collection: the shortcut probe learns from its training images.
        split: The split to score; None takes the one that results are reported on.

    Raises:
        CohortError: If there is no such part.
        CheckpointError: If the model does not tell `fracture` from one other class.
    """
    part, name = held_out_part(loaded, split)
    index = fracture_index(predictor)
    output = network_output(predictor, part)
    probability = predictor.calibrated(output.logits)[:, index]
    distance, limit = predictor.novelty(output.features), predictor.settings.novelty
    known = np.ones(len(probability), bool) if distance is None or limit is None else distance <= limit.threshold
    threshold = predictor.settings.decision.operating_point
    train = None if name == "train" else loaded.part("train")
    kept = np.flatnonzero(known)
    return Scored(
        part,
        probability,
        known,
        assess(probability, part, split=name, threshold=threshold, train=train),
        assess(
            probability[kept], part.chosen(kept.tolist()), split=f"{name}, accepted", threshold=threshold, train=train
        )
        if len(kept)
        else None,
    )


def worst_cases_of(scored: Scored) -> list[Case]:
    """Return the twenty images that the model gets most wrong, the worst first."""
    positive, threshold = scored.part.positive, scored.evaluation.threshold
    samples = scored.part.cohort.samples
    sources = [sample.source for sample in samples]
    worst = worst_cases(positive, scored.probability, sources=sources, threshold=threshold)
    return [
        Case(
            gray=scored.part.gray[index],
            name=samples[index].name,
            truth=samples[index].label,
            probability=float(scored.probability[index]),
            right=bool((scored.probability[index] >= threshold) == positive[index]),
            collection=scored.evaluation.collection,
        )
        for index in worst.tolist()
    ]


def cross_score(predictor: Predictor, loaded: LoadedCohort, *, folds: int, seed: int = 0) -> CrossValidation:
    """Score a finished model in parts that share no source; the shortcut probe of each learns from the others.

    Args:
        predictor: The model.
        loaded: The whole collection.
        folds: Number of parts.
        seed: Seed of the cut.

    Raises:
        CohortError: If a class has fewer sources than folds.
    """
    fold = folds_of(loaded, folds, seed=seed)
    probability = fracture_probabilities(predictor, loaded)
    return cross_assess(probability, loaded, fold=fold, threshold=predictor.settings.decision.operating_point)


def write_evaluation(scored: Scored, folder: Path) -> None:
    """Write the numbers, the pictures and the worst cases of an evaluation.

    Args:
        scored: What was measured.
        folder: Where the files go; what else lies there stays.
    """
    with staged(folder) as staging:
        content = json.dumps(scored.evaluation.to_dict(), indent=2, allow_nan=False)
        (staging / EVALUATION_FILE).write_text(content + "\n", encoding="utf-8")
        plot_evaluation([scored.predictions], staging / EVALUATION_PLOT)
        draw_worst_cases(worst_cases_of(scored), staging / WORST_CASES)
