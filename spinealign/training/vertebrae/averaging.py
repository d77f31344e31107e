"""Exponential moving average of the weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_model, save_model
from torch import nn
from torch.optim.swa_utils import AveragedModel
from transformers import TrainerCallback, TrainingArguments

AVERAGE_FILE = "average.safetensors"


class MovingAverage(TrainerCallback):
    """Callback that averages the weights over the steps, and puts the average into the network at the end.

    When the inputs become larger, the average of the locator becomes the scout.

    The average starts with a short memory, so that the first weights are soon forgotten. It is saved in each checkpoint
    of the Trainer and restored from it.

    Args:
        scouting: Epoch, from 0, at whose beginning the inputs become larger.
        decay: Share of the average that a step keeps.
    """

    def __init__(self, scouting: int, *, decay: float = 0.998) -> None:
        self._scouting, self._decay = scouting, decay
        self._average: AveragedModel | None = None

    def on_train_begin(self, args: TrainingArguments, state: Any, control: Any, model: Any, **kwargs: Any) -> None:
        """Start the average, or restore that of the checkpoint from which the training continues."""
        self._average = AveragedModel(model, avg_fn=self._mean, use_buffers=True)
        if state.global_step:
            load_model(self._average, _file(args, state))

    def on_epoch_begin(self, args: TrainingArguments, state: Any, control: Any, model: Any, **kwargs: Any) -> None:
        """Copy the locator into the scout at the right epoch."""
        if abs((state.epoch or 0) - self._scouting) < 1e-6:  # not in the middle of the epoch
            averaged: Any = self._running().module
            for network in (averaged, model):
                network.scout.load_state_dict(averaged.locator.state_dict())

    def on_step_end(self, args: TrainingArguments, state: Any, control: Any, model: Any, **kwargs: Any) -> None:
        """Add the weights of the step."""
        self._running().update_parameters(model)

    def on_save(self, args: TrainingArguments, state: Any, control: Any, **kwargs: Any) -> None:
        """Save the average beside the weights."""
        if state.is_world_process_zero:
            save_model(self._running(), str(_file(args, state)))

    def on_train_end(self, args: TrainingArguments, state: Any, control: Any, model: Any, **kwargs: Any) -> None:
        """Put the average into the network."""
        model.load_state_dict(self._running().module.state_dict())

    def _running(self) -> AveragedModel:
        if self._average is None:
            raise RuntimeError("The average starts with the training.")
        return self._average

    def _mean(self, average: torch.Tensor, current: torch.Tensor, count: Any) -> torch.Tensor:
        if not average.is_floating_point():
            return current  # counters of the batch normalization
        decay = min(self._decay, (1 + int(count)) / (10 + int(count)))
        return torch.lerp(current, average, decay)


def load_average(network: nn.Module, checkpoint: Path) -> None:
    """Put the average that a checkpoint of the Trainer holds into a network."""
    average = AveragedModel(network, use_buffers=True)
    load_model(average, checkpoint / AVERAGE_FILE)
    network.load_state_dict(average.module.state_dict())


def _file(args: TrainingArguments, state: Any) -> Path:
    return Path(args.output_dir) / f"checkpoint-{state.global_step}" / AVERAGE_FILE
