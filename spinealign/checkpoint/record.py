"""Contents of `metrics.json`: how a model was trained and evaluated.

The model card is rendered from this record and the settings of the model, and a push checks it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from spinealign.metrics.evaluation import Evaluation
from spinealign.metrics.folds import CrossValidation
from spinealign.serialization import rebuild, to_plain


@dataclass(frozen=True)
class CollectionRecord:
    """One training collection.

    Attributes:
        name: Name of the collection.
        parts: Number of images and of distinct sources of each split, by name of the split.
        verdict: Sentences of its audit, before anything was dropped.
        leaks: Number of sources or patients in more than one split of the training.
        dropped: Number of images that were left out because their source or patient is in a later split too.
        selection_split: Split on which the epoch was selected.
    """

    name: str
    parts: dict[str, tuple[int, int]] = field(default_factory=dict)
    verdict: tuple[str, ...] = ()
    leaks: int = 0
    dropped: int = 0
    selection_split: str | None = None


@dataclass(frozen=True)
class TrainingRecord:
    """Training of the network.

    Attributes:
        backbone: Hub id, catalog name, or folder name without its path.
        base_model: Hub id of the pretrained weights; None if there is none.
        from_scratch: Whether the training started from random weights.
        needs_spinealign: Whether transformers lacks the architecture.
        parameters: Number of all parameters and of the trained ones.
        epochs: Largest number of epochs.
        learning_rate: Peak learning rate.
        batch_size: Images of one process in one step.
        seed: Seed of the training.
        balanced: Whether the loss weighs both classes equally.
        best_metric: Name of the metric that selected the epoch; None if the last epoch was kept.
        greater_is_better: Whether a larger value of this metric is better.
        weights_dtype: Number format of the stored weights.
        split: Method of the split.
        on_leakage: What was done with sources or patients in more than one split.
        preprocessing: Window and filters, such as `window 300/1500 HU, denoise none, equalize none`.
        processes: Number of processes that trained together.
        command: Command line that repeats the training.
        history: Scores after each epoch.
    """

    backbone: str
    base_model: str | None = None
    from_scratch: bool = False
    needs_spinealign: bool = False
    parameters: tuple[int, int] = (0, 0)
    epochs: float = 0.0
    learning_rate: float = 0.0
    batch_size: int = 0
    seed: int = 0
    balanced: bool = True
    best_metric: str | None = None
    greater_is_better: bool = False
    weights_dtype: str = "float32"
    split: str = "auto"
    on_leakage: str = "drop"
    preprocessing: str = ""
    processes: int = 1
    command: str = ""
    history: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class ModelRecord:
    """Training and evaluation of a model.

    Attributes:
        evaluations: One for each collection, on its test split, or on its validation split without a test split.
        name: Name of the model; empty in files of format version 1.
        cross_validations: One for each collection; empty if not requested.
        collections: The training collections; empty in files of format version 1.
        training: How the network was trained; None in files of format version 1.
        notes: The owner's Markdown, which the card includes.
        environment: Versions of Python and packages.
    """

    evaluations: tuple[Evaluation, ...]
    name: str = ""
    cross_validations: tuple[CrossValidation, ...] = ()
    collections: tuple[CollectionRecord, ...] = ()
    training: TrainingRecord | None = None
    notes: str = ""
    environment: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain data for JSON."""
        return to_plain(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> ModelRecord:
        """Build a record from the decoded content of `metrics.json`.

        Raises:
            ValueError: If it is not the record of a model, or its numbers contradict each other.
        """
        record: ModelRecord = rebuild(cls, content)
        accepted = content.get("accepted")  # format version 1 stores them beside the evaluations
        if not accepted:
            return record
        parts = {item["collection"]: Evaluation.from_dict(item) for item in accepted}
        evaluations = (replace(item, accepted=parts.get(item.collection)) for item in record.evaluations)
        return replace(record, evaluations=tuple(evaluations))

    @property
    def selection_note(self) -> str:
        """Sentence on which results were measured on the images that selected the epoch."""
        selected_on = {item.name: item.selection_split for item in self.collections}
        seen = [
            f"{item.collection} ({item.split})"
            for item in self.evaluations
            if item.split == selected_on.get(item.collection)
        ]
        if self.training is None or self.training.best_metric is None or not seen:
            return "No image of these splits was used to select the epoch, the temperature or the operating point."
        return f"The epoch was selected on {', '.join(seen)}, so the numbers there are optimistic."
