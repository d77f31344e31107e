"""Continuation of killed runs, with a check that the options are the same."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_utils import get_last_checkpoint

from spinealign.cohort.loading import LoadedCohort
from spinealign.training.setup import TrainingSetup
from spinealign.training.trainer_arguments import WITHOUT_EFFECT

SETUP_FILE = "setup.json"


def describe_run(setup: TrainingSetup, collections: Sequence[LoadedCohort]) -> dict[str, Any]:
    """Return everything that determines the outcome of a run, as plain data for JSON."""
    digest = hashlib.sha256()
    for item in collections:
        for sample in item.cohort:
            digest.update(
                f"{item.cohort.name}/{sample.name}/{sample.label or dict(sample.labels)}/{sample.split}".encode(
                    errors="surrogateescape"
                )
            )
        for image in item.gray:
            digest.update(image.tobytes())
    training = {name: value for name, value in setup.training.to_dict().items() if not WITHOUT_EFFECT.match(name)}
    options = {name: asdict(getattr(setup, name)) for name in ("data", "model", "augmentation", "enhancement", "takes")}
    del options["data"]["cache_dir"]  # it may change when a run continues
    content = {
        **options,
        "training": training,
        "run": {"images": digest.hexdigest(), "processes": setup.training.world_size},
    }
    return dict(json.loads(json.dumps(content, default=str)))


def unfinished_run(run: Path, description: dict[str, Any]) -> str | None:
    """Return the checkpoint from which a killed run continues, or prepare a new run and return None.

    `run` is the folder in which the Trainer saves; it need not exist. `description` is that of `describe_run`.

    Raises:
        ValueError: If the folder holds an unfinished run with other options.
    """
    setup = run / SETUP_FILE
    if not setup.is_file() or not (checkpoint := last_whole_checkpoint(run)):
        finish_run(run)
        run.mkdir(parents=True, exist_ok=True)
        setup.write_text(json.dumps(description, indent=2), encoding="utf-8")
        return None
    try:
        before = json.loads(setup.read_text(encoding="utf-8"))
        changed = [
            f"{name} was {before[group].get(name)!r} and is {value!r}"
            for group, values in description.items()
            for name, value in values.items()
            if before[group].get(name) != value
        ]
    except (ValueError, KeyError, AttributeError):
        changed = [f"{setup.name} is damaged"]
    if changed:
        raise ValueError(
            f"{run} holds an unfinished run with other options ({'; '.join(changed)}). Use the same options to "
            "continue, delete the folder to start again, or choose another output_dir."
        )
    return checkpoint


def finish_run(run: Path) -> None:
    """Delete everything in the folder of a run except its logs."""
    (run / SETUP_FILE).unlink(missing_ok=True)  # first, so that leftovers of an interrupted deletion are ignored
    for leftover in run.glob("checkpoint-*"):
        shutil.rmtree(leftover)


def keep_logs(run: Path, folder: Path) -> None:
    """Move the logs of a finished run, which name the machine, to `folder`, and delete the folder of the run."""
    finish_run(run)
    for log in sorted((run / "runs").glob("*")):
        folder.mkdir(parents=True, exist_ok=True)
        shutil.move(log, folder / log.name)
    shutil.rmtree(run)


def last_whole_checkpoint(folder: Path) -> str | None:
    """Return the newest complete checkpoint of the Trainer in a folder, if any, and delete incomplete newer ones."""
    while folder.is_dir() and (newest := get_last_checkpoint(str(folder))) is not None:
        try:
            json.loads((Path(newest) / TRAINER_STATE_NAME).read_text(encoding="utf-8"))  # the Trainer writes it last
            return newest
        except (OSError, ValueError):
            shutil.rmtree(newest)
    return None
