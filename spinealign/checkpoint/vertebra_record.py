"""Contents of `metrics.json` of a model that finds vertebrae."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spinealign.metrics.agreement import Agreement
from spinealign.serialization import rebuild, to_plain


@dataclass(frozen=True)
class FilmCollectionRecord:
    """One training collection.

    Attributes:
        name: Name of the collection.
        parts: Number of films and of groups of each split, by name of the split.
        checks: Number of films by the outcome of the check of their label.
        left_out: Number of films that were not trained on, since they may show the radiograph of a test film.
        shown: Number of test films whose radiograph another split may show.
        digest: Digest of films and labels.
    """

    name: str
    parts: dict[str, tuple[int, int]]
    checks: dict[str, int] = field(default_factory=dict)
    left_out: int = 0
    shown: int = 0
    digest: str = ""


@dataclass(frozen=True)
class FilmTrainingRecord:
    """Training of the networks.

    Attributes:
        parameters: Number of parameters of all networks.
        films: Number of films of the collections with vertebrae.
        extra: Names of folders with further films, such as drawn ones.
        backgrounds: Names of folders with images without vertebrae.
        epochs: Number of epochs.
        learning_rate: Peak learning rate.
        batch_size: Films of one step.
        seed: Seed of the training.
        input_heights: Height of the input in the first and in the last epochs.
        folds: Number of folds of the cross-validation; 0 without one.
        fold_epochs: Epochs of each network of the cross-validation.
        processes: Number of processes that trained together.
        command: Command line that repeats the training.
    """

    parameters: int = 0
    films: int = 0
    extra: tuple[str, ...] = ()
    backgrounds: tuple[str, ...] = ()
    epochs: float = 0.0
    learning_rate: float = 0.0
    batch_size: int = 0
    seed: int = 0
    input_heights: tuple[int, int] = (0, 0)
    folds: int = 0
    fold_epochs: float = 0.0
    processes: int = 1
    command: str = ""


@dataclass(frozen=True)
class VertebraRecord:
    """Training and evaluation of a model that finds vertebrae.

    Attributes:
        evaluations: Agreement with the reference in each set of films: of each collection the test films and the clean
            ones among them, and the held-out films of a cross-validation.
        name: Name of the model.
        collections: The training collections.
        training: How the networks were trained.
        notes: The owner's Markdown, which the card includes.
        environment: Versions of Python and packages.
    """

    evaluations: tuple[Agreement, ...]
    name: str = ""
    collections: tuple[FilmCollectionRecord, ...] = ()
    training: FilmTrainingRecord | None = None
    notes: str = ""
    environment: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain data for JSON."""
        return to_plain(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> VertebraRecord:
        """Build a record from the decoded content of `metrics.json`.

        Raises:
            ValueError: If it is not the record of such a model.
        """
        record: VertebraRecord = rebuild(cls, content)
        return record
