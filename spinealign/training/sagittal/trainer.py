"""Trainer of the network that outlines vertebrae in sagittal MR."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import TrainingArguments

from spinealign.networks.sagittal import SagittalNetwork, load_sagittal_network
from spinealign.training.sagittal.dataset import SliceDataset, StoredSlice, collate
from spinealign.training.sagittal.loss import sagittal_loss
from spinealign.training.trainer import StrictTrainer
from spinealign.training.vertebrae.averaging import MovingAverage, load_average

NEVER = -1  # epoch at which a locator would become the scout
SOURCE_WEIGHTS = {"boxed": 3.0, "lumbar_mri": 2.0, "t2_space": 2.0, "numbered": 0.5}
OTHER_WEIGHT = 2.0


class SagittalTrainer(StrictTrainer):
    """Trainer of a `SagittalNetwork`; its weights are averaged."""

    def __init__(self, dataset: SliceDataset, **kwargs: Any) -> None:
        super().__init__(dataset, load=load_sagittal_network, train_dataset=dataset, data_collator=collate, **kwargs)
        self.add_callback(MovingAverage(NEVER))

    def restore_outcome(self, checkpoint: str) -> None:
        """Load the average of a finished training."""
        load_average(self.trained_network(), Path(checkpoint))

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, Any], return_outputs: bool = False, **kwargs: Any
    ) -> torch.Tensor | tuple[torch.Tensor, Any]:
        """Return the loss of the network whose inputs are given."""
        output = model(**{name: inputs[name] for name in ("pixel_values", "crops", "neighbors") if name in inputs})
        loss = sagittal_loss(output, inputs)
        return (loss, output) if return_outputs else loss


def build_sagittal_trainer(
    network: SagittalNetwork,
    groups: Mapping[str, Sequence[StoredSlice]],
    *,
    arguments: TrainingArguments,
    refiner: bool = False,
) -> SagittalTrainer:
    """Return a Trainer of the segmenter or the refiner that is ready to run; `groups` are the slices by source."""
    weights = {name: SOURCE_WEIGHTS.get(name, OTHER_WEIGHT) for name in groups}
    dataset = SliceDataset(groups, weights, seed=arguments.seed, crops=refiner)
    return SagittalTrainer(dataset, model=network, args=arguments)
