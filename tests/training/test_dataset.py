from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from spinealign.cohort.indexing import index_cohort
from spinealign.cohort.loading import read_cohort
from spinealign.config import PreprocessingConfig
from spinealign.imaging.preprocessing import preprocess
from spinealign.labels import binary_target
from spinealign.reading.slices import read_slice
from spinealign.training.augmentation import Augmentation, AugmentationConfig
from spinealign.training.dataset import PixelTransform, build_dataset

TARGET = binary_target("normal", "fracture")

CONFIG = PreprocessingConfig(image_size=64)


def test_training_and_prediction_have_the_same_input(phantom_folder):
    part = read_cohort(index_cohort(phantom_folder), CONFIG, progress=False).part("val")
    dataset = build_dataset([part], PixelTransform(CONFIG), target=TARGET)
    assert [row["labels"] for row in dataset] == [[code] for code in part.codes(TARGET.labels[0])]
    for row, sample in zip(dataset, part.cohort):
        np.testing.assert_allclose(row["pixel_values"].numpy(), preprocess(read_slice(sample.image), CONFIG), atol=1e-6)


def test_weights_balance_the_classes(noise):
    codes = noise.codes(TARGET.labels[0])
    positive, negative = np.flatnonzero(codes == 1), np.flatnonzero(codes == 0)
    dataset = build_dataset([noise.select([positive[0], *negative])], PixelTransform(CONFIG), target=TARGET)
    weights = [row["weights"][0] for row in dataset]
    assert weights[0] == pytest.approx(sum(weights[1:])) == pytest.approx(len(weights) / 2)


def test_augmentation_follows_seed_epoch_and_row(phantom_folder):
    part = read_cohort(index_cohort(phantom_folder), CONFIG, progress=False).part("train")

    def first_images(seed, epoch):
        transform = PixelTransform(CONFIG, Augmentation(AugmentationConfig(), 64), seed=seed)
        dataset = build_dataset([part], transform, target=TARGET)
        transform.set_epoch(epoch)
        return dataset[0]["pixel_values"]

    torch.testing.assert_close(first_images(0, 1), first_images(0, 1), rtol=0, atol=0)
    assert not torch.equal(first_images(0, 1), first_images(0, 2))
    assert not torch.equal(first_images(0, 1), first_images(1, 1))


@pytest.mark.parametrize(
    "context", ["fork", *(pytest.param(name, marks=pytest.mark.slow) for name in ("spawn", "forkserver"))]
)
def test_running_workers_follow_the_epoch(noise, context):
    transform = PixelTransform(CONFIG, Augmentation(AugmentationConfig(), 64))
    dataset = build_dataset([noise], transform, target=TARGET)
    loader = DataLoader(dataset, batch_size=4, num_workers=2, persistent_workers=True, multiprocessing_context=context)
    epochs = []
    for epoch in range(2):
        transform.set_epoch(epoch)
        found = torch.cat([batch["pixel_values"] for batch in loader])
        torch.testing.assert_close(found, torch.stack([row["pixel_values"] for row in dataset]), rtol=0, atol=0)
        epochs.append(found)
    assert not torch.equal(*epochs)
