"""Hugging Face Trainer with a weighted loss and strict loading of checkpoints.

The Trainer of transformers 5 saves some weights under legacy names and loads them with `strict=False`, so
`load_best_model_at_end` and `resume_from_checkpoint` skip most of a ViT's encoder (transformers#43701).
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import DataLoader
from tqdm import tqdm
from transformers import (
    EarlyStoppingCallback,
    EvalPrediction,
    PrinterCallback,
    ProgressCallback,
    Trainer,
    TrainerCallback,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer import TRAINER_STATE_NAME

from spinealign.checkpoint.engines import load_network
from spinealign.cohort.loading import LoadedCohort
from spinealign.config import NEGATIVE_LABEL, POSITIVE_LABEL
from spinealign.evaluation.scoring import shortcut_calls
from spinealign.labels import binary_target
from spinealign.metrics.intervals import wilson_interval
from spinealign.training.augmentation import Augmentation
from spinealign.training.dataset import PixelTransform, build_dataset
from spinealign.training.metric import BinaryScores
from spinealign.training.setup import TrainingSetup

logger = logging.getLogger(__name__)


class StrictTrainer(Trainer):
    """A Trainer that loads every tensor of a checkpoint or fails.

    Args:
        transform: Transform of the training images, which is told the epoch.
        **kwargs: Arguments of the Trainer of transformers.
    """

    def __init__(self, transform: PixelTransform, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model_accepts_loss_kwargs = False  # so that the Trainer averages over accumulated batches
        for stock in (PrinterCallback, ProgressCallback):  # a notebook keeps its own progress callback
            self.remove_callback(stock)
        self.add_callback(SeedCallback(transform))
        self.add_callback(EpochReport())
        if not self.args.disable_tqdm and sys.stderr.isatty():
            self.add_callback(StepBar())

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, Any], return_outputs: bool = False, **kwargs: Any
    ) -> torch.Tensor | tuple[torch.Tensor, Any]:
        """Return the cross entropy, weighted by image."""
        outputs = model(pixel_values=inputs["pixel_values"])
        losses = nn.functional.cross_entropy(
            outputs.logits.float(),
            inputs["labels"],
            reduction="none",
            label_smoothing=self.args.label_smoothing_factor,
        )
        loss = (losses * inputs["weights"]).mean()
        return (loss, outputs) if return_outputs else loss

    def get_eval_dataloader(self, eval_dataset: Any = None) -> DataLoader[Any]:
        """Return a loader of every image: `dataloader_drop_last` is for the training."""
        drop_last, self.args.dataloader_drop_last = self.args.dataloader_drop_last, False
        try:
            return super().get_eval_dataloader(eval_dataset)
        finally:
            self.args.dataloader_drop_last = drop_last

    def trained_network(self) -> Any:
        """Return the network without the wrappers for several processes and mixed precision."""
        return self.accelerator.unwrap_model(self.model, keep_fp32_wrapper=False)

    def predicted_probabilities(self) -> NDArray[np.float64]:
        """Return the uncalibrated probability of the finding for the images of the evaluation, shape (N,)."""
        predicted = self.evaluation_loop(self.get_eval_dataloader(), "Prediction")
        return probabilities(predicted.predictions)

    def run(self, checkpoint: str | None) -> None:
        """Train from the start, or continue from a checkpoint of a killed run.

        If the training had ended when the checkpoint was saved, only its outcome is restored.
        """
        if checkpoint is not None:
            logger.info("Resuming from %s", checkpoint)
            state = TrainerState.load_from_json(str(Path(checkpoint) / TRAINER_STATE_NAME))
            control = state.stateful_callbacks.get("TrainerControl", {})
            if control.get("args", {}).get("should_training_stop"):
                self.state = state
                best = state.best_model_checkpoint if self.args.load_best_model_at_end else None
                self._load_from_checkpoint(best or checkpoint)
                return
        self.train(resume_from_checkpoint=checkpoint)

    def _load_best_model(self) -> None:
        self._load_from_checkpoint(self.state.best_model_checkpoint)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        network = self.accelerator.unwrap_model(self.model)
        network.load_state_dict(load_network(resume_from_checkpoint).state_dict(), strict=True)


class StepBar(ProgressCallback):
    """Progress bars of the Trainer without the dictionaries that it prints."""

    def on_log(self, *args: Any, **kwargs: Any) -> None:
        """Print nothing; `EpochReport` and TensorBoard show the numbers."""


class EpochReport(TrainerCallback):
    """One log line per epoch: accuracy with its sources, interval and shortcut baseline."""

    def on_log(self, args: TrainingArguments, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Log the line."""
        if state.is_world_process_zero and logs and "eval_accuracy" in logs:
            line = (
                "epoch {epoch:.3g}/{epochs:g}: validation loss {eval_loss:.4f}, accuracy {eval_accuracy:.2%} "
                "({eval_sources:.0f} sources: {eval_accuracy_low:.1%} to {eval_accuracy_high:.1%}; thumbnail ridge "
                "{eval_thumbnail_ridge:.2%}), sensitivity {eval_sensitivity:.2%}, specificity "
                "{eval_specificity:.2%}, AUROC {eval_auroc:.4f}"
            )
            with tqdm.external_write_mode(sys.stderr):  # so that the line does not break the bar
                logger.info("%s", line.format(epochs=args.num_train_epochs, **logs))


class SeedCallback(TrainerCallback):
    """Callback that makes augmentation and dropout depend only on the seed and the place in the training.

    Without it, a resumed run, or one with other workers, would continue with other random numbers.
    """

    def __init__(self, transform: PixelTransform) -> None:
        self._transform = transform

    def on_epoch_begin(self, args: TrainingArguments, state: Any, control: Any, **kwargs: Any) -> None:
        """Set the epoch of the transform."""
        self._transform.set_epoch(int(state.epoch or 0))

    def on_step_begin(self, args: TrainingArguments, state: Any, control: Any, **kwargs: Any) -> None:
        """Seed the dropout of the step."""
        place = np.random.SeedSequence((args.seed, state.global_step, args.process_index))
        torch.manual_seed(int(place.generate_state(1)[0]))


def probabilities(logits: Any) -> NDArray[np.float64]:
    """Return the uncalibrated probability of the finding, shape (N,), for logits of shape (N, 2)."""
    return torch.softmax(torch.as_tensor(logits, dtype=torch.float64), dim=1)[:, 1].numpy()


def build_trainer(
    setup: TrainingSetup, network: Any, *, train: Sequence[LoadedCohort], validation: Sequence[LoadedCohort]
) -> StrictTrainer:
    """Return a Trainer that is ready to run, and scores each epoch on the validation images."""
    training, preprocessing = setup.training, train[0].config
    augmentation = Augmentation(setup.augmentation, preprocessing.image_size)
    transform = PixelTransform(preprocessing, augmentation, seed=training.seed)
    stopping = [EarlyStoppingCallback(setup.model.early_stopping_patience)] if training.load_best_model_at_end else []
    return StrictTrainer(
        transform,
        model=network,
        args=training,
        train_dataset=build_dataset(train, transform, balance=setup.data.balance),
        eval_dataset=build_dataset(validation, PixelTransform(preprocessing), balance=setup.data.balance),
        compute_metrics=_epoch_scores(train, validation, folder=training.output_dir),
        callbacks=stopping,
    )


def _epoch_scores(
    train: Sequence[LoadedCohort], validation: Sequence[LoadedCohort], *, folder: str
) -> Callable[[EvalPrediction], dict[str, float]]:
    """Return a function that scores an epoch, with sources, interval and shortcut baseline of its accuracy."""
    metric = BinaryScores(keep_in_memory=True, cache_dir=folder)  # by default, it needs a folder in HOME
    distinct = sum(len(part.cohort.sources) for part in validation)
    positive = np.concatenate([part.positive for part in validation])
    target = binary_target(NEGATIVE_LABEL, POSITIVE_LABEL)
    ridge = float(np.mean(shortcut_calls(train, validation, target=target)[0] == positive))

    def scores(predicted: EvalPrediction) -> dict[str, float]:
        computed = metric.compute(
            predictions=probabilities(predicted.predictions), references=np.asarray(predicted.label_ids)
        )
        low, high = wilson_interval(computed["accuracy"], distinct)
        return {**computed, "sources": distinct, "accuracy_low": low, "accuracy_high": high, "thumbnail_ridge": ridge}

    return scores
