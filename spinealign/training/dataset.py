"""Dataset of the Trainer, made from loaded cohorts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from numpy.typing import NDArray
from sklearn.utils.class_weight import compute_sample_weight

from spinealign.cohort.image_store import Images
from spinealign.cohort.loading import LoadedCohort
from spinealign.config import PreprocessingConfig
from spinealign.imaging.preprocessing import normalize
from spinealign.labels import MISSING, Target
from spinealign.training.augmentation import Augmentation


class PixelTransform:
    """Transform from rows of the dataset to `pixel_values`, with optional augmentation.

    The augmentation of an image depends only on the seed, the epoch and the row.
    """

    def __init__(self, config: PreprocessingConfig, augment: Augmentation | None = None, *, seed: int = 0) -> None:
        self._config = config
        self._augment = augment
        self._seed = seed
        self._epoch = torch.zeros(1, dtype=torch.int64)
        self._epoch.share_memory_()  # type: ignore[no-untyped-call]  # running workers of the data loader read it

    def set_epoch(self, epoch: int) -> None:
        """Set the number of the epoch, also for workers that are already running."""
        self._epoch[0] = epoch

    def __call__(self, rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
        """Return `pixel_values`, `labels` and `weights` of the rows."""
        images = [self._pixel_values(gray, index) for gray, index in zip(rows["gray"], rows["index"])]
        return {"pixel_values": images, "labels": rows["labels"], "weights": rows["weights"]}

    def _pixel_values(self, gray: NDArray[np.uint8], index: int) -> torch.Tensor:
        intensity = gray.astype(np.float32) / np.float32(255)
        if self._augment is not None:
            seed = np.random.SeedSequence((self._seed, int(self._epoch), index)).generate_state(1)[0]
            intensity = self._augment(intensity, int(seed))
        return torch.from_numpy(normalize(intensity, self._config))


class _WithImages:
    """Transform from rows with the indices of images to the rows that another transform takes."""

    def __init__(self, images: Sequence[Images], transform: PixelTransform) -> None:
        self._images = images
        self._ends = np.cumsum([len(part) for part in images])
        self._transform = transform

    def __call__(self, rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
        return self._transform({**rows, "gray": [self._image(index) for index in rows["index"]]})

    def _image(self, index: int) -> NDArray[np.uint8]:
        part = int(np.searchsorted(self._ends, index, side="right"))
        return self._images[part][index - int(self._ends[part])]  # counted from the end of its collection


def build_dataset(
    parts: Sequence[LoadedCohort], transform: PixelTransform, *, target: Target, balance: bool = True
) -> Dataset:
    """Return the images of several cohorts as one dataset, which reads them when they are used.

    Its columns are `pixel_values`, and `labels` and `weights` with a value for each label of the target. With
    `balance`, the weights give all classes of a label the same total weight.
    """
    codes = np.stack([np.concatenate([part.codes(label) for part in parts]) for label in target.labels], axis=1)
    weights = np.zeros(codes.shape)
    for of_label, weight in zip(codes.T, weights.T):
        known = of_label != MISSING
        weight[known] = compute_sample_weight("balanced" if balance else None, of_label[known]) if known.any() else 0
    columns = {"index": range(len(codes)), "labels": codes, "weights": weights}
    return Dataset.from_dict(columns).with_transform(_WithImages([part.gray for part in parts], transform))
