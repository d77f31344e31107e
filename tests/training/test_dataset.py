from __future__ import annotations

import numpy as np
import torch

from spinealign.cohort.indexing import index_cohort
from spinealign.cohort.loading import read_cohort
from spinealign.config import PreprocessingConfig
from spinealign.imaging.preprocessing import preprocess
from spinealign.reading.slices import read_slice
from spinealign.training.augmentation import AugmentationConfig, build_augmentation
from spinealign.training.dataset import PixelTransform, build_dataset

CONFIG = PreprocessingConfig(image_size=64)


def test_training_and_prediction_have_the_same_input(phantom_folder):
    part = read_cohort(index_cohort(phantom_folder), CONFIG, progress=False).part("val")
    dataset = build_dataset([part], PixelTransform(CONFIG))
    assert [row["labels"] for row in dataset] == part.positive.astype(int).tolist()
    for row, sample in zip(dataset, part.cohort):
        np.testing.assert_allclose(row["pixel_values"].numpy(), preprocess(read_slice(sample.image), CONFIG), atol=1e-6)


def test_augmentation_follows_seed_epoch_and_row(phantom_folder):
    part = read_cohort(index_cohort(phantom_folder), CONFIG, progress=False).part("train")

    def first_images(seed, epoch):
        transform = PixelTransform(CONFIG, build_augmentation(AugmentationConfig(), 64), seed=seed)
        dataset = build_dataset([part], transform)
        transform.epoch = epoch  # as the Trainer's callback does after the dataset was built
        return dataset[0]["pixel_values"]

    torch.testing.assert_close(first_images(0, 1), first_images(0, 1), rtol=0, atol=0)
    assert not torch.equal(first_images(0, 1), first_images(0, 2))
    assert not torch.equal(first_images(0, 1), first_images(1, 1))
