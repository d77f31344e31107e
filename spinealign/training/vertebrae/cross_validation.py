"""Cross-validation over groups of films, and the file of its predictions."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import Any

from tqdm import tqdm

from spinealign.alignment.locating import locate
from spinealign.alignment.preparing import prepare
from spinealign.checkpoint.vertebra_engines import TorchVertebraEngine
from spinealign.cohort.landmarks.film import Film
from spinealign.cohort.landmarks.grouping import film_folds
from spinealign.evaluation.measured_film import MeasuredFilm, measure_film
from spinealign.training.fold_files import digest_of_code, load_predictions, save_predictions
from spinealign.training.vertebrae.arguments import VertebraSetup
from spinealign.training.vertebrae.films import store_films
from spinealign.training.vertebrae.fitting import Others, fit_network

logger = logging.getLogger(__name__)

# Everything that decides what a network learns and finds; a change makes stored predictions stale.
CODE = (
    "alignment/cobb.py",
    "alignment/locating.py",
    "alignment/maps.py",
    "alignment/measuring.py",
    "alignment/preparing.py",
    "alignment/vertebra.py",
    "cohort/landmarks/grouping.py",
    "evaluation/measured_film.py",
    "imaging/frames.py",
    "imaging/sampling.py",
    "networks/vertebrae.py",
    "training/vertebrae/arguments.py",
    "training/vertebrae/augmentation.py",
    "training/vertebrae/averaging.py",
    "training/vertebrae/dataset.py",
    "training/vertebrae/films.py",
    "training/vertebrae/fitting.py",
    "training/vertebrae/loss.py",
    "training/vertebrae/targets.py",
    "training/vertebrae/trainer.py",
)


@dataclass(frozen=True)
class FoldPredictions:
    """What the networks of a cross-validation found in held-out films; numbers only.

    Attributes:
        films: The films, each measured by a network that was not trained on its group.
        folds: Number of folds.
        epochs: Epochs of each network.
        seed: Seed of folds and training.
        code: Digest of the code of network, training and measuring; see `code_digest`.
        data: Digest of the films and labels.
    """

    films: tuple[MeasuredFilm, ...]
    folds: int
    epochs: float
    seed: int
    code: str
    data: str

    def save(self, path: Path) -> None:
        """Write the predictions as JSON."""
        save_predictions(self, path)

    @classmethod
    def load(cls, path: Path) -> FoldPredictions:
        """Read predictions.

        Raises:
            CohortError: If the file is damaged.
        """
        return load_predictions(cls, path)


def code_digest() -> str:
    """Return a digest of the code that decides what a network learns and finds, in hexadecimal."""
    return digest_of_code(CODE)


def cross_validate_films(
    setup: VertebraSetup, films: Sequence[Film], *, others: Others, data: str, run: Path
) -> FoldPredictions:
    """Train a network for each fold over groups, and measure the films of the fold with it.

    Finished folds are kept in the folder of the run, and are not trained again when a killed run continues.
    """
    folds = film_folds(films, folds=setup.data.folds, seed=setup.training.seed)
    epochs = float(setup.data.fold_epochs or setup.training.num_train_epochs)
    stored = store_films(films)
    code, measured = code_digest(), list[MeasuredFilm]()
    for number in range(setup.data.folds):
        file = run / f"fold-{number + 1}.json"
        part = FoldPredictions.load(file) if file.is_file() else None
        if part is None or (part.code, part.data, part.epochs) != (code, data, epochs):
            logger.info("Cross-validation: fold %d of %d", number + 1, setup.data.folds)
            rest = [film for film, fold in zip(stored, folds) if fold != number]
            folder = run / f"fold-{number + 1}"
            network, _ = fit_network(rest, others, setup=setup, folder=folder, epochs=epochs)
            held_out = [film for film, fold in zip(films, folds) if fold == number]
            found = _measure(network, held_out, shapes=setup.model.shapes, fold=number)
            part = FoldPredictions(found, setup.data.folds, epochs, setup.training.seed, code, data)
            part.save(file)
            rmtree(folder)
        measured += part.films
    return FoldPredictions(tuple(measured), setup.data.folds, epochs, setup.training.seed, code, data)


def _measure(
    network: Any, films: Sequence[Film], *, shapes: tuple[tuple[int, int], tuple[int, int]], fold: int
) -> tuple[MeasuredFilm, ...]:
    engine, count = TorchVertebraEngine(network), network.config.count
    measured = []
    for film in tqdm(films, desc="Measuring held-out films", unit="film", leave=False, disable=None):
        prepared = prepare(film.read())
        location = locate(engine, prepared, shapes=shapes, count=count)
        measured.append(measure_film(film, location, prepared=prepared, fold=fold))
    return tuple(measured)
