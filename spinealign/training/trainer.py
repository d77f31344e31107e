"""Hugging Face Trainer with a weighted loss and strict loading of checkpoints.

The Trainer of transformers 5 saves some weights under legacy names and loads them with `strict=False`, so
`load_best_model_at_end` and `resume_from_checkpoint` skip most of a ViT's encoder (transformers#43701).
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

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
from spinealign.evaluation.scoring import shortcut_calls
from spinealign.labels import MISSING, Target
from spinealign.metrics.intervals import wilson_interval
from spinealign.metrics.registry import METRICS, format_score, score_title
from spinealign.training.augmentation import Augmentation
from spinealign.training.dataset import PixelTransform, build_dataset
from spinealign.training.loss import target_loss
from spinealign.training.metric import TargetScores
from spinealign.training.setup import TrainingSetup

logger = logging.getLogger(__name__)


class HasEpochs(Protocol):
    """Something that changes from epoch to epoch, such as a random transform."""

    def set_epoch(self, epoch: int) -> None:
        """Set the number of the epoch, from 0."""


class StrictTrainer(Trainer):
    """A Trainer that loads every tensor of a checkpoint or fails, and tells its random views the epoch.

    Args:
        views: Dataset or transform that makes random views of the training images.
        load: Function that loads the network of a folder, with every tensor.
        kwargs: Arguments of `transformers.Trainer`.
    """

    def __init__(self, views: HasEpochs, *, load: Callable[[str], Any] = load_network, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._load_network = load
        self.model_accepts_loss_kwargs = False  # so that the Trainer averages over accumulated batches
        for stock in (PrinterCallback, ProgressCallback):  # a notebook keeps its own progress callback
            self.remove_callback(stock)
        self.add_callback(SeedCallback(views))
        if not self.args.disable_tqdm and sys.stderr.isatty():
            self.add_callback(StepBar())

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

    def predicted_logits(self) -> NDArray[np.float64]:
        """Return the logits for the images of the evaluation, shape (N, outputs)."""
        return np.asarray(self.evaluation_loop(self.get_eval_dataloader(), "Prediction").predictions, np.float64)

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
                self.restore_outcome(best or checkpoint)
                return
        self.train(resume_from_checkpoint=checkpoint)

    def restore_outcome(self, checkpoint: str) -> None:
        """Load the network with which a finished training ended."""
        self._load_from_checkpoint(checkpoint)

    def _load_best_model(self) -> None:
        self._load_from_checkpoint(self.state.best_model_checkpoint)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        network = self.accelerator.unwrap_model(self.model)
        network.load_state_dict(self._load_network(resume_from_checkpoint).state_dict(), strict=True)


class ClassifierTrainer(StrictTrainer):
    """Trainer of a classifier with the loss of a target, which logs the scores of each epoch."""

    def __init__(self, transform: PixelTransform, target: Target, **kwargs: Any) -> None:
        super().__init__(transform, **kwargs)
        self.target = target
        self.add_callback(EpochReport())

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, Any], return_outputs: bool = False, **kwargs: Any
    ) -> torch.Tensor | tuple[torch.Tensor, Any]:
        """Return the loss of the target, weighted by image."""
        outputs = model(pixel_values=inputs["pixel_values"])
        loss = target_loss(
            outputs.logits,
            inputs["labels"],
            weights=inputs["weights"],
            target=self.target,
            smoothing=self.args.label_smoothing_factor,
        )
        return (loss, outputs) if return_outputs else loss


class StepBar(ProgressCallback):
    """Progress bars of the Trainer without the dictionaries that it prints."""

    def on_log(self, *args: Any, **kwargs: Any) -> None:
        """Print nothing; `EpochReport` and TensorBoard show the numbers."""


class EpochReport(TrainerCallback):
    """One log line per epoch: accuracy with its sources, interval and shortcut baseline, and other scores."""

    def on_log(self, args: TrainingArguments, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Log the line."""
        if state.is_world_process_zero and logs and "eval_accuracy" in logs:
            line = (
                "epoch {epoch:.3g}/{epochs:g}: validation loss {eval_loss:.4f}, accuracy {eval_accuracy:.2%} "
                "({eval_sources:.0f} sources: {eval_accuracy_low:.1%} to {eval_accuracy_high:.1%}; thumbnail ridge "
                "{eval_thumbnail_ridge:.2%})"
            )
            shown = (name for name, metric in METRICS.items() if metric.in_summary and f"eval_{name}" in logs)
            shown = (name for name in shown if name != "accuracy")
            line += "".join(f", {score_title(name)} {format_score(name, logs[f'eval_{name}'])}" for name in shown)
            with tqdm.external_write_mode(sys.stderr):  # so that the line does not break the bar
                logger.info("%s", line.format(epochs=args.num_train_epochs, **logs))


class SeedCallback(TrainerCallback):
    """Callback that makes augmentation and dropout depend only on the seed and the place in the training.

    Without it, a resumed run, or one with other workers, would continue with other random numbers.
    """

    def __init__(self, views: HasEpochs) -> None:
        self._views = views

    def on_epoch_begin(self, args: TrainingArguments, state: Any, control: Any, **kwargs: Any) -> None:
        """Set the epoch of the views."""
        self._views.set_epoch(int((state.epoch or 0) + 1e-6))  # a resumed run begins within an epoch

    def on_step_begin(self, args: TrainingArguments, state: Any, control: Any, **kwargs: Any) -> None:
        """Seed the dropout of the step."""
        place = np.random.SeedSequence((args.seed, state.global_step, args.process_index))
        torch.manual_seed(int(place.generate_state(1)[0]))


def build_trainer(
    setup: TrainingSetup,
    network: Any,
    *,
    target: Target,
    train: Sequence[LoadedCohort],
    validation: Sequence[LoadedCohort],
) -> ClassifierTrainer:
    """Return a Trainer that is ready to run, and scores each epoch on the validation images."""
    training, preprocessing = setup.training, train[0].config
    augmentation = Augmentation(setup.augmentation, preprocessing.image_size)
    transform = PixelTransform(preprocessing, augmentation, seed=training.seed)
    stopping = [EarlyStoppingCallback(setup.model.early_stopping_patience)] if training.load_best_model_at_end else []
    build = partial(build_dataset, target=target, balance=setup.data.balance)
    return ClassifierTrainer(
        transform,
        target,
        model=network,
        args=training,
        train_dataset=build(train, transform),
        eval_dataset=build(validation, PixelTransform(preprocessing)),
        compute_metrics=_epoch_scores(target, train, validation, folder=training.output_dir),
        callbacks=stopping,
    )


def _epoch_scores(
    target: Target, train: Sequence[LoadedCohort], validation: Sequence[LoadedCohort], *, folder: str
) -> Callable[[EvalPrediction], dict[str, float]]:
    """Return a function that scores an epoch, with sources, interval and shortcut baseline of its accuracy.

    Over several labels, the accuracies are means.
    """
    metric = TargetScores(target, keep_in_memory=True, cache_dir=folder)  # by default, it needs a folder in HOME
    distinct = sum(len(part.cohort.sources) for part in validation)
    shares = []
    for label, called in zip(target.labels, shortcut_calls(train, validation, target=target)):
        codes = np.concatenate([part.codes(label) for part in validation])
        known = codes != MISSING
        shares += [(called == codes)[known].mean()] if called is not None and known.any() else []
    ridge = float(np.mean(shares)) if shares else float("nan")

    def scores(predicted: EvalPrediction) -> dict[str, float]:
        computed = metric.compute(
            predictions=np.asarray(predicted.predictions, np.float64), references=np.asarray(predicted.label_ids)
        )
        low, high = wilson_interval(computed["accuracy"], distinct)
        return {**computed, "sources": distinct, "accuracy_low": low, "accuracy_high": high, "thumbnail_ridge": ridge}

    return scores
