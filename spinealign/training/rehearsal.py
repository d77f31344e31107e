"""Checks before a training reads images, so that what cannot work fails in seconds."""

from __future__ import annotations

import tempfile
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from transformers import TrainingArguments
from transformers.integrations import get_reporting_integration_callbacks

from spinealign.checkpoint.settings import ModelSettings
from spinealign.cohort.cohort import Cohort, Sample
from spinealign.cohort.loading import LoadedCohort
from spinealign.config import PreprocessingConfig
from spinealign.labels import Target
from spinealign.training.saving import save_network
from spinealign.training.setup import TrainingSetup
from spinealign.training.trainer import EpochReport, build_trainer


def check_setup(setup: TrainingSetup) -> None:
    """Check options, files, folders and packages, without the network and the images.

    Raises:
        OSError: If a file is missing or a folder cannot be written.
        ValueError: If an option is not supported or needs a package that is not installed.
    """
    refuse_push(setup.training)
    if setup.model.card_notes and not Path(setup.model.card_notes).is_file():
        raise FileNotFoundError(f"There is no file {setup.model.card_notes}; card_notes names a Markdown file.")
    check_output(Path(setup.training.output_dir), cache_dir=setup.data.cache_dir)
    try:
        for callback in get_reporting_integration_callbacks(setup.training.report_to):
            callback()
    except (RuntimeError, ValueError, ImportError) as error:
        raise ValueError(f"report_to {', '.join(setup.training.report_to)} cannot be used: {error}") from error


def refuse_push(training: TrainingArguments) -> None:
    """Refuse the push of the Trainer.

    Raises:
        ValueError: If it is requested.
    """
    if training.push_to_hub:
        raise ValueError(
            "push_to_hub of the Trainer would upload pickles. Use spinealign.train(..., push_to_hub=True) or "
            "spinealign.push_to_hub, which push the finished checkpoint."
        )


def check_output(output: Path, *, cache_dir: str | None = None) -> None:
    """Check that the folders of a training can be written.

    Raises:
        OSError: If one cannot be written; the message names the option.
    """
    output = output.resolve()
    folders = [(output, "output_dir"), (output.parent, "output_dir")]  # logs are written beside the checkpoint
    if cache_dir is not None:
        folders.append((Path(cache_dir).resolve(), "cache_dir"))
    for folder, option in folders:
        existing = next(path for path in (folder, *folder.parents) if path.exists())
        try:
            tempfile.TemporaryFile(dir=existing).close()
        except OSError as error:
            raise type(error)(f"{existing} cannot be written ({error.strerror}); choose another {option}.") from error


def rehearse(setup: TrainingSetup, network: Any, *, target: Target, preprocessing: PreprocessingConfig) -> None:
    """Train a copy of the network for one step on random images, evaluate it, and save it in a temporary folder.

    The step runs in this process, in the requested precision and with the requested optimizer. The loader of the
    training images is created, but starts no workers.

    Raises:
        ValueError: If a step fails.
    """
    rows = 2 * setup.training.world_size
    side = preprocessing.image_size
    labels = [{label.name: label.classes[row % len(label.classes)] for label in target.labels} for row in range(rows)]
    samples = tuple(Sample("", None, str(row), name=str(row), labels=of_row) for row, of_row in enumerate(labels))
    gray = np.random.default_rng(0).integers(0, 256, (rows, side, side), np.uint8)
    noise = LoadedCohort(Cohort("rehearsal", samples), gray, preprocessing)
    setup = replace(setup)  # with its own options of the Trainer
    training = setup.training
    training.max_steps, training.eval_steps, training.eval_delay = 1, 1, 0
    training.save_strategy, training.load_best_model_at_end = "no", False
    training.report_to, training.disable_tqdm, training.dataloader_drop_last = [], True, False
    with tempfile.TemporaryDirectory() as folder:
        training.output_dir = folder
        try:
            trainer = build_trainer(setup, deepcopy(network), target=target, train=[noise], validation=[noise])
            trainer.remove_callback(EpochReport)
            trainer.get_train_dataloader()
            training.dataloader_num_workers, training.dataloader_persistent_workers = 0, False
            training.dataloader_prefetch_factor = training.dataloader_multiprocessing_context = None
            trainer.train()
            if training.process_index == 0:  # as at the end of the training
                save_network(
                    Path(folder) / "export",
                    trainer.trained_network(),
                    settings=ModelSettings(target=target, preprocessing=preprocessing),
                    weights_dtype=setup.model.weights_dtype,
                )
        except Exception as error:  # torch, transformers and their backends raise many types
            reason = " ".join(str(error).split()).removesuffix(".")
            raise ValueError(
                f"A step of the training fails with these options ({type(error).__name__}: {reason}). Change the "
                "options that the message names."
            ) from error
