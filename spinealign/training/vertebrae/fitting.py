"""One training run on stored films, which continues after a kill."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from copy import copy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from transformers import TrainingArguments, set_seed

from spinealign.networks.vertebrae import VertebraConfig, VertebraNetwork
from spinealign.training.resuming import unfinished_run
from spinealign.training.trainer_arguments import WITHOUT_EFFECT
from spinealign.training.vertebrae.arguments import VertebraSetup
from spinealign.training.vertebrae.dataset import StoredFilm
from spinealign.training.vertebrae.trainer import build_vertebra_trainer


@dataclass(frozen=True)
class Others:
    """Images that every network learns from, and that none is scored on.

    Attributes:
        films: Films with vertebrae, such as drawn ones.
        backgrounds: Images without any.
    """

    films: Sequence[StoredFilm] = ()
    backgrounds: Sequence[StoredFilm] = ()


def fit_network(
    films: Sequence[StoredFilm],
    others: Others,
    *,
    setup: VertebraSetup,
    folder: Path,
    epochs: float | None = None,
) -> tuple[VertebraNetwork, list[dict[str, Any]]]:
    """Train a network, or continue the unfinished run in a folder, and return it with the log of the Trainer.

    Args:
        films: Films with vertebrae.
        others: Images that every network learns from.
        setup: Options of the networks and the Trainer.
        folder: Folder of the run; it stays, so that the caller can delete it when the outcome is saved.
        epochs: Number of epochs, if it is not that of the setup.

    Raises:
        ValueError: If the folder holds an unfinished run with other options or films.
    """
    own = copy(setup.training)
    own.output_dir, own.num_train_epochs = str(folder), epochs or setup.training.num_train_epochs
    checkpoint = unfinished_run(folder, _describe(setup, own, [*films, *others.films, *others.backgrounds]))
    set_seed(own.seed)
    model = setup.model
    network = VertebraNetwork(VertebraConfig(width=model.width))
    trainer = build_vertebra_trainer(
        network,
        [*films, *others.films],
        backgrounds=others.backgrounds,
        shapes=model.shapes,
        arguments=own,
    )
    trainer.run(checkpoint)
    return trainer.trained_network(), trainer.state.log_history


def _describe(setup: VertebraSetup, arguments: TrainingArguments, films: Sequence[StoredFilm]) -> dict[str, Any]:
    """Return what determines the outcome of a run, as plain data for JSON."""
    digest = hashlib.sha256()
    for film in films:
        for array in (film.fine, film.tall, film.corners, film.reliable):
            digest.update(array.tobytes())
    options = {name: value for name, value in arguments.to_dict().items() if not WITHOUT_EFFECT.match(name)}
    content = {
        "model": asdict(setup.model),
        "training": options,
        "run": {"images": digest.hexdigest(), "processes": arguments.world_size},
    }
    return dict(json.loads(json.dumps(content, default=str)))
