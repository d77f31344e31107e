"""A file of corrections for the labels of a collection."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from spinealign.errors import CohortError, ImageError
from spinealign.reading.files import read_file

ACTIONS = ("drop", "keep", "mask", "omit", "join")


@dataclass(frozen=True)
class Repair:
    """A correction of one label.

    Attributes:
        film: File or name of the film.
        action: `drop` leaves out the film, `keep` takes its corners as they are written, `omit` leaves out vertebrae
            before the checks, `mask` marks vertebrae as not reliable after them, and `join` puts the film into the
            group of another one.
        detail: Numbers of the vertebrae from 1, separated by spaces, for `omit` and `mask`; the other film, by its file
            or name, for `join`.
        reason: Why.
    """

    film: str
    action: str
    detail: str
    reason: str

    @property
    def vertebrae(self) -> list[int]:
        """Places of the vertebrae that `omit` and `mask` concern, from 0."""
        return [int(number) - 1 for number in self.detail.split()] if self.action in ("omit", "mask") else []


def read_repairs(file: Path) -> tuple[Repair, ...]:
    """Read a CSV with the columns file, action, detail and reason; a film may have several rows.

    Raises:
        CohortError: If it cannot be read, or an action is unknown.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(read_file(file).decode("utf-8-sig"))))
        return tuple(_repair(row) for row in rows)
    except (ImageError, UnicodeDecodeError, csv.Error) as error:
        raise CohortError(f"{file} cannot be read as CSV in UTF-8: {error}") from error
    except (KeyError, AttributeError, ValueError) as error:
        raise CohortError(
            f"{file.name} needs the columns file, action, detail and reason; the actions are {', '.join(ACTIONS)}; "
            f"mask and omit need numbers of vertebrae, and join another film ({error})."
        ) from None


def _repair(row: dict[str, str]) -> Repair:
    repair = Repair(*(row[column].strip() for column in ("file", "action", "detail", "reason")))
    detailed = repair.action in ("mask", "omit", "join")
    if repair.action not in ACTIONS or bool(repair.detail) != detailed or min(repair.vertebrae, default=0) < 0:
        raise ValueError(f"{repair.film}: {repair.action} {repair.detail}")
    return repair
