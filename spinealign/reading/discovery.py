"""Predict many files; one bad file never ends the rest."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from spinealign.errors import SpineAlignError
from spinealign.inference.prediction import Prediction
from spinealign.inference.predictor import Predictor
from spinealign.reading.slices import IMAGE_SUFFIXES


@dataclass(frozen=True)
class BatchResult:
    """The outcome for one file: a prediction, or the message of what went wrong.

    Attributes:
        path: The file as it was named or found.
        prediction: What the model says, or None.
        error: What went wrong and what to do, or None.
    """

    path: str
    prediction: Prediction | None = None
    error: str | None = None


def expand_paths(patterns: Iterable[str]) -> list[str]:
    """List the files that paths, folders and globs name, each once and in order.

    A folder stands for the images below it by their suffix, and for files without one, as DICOM files often are; hidden
    ones are left out. A name that matches nothing and a folder without images stay in the list, to be reported.

    Args:
        patterns: Paths of files or folders, or globs (`**` goes through folders).
    """
    found: dict[str, None] = {}
    for pattern in patterns:
        path = Path(pattern)
        if os.path.exists(path):  # unlike the method of Path, this never raises
            matches = [pattern]
        elif "**" in pattern:  # it goes through the folders by itself
            matches = [match for match in glob.glob(pattern, recursive=True) if not os.path.isdir(match)]
        else:
            matches = glob.glob(pattern)
        for match in sorted(matches) or [pattern]:
            below = _files_below(Path(match)) if os.path.isdir(match) else []
            found.update(dict.fromkeys(below or [match]))
    return list(found)


def _files_below(folder: Path) -> list[str]:
    wanted = IMAGE_SUFFIXES | {""}
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in wanted and path.is_file())
    return [str(path) for path in files if not any(part.startswith(".") for part in path.relative_to(folder).parts)]


def predict_files(predictor: Predictor, paths: Iterable[str]) -> Iterator[BatchResult]:
    """Predict files one after the other.

    Args:
        predictor: The model.
        paths: The files.

    Yields:
        One result for each path, in order; a file that cannot be used gives its message.
    """
    for path in paths:
        try:
            yield BatchResult(path, prediction=predictor(path))
        except SpineAlignError as error:
            yield BatchResult(path, error=str(error))
