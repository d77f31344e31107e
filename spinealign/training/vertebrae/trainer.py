"""Trainer of the networks that find vertebrae."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import TrainingArguments

from spinealign.networks.vertebrae import VertebraNetwork, load_vertebra_network
from spinealign.training.trainer import StrictTrainer
from spinealign.training.vertebrae.averaging import MovingAverage, load_average
from spinealign.training.vertebrae.dataset import FilmDataset, StoredFilm, collate
from spinealign.training.vertebrae.loss import vertebra_loss

COARSE_SHARE = 0.85  # of the epochs


class VertebraTrainer(StrictTrainer):
    """Trainer of a `VertebraNetwork`; its weights are averaged."""

    def __init__(self, dataset: FilmDataset, *, scouting: int, **kwargs: Any) -> None:
        super().__init__(dataset, load=load_vertebra_network, train_dataset=dataset, data_collator=collate, **kwargs)
        self.add_callback(MovingAverage(scouting))

    def restore_outcome(self, checkpoint: str) -> None:
        """Load the average of a finished training."""
        load_average(self.trained_network(), Path(checkpoint))

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, Any], return_outputs: bool = False, **kwargs: Any
    ) -> torch.Tensor | tuple[torch.Tensor, Any]:
        """Return the loss of the locator and the refiner."""
        output = model(pixel_values=inputs["pixel_values"], crops=inputs["crops"], neighbors=inputs["neighbors"])
        loss = vertebra_loss(output, inputs)
        return (loss, output) if return_outputs else loss


def build_vertebra_trainer(
    network: VertebraNetwork,
    films: Sequence[StoredFilm],
    *,
    backgrounds: Sequence[StoredFilm],
    shapes: tuple[tuple[int, int], tuple[int, int]],
    arguments: TrainingArguments,
) -> VertebraTrainer:
    """Return a Trainer that is ready to run.

    `shapes` are those of the inputs in the last epochs and in the first ones.
    """
    epochs = int(arguments.num_train_epochs)
    coarse = round(epochs * COARSE_SHARE)
    dataset = FilmDataset(
        films,
        backgrounds,
        shapes=[shapes[1]] * coarse + [shapes[0]] * (epochs - coarse),
        count=network.config.count,
        seed=arguments.seed,
    )
    network = network.to(memory_format=torch.channels_last)
    return VertebraTrainer(dataset, scouting=coarse, model=network, args=arguments)
