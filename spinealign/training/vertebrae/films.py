"""Films and backgrounds of a training, prepared and kept in memory."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

import numpy as np
from tqdm import tqdm

from spinealign.alignment.preparing import prepare
from spinealign.cohort.landmarks.film import Film
from spinealign.errors import CohortError, ImageError
from spinealign.reading.discovery import expand_paths
from spinealign.reading.slices import read_slice
from spinealign.training.vertebrae.dataset import StoredFilm

logger = logging.getLogger(__name__)


def store_films(films: Sequence[Film]) -> list[StoredFilm]:
    """Read films for a training.

    Raises:
        ImageError: If the pixels of a film cannot be read.
    """
    return [
        StoredFilm.store(prepare(film.read()), shares=film.corners, reliable=film.reliable)
        for film in tqdm(films, desc="Reading films", unit="film", leave=False, disable=None, delay=1.0)
    ]


def store_backgrounds(folders: Iterable[str]) -> list[StoredFilm]:
    """Read all images of folders as images without vertebrae; those that cannot be read are counted.

    Raises:
        CohortError: If a folder has no image that can be read.
    """
    stored = []
    for folder in folders:
        paths, _ = expand_paths([folder])
        kept = [film for path in paths if (film := _background(path)) is not None]
        if not kept:
            raise CohortError(f"{folder} has no image that can be read as a background.")
        if len(kept) < len(paths):
            logger.info("Backgrounds in %s that cannot be read: %d of %d", folder, len(paths) - len(kept), len(paths))
        stored += kept
    return stored


def _background(path: str) -> StoredFilm | None:
    try:
        film = prepare(read_slice(path))
    except ImageError:
        return None
    return StoredFilm.store(film, shares=np.zeros((0, 4, 2)), reliable=np.zeros(0, bool))
