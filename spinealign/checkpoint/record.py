"""What a training knows about its model: the one object behind `metrics.json` and the card."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from math import isfinite
from typing import Any

from spinealign.cohort.cohort import Cohort
from spinealign.config import DecisionConfig, NoveltyConfig
from spinealign.metrics.evaluation import Evaluation
from spinealign.metrics.folds import CrossValidation

PACKAGES = ("spinealign", "torch", "transformers", "datasets", "accelerate", "monai", "onnxruntime", "numpy")


@dataclass(frozen=True)
class TrainingRecord:
    """Everything that was measured.

    Attributes:
        evaluations: One for each collection, on its test part, or on its validation part where it has no test.
        accepted: The same on those images alone that are not rejected as unknown; none where no image is left.
        decision: Temperature and operating point, and how they were chosen.
        novelty: When an image is rejected.
        cross_validations: Of each collection, where they were asked for.
        audits: Verdict of the audit of each collection.
        parameters: Number of parameters of the network, and how many of them were trained.
        processes: How many processes trained it together.
        epochs: What was measured after each epoch.
    """

    evaluations: tuple[Evaluation, ...]
    accepted: tuple[Evaluation, ...]
    decision: DecisionConfig
    novelty: NoveltyConfig
    cross_validations: tuple[CrossValidation, ...]
    audits: Mapping[str, tuple[str, ...]]
    parameters: tuple[int, int]
    processes: int
    epochs: tuple[Mapping[str, Any], ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the content as plain data for JSON, with the environment of this process."""
        return {
            "evaluations": [item.to_dict() for item in self.evaluations],
            "accepted": [item.to_dict() for item in self.accepted],
            "decision": asdict(self.decision),
            "novelty": asdict(self.novelty),
            "cross_validations": [item.to_dict() for item in self.cross_validations],
            "audits": {name: list(verdict) for name, verdict in self.audits.items()},
            "parameters": {"all": self.parameters[0], "trained": self.parameters[1]},
            "processes": self.processes,
            "epochs": [dict(row) for row in self.epochs],
            "environment": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        }


def epochs_of(history: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], ...]:
    """Return the rows of the Trainer's `log_history` that score an epoch, without NaN, which JSON does not have."""
    return tuple(
        {name: value if isfinite(value) else None for name, value in row.items()}
        for row in history
        if "eval_loss" in row
    )


def selection_note(cohorts: Sequence[Cohort], evaluations: Sequence[Evaluation], *, epoch_was_chosen: bool) -> str:
    """Say which results were measured on the images that the epoch was chosen on.

    Args:
        cohorts: The collections with their splits.
        evaluations: What was measured.
        epoch_was_chosen: Whether the best epoch was kept, and not the last.
    """
    chosen_on = {cohort.name: cohort.selection_split for cohort in cohorts}
    seen = [f"{item.collection} ({item.split})" for item in evaluations if item.split == chosen_on[item.collection]]
    if not epoch_was_chosen or not seen:
        return "No image of these splits was used to choose the epoch, the temperature or the operating point."
    return f"The epoch was chosen on {', '.join(seen)}, so the numbers there are optimistic."
