"""Predict many files; one bad file never ends the rest."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from spinealign.errors import SpineAlignError
from spinealign.imaging.reading import IMAGE_SUFFIXES
from spinealign.inference.prediction import Prediction
from spinealign.inference.predictor import Predictor


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
    ones are left out. A name that matches nothing stays in the list, so that it is reported.

    Args:
        patterns: Paths of files or folders, or globs (`**` goes through folders).
    """
    found: dict[str, None] = {}
    for pattern in patterns:
        path = Path(pattern)
        if os.path.isdir(path):  # unlike the methods of Path, these two never raise
            found.update(dict.fromkeys(_files_below(path)))
        elif os.path.exists(path) or not (matches := sorted(glob.glob(pattern, recursive=True))):
            found[pattern] = None
        else:
            found.update(dict.fromkeys(match for match in matches if Path(match).is_file()))
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
