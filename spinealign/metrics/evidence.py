"""Origin of the images of an evaluation, and the predictions behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Evidence:
    """Origin of the images of an evaluation.

    Attributes:
        collection: Name of the collection.
        split: Name of the split.
        sources: Source slice of each image.
        patients: Patient of each image, if all are known; the intervals then draw patients.
        size_mm: Size of each finding, NaN if there is none or it is unknown, shape (N,). Only an evaluation of one
            binary label uses it.
        ridge: For each label, the class that the thumbnail ridge gives each image, shape (N,); it was trained on other
            images. None for a label if there are too few to train it, or for all labels.
    """

    collection: str
    split: str
    sources: Sequence[str]
    patients: Sequence[str] | None = None
    size_mm: NDArray[np.floating] | None = None
    ridge: Sequence[NDArray[np.integer] | None] | None = None

    @property
    def unit(self) -> str:
        """What the intervals draw, `source` or `patient`."""
        return "source" if self.patients is None else "patient"

    @property
    def units(self) -> Sequence[str]:
        """Unit of each image."""
        return self.sources if self.patients is None else self.patients

    def part(self, members: NDArray[np.bool_], *, split: str) -> Evidence:
        """Return the evidence of a subset, a mask of shape (N,), with another name of the split."""
        parts: dict[str, Any] = {
            name: np.asarray(values)[members].tolist()
            for name in ("sources", "patients")
            if (values := getattr(self, name)) is not None
        }
        if self.size_mm is not None:
            parts["size_mm"] = self.size_mm[members]
        if self.ridge is not None:
            parts["ridge"] = [None if calls is None else calls[members] for calls in self.ridge]
        return replace(self, split=split, **parts)


@dataclass(frozen=True, eq=False, repr=False)
class Predictions:
    """The predictions of one label behind an evaluation, image by image; figures are drawn from them.

    Attributes:
        codes: True class of each image, shape (N,).
        probabilities: Predicted probabilities of the classes in [0, 1], shape (N, K).
        called: Predicted class of each image, shape (N,).
        sources: Source slice of each image.
        names: Name of each image.
        gray: The images with the worst predictions (see `worst_cases`), worst first, uint8 of shape (S, S), by their
            indices.
    """

    codes: NDArray[np.integer]
    probabilities: NDArray[np.floating]
    called: NDArray[np.integer]
    sources: tuple[str, ...]
    names: tuple[str, ...]
    gray: Mapping[int, NDArray[np.uint8]]


@dataclass(frozen=True)
class TrainingOverlap:
    """Images of an evaluated collection that the model was trained, selected or calibrated on.

    Attributes:
        images: Number of images of the whole collection with the pixels of a training image.
        left_out: Number of images that are not scored for this reason: these, and others of their sources or patients.
    """

    images: int
    left_out: int
