"""Hugging Face Trainer with a weighted loss and strict loading of checkpoints.

The Trainer of transformers 5 saves some weights under legacy names and loads them with `strict=False`, so
`load_best_model_at_end` and `resume_from_checkpoint` skip most of a ViT's encoder (transformers#43701).
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm import tqdm
from transformers import PrinterCallback, ProgressCallback, Trainer, TrainerCallback, TrainerState, TrainingArguments
from transformers.trainer import TRAINER_STATE_NAME

from spinealign.checkpoint.engines import load_network
from spinealign.training.dataset import PixelTransform

logger = logging.getLogger(__name__)


class StrictTrainer(Trainer):
    """A Trainer that loads every tensor of a checkpoint or fails."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model_accepts_loss_kwargs = False  # so that the Trainer averages over accumulated batches
        for stock in (PrinterCallback, ProgressCallback):  # a notebook keeps its own progress callback
            self.remove_callback(stock)
        self.add_callback(EpochReport())
        if not self.args.disable_tqdm and sys.stderr.isatty():
            self.add_callback(StepBar())

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, Any], return_outputs: bool = False, **kwargs: Any
    ) -> torch.Tensor | tuple[torch.Tensor, Any]:
        """Return the cross entropy, weighted by image."""
        outputs = model(pixel_values=inputs["pixel_values"])
        losses = nn.functional.cross_entropy(outputs.logits.float(), inputs["labels"], reduction="none")
        loss = (losses * inputs["weights"]).mean()
        return (loss, outputs) if return_outputs else loss

    def run(self, checkpoint: str | None) -> None:
        """Train from the start, or continue from a checkpoint of a killed run."""
        if checkpoint is None:
            self.train()
        else:
            self._resume(checkpoint)

    def _resume(self, checkpoint: str) -> None:
        """Continue from a checkpoint; if the training had ended when it was saved, only restore the outcome."""
        state = TrainerState.load_from_json(str(Path(checkpoint) / TRAINER_STATE_NAME))
        control = state.stateful_callbacks.get("TrainerControl", {})
        if not control.get("args", {}).get("should_training_stop"):
            self.train(resume_from_checkpoint=checkpoint)
            return
        self.state = state
        self._restore(state.best_model_checkpoint if self.args.load_best_model_at_end else checkpoint)

    def _load_best_model(self) -> None:
        self._restore(self.state.best_model_checkpoint)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        self._restore(resume_from_checkpoint)

    def _restore(self, folder: str) -> None:
        network = self.accelerator.unwrap_model(self.model)
        network.load_state_dict(load_network(folder).state_dict(), strict=True)


class StepBar(ProgressCallback):
    """Progress bars of the Trainer without the dictionaries that it prints."""

    def on_log(self, *args: Any, **kwargs: Any) -> None:
        """Print nothing; `EpochReport` and TensorBoard show the numbers."""


class EpochReport(TrainerCallback):
    """One log line per epoch: accuracy with its sources, interval and shortcut baseline."""

    def on_log(self, args: TrainingArguments, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Log the line."""
        if state.is_world_process_zero and logs and "eval_accuracy" in logs:
            with tqdm.external_write_mode(sys.stderr):  # so that the line does not break the bar
                logger.info("%s", _epoch_line(logs, args.num_train_epochs))


def _epoch_line(logs: dict[str, float], epochs: float) -> str:
    score = {name.removeprefix("eval_"): value for name, value in logs.items()}
    interval = f"{score['accuracy_low']:.1%} to {score['accuracy_high']:.1%}"
    return (
        f"epoch {score['epoch']:.3g}/{epochs:g}: validation loss {score['loss']:.4f}, accuracy {score['accuracy']:.2%} "
        f"({score['sources']:.0f} sources: {interval}; thumbnail ridge {score['thumbnail_ridge']:.2%}), sensitivity "
        f"{score['sensitivity']:.2%}, specificity {score['specificity']:.2%}, AUROC {score['auroc']:.4f}"
    )


class EpochCallback(TrainerCallback):
    """Callback that passes the number of the epoch to the augmentation."""

    def __init__(self, transform: PixelTransform) -> None:
        self._transform = transform

    def on_epoch_begin(self, args: TrainingArguments, state: Any, control: Any, **kwargs: Any) -> None:
        """Set the epoch of the transform."""
        self._transform.epoch = int(state.epoch or 0)
