"""A file of corrections for the labels of a collection."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from spinealign.errors import CohortError, ImageError
from spinealign.reading.files import read_file

ACTIONS = ("drop", "keep", "mask", "omit")


@dataclass(frozen=True)
class Repair:
    """A correction of one label.

    Attributes:
        action: `drop` leaves out the film, `keep` takes its corners as they are written, `mask` marks vertebrae as not
            reliable, and `omit` leaves out vertebrae before the checks.
        vertebrae: Numbers of the vertebrae that `mask` and `omit` concern, from 1, in the order of the file.
        reason: Why.
    """

    action: str
    vertebrae: tuple[int, ...]
    reason: str


def read_repairs(file: Path) -> dict[str, Repair]:
    """Return the corrections by the file or name of the film.

    The file is a CSV with the columns file, action, vertebrae (numbers separated by spaces) and reason.

    Raises:
        CohortError: If it cannot be read, or an action is unknown.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(read_file(file).decode("utf-8-sig"))))
        return {row["file"].strip(): _repair(row) for row in rows}
    except (ImageError, UnicodeDecodeError, csv.Error) as error:
        raise CohortError(f"{file} cannot be read as CSV in UTF-8: {error}") from error
    except (KeyError, AttributeError, ValueError) as error:
        raise CohortError(
            f"{file.name} needs the columns file, action, vertebrae and reason; the actions are {', '.join(ACTIONS)}, "
            f"and mask and omit need numbers of vertebrae ({error})."
        ) from None


def _repair(row: dict[str, str]) -> Repair:
    action, vertebrae = row["action"].strip(), tuple(int(number) for number in row["vertebrae"].split())
    if action not in ACTIONS or bool(vertebrae) != (action in ("mask", "omit")) or min(vertebrae, default=1) < 1:
        raise ValueError(f"{row['file']}: {action} {row['vertebrae']}")
    return Repair(action, vertebrae, row["reason"].strip())
