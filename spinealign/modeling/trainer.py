"""The Hugging Face Trainer with a weighted loss, and with restoring that restores.

The Trainer of transformers 5 loads saved weights with `strict=False` under names that changed since they were saved, so
`load_best_model_at_end` and `resume_from_checkpoint` leave most of a ViT's encoder as it was (transformers#43701).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_utils import get_last_checkpoint

from spinealign.modeling.dataset import PixelTransform


class StrictTrainer(Trainer):
    """A Trainer that loads every tensor of a checkpoint or fails."""

    def _load_best_model(self) -> None:
        self._restore(self.state.best_model_checkpoint)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        self._restore(resume_from_checkpoint)

    def _restore(self, folder: str) -> None:
        network = self.accelerator.unwrap_model(self.model)
        saved = type(network).from_pretrained(folder, config=network.config, dtype=torch.float32)
        network.load_state_dict(saved.state_dict(), strict=True)


class EpochCallback(TrainerCallback):
    """Tells the augmentation which epoch it is."""

    def __init__(self, transform: PixelTransform) -> None:
        self._transform = transform

    def on_epoch_begin(self, args: TrainingArguments, state: Any, control: Any, **kwargs: Any) -> None:
        """Pass the number of the epoch on."""
        self._transform.epoch = int(state.epoch or 0)


def weighted_loss(weights: list[float]) -> Callable[..., torch.Tensor]:
    """Return cross entropy in which each class counts by its weight.

    Args:
        weights: Weight of each class, 1 on average over the images.

    Returns:
        A function for `Trainer(compute_loss_func=...)`.
    """

    def loss(outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None) -> torch.Tensor:
        weight = torch.tensor(weights, device=labels.device)
        total = nn.functional.cross_entropy(outputs.logits.float(), labels, weight=weight, reduction="sum")
        return total / (len(labels) if num_items_in_batch is None else num_items_in_batch)

    return loss


def last_whole_checkpoint(folder: Path) -> str | None:
    """Return the newest checkpoint from which a killed run can go on; half-written ones are deleted.

    Args:
        folder: Where the Trainer saves; it need not exist.
    """
    while folder.is_dir() and (newest := get_last_checkpoint(str(folder))) is not None:
        try:
            json.loads((Path(newest) / TRAINER_STATE_NAME).read_text(encoding="utf-8"))  # the Trainer writes it last
            return newest
        except (OSError, ValueError):
            shutil.rmtree(newest)
    return None
