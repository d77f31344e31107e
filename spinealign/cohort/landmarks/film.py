"""Films with the corners of their vertebrae, without pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinealign.imaging.slice import Slice
from spinealign.reading.slices import read_slice

TEST = "test"


@dataclass(frozen=True, eq=False)
class Film:
    """One frontal film of the spine and its label.

    Attributes:
        path: Path of the file; for a Hub dataset, its name there.
        name: Original name of the film, or that of its file.
        corners: float64 of shape (N, 4, 2): x and y of the corners at the top left, top right, bottom left and bottom
            right of each vertebra from the top, as fractions of width and height. N is 0 for a film without vertebrae,
            which a network must learn to reject.
        reliable: bool of shape (N,); False for vertebrae with a doubtful outline, which a loss ignores.
        shape: Height and width in pixels.
        split: `train`, `calibration`, `val` or `test`.
        group: Films of one group may show the same radiograph or patient.
        given_angles: Cobb angles in degrees that the collection states, main angle first; None without them.
        content: Content of the file, if it is not at `path`.
    """

    path: Path
    name: str
    corners: NDArray[np.float64] = field(repr=False)
    reliable: NDArray[np.bool_] = field(repr=False)
    shape: tuple[int, int]
    split: str
    group: str
    given_angles: tuple[float, ...] | None = None
    content: bytes | None = field(default=None, repr=False)

    @property
    def points(self) -> NDArray[np.float64]:
        """The corners in pixels, shape (N, 4, 2)."""
        points: NDArray[np.float64] = self.corners * self.shape[::-1]
        return points

    def read(self) -> Slice:
        """Read the pixels; see `read_slice` for the errors."""
        return read_slice(self.path if self.content is None else self.content)


@dataclass(frozen=True)
class LabelCheck:
    """Result of the checks of one film's label.

    Attributes:
        name: Name of the film.
        split: Its split.
        outcome: `ok`, `repaired`, `masked` if vertebrae are not reliable, `dropped`, or `flagged` for a film of the
            test split that would be dropped from another one.
        reasons: What was found, such as "vertebrae out of order".
    """

    name: str
    split: str
    outcome: str
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class LandmarkCohort:
    """Films of one collection.

    Attributes:
        name: Name of the collection.
        films: The films with a usable label, in a fixed order.
        checks: Result of the checks of each film that could be read, also of dropped ones.
        notes: What was passed over, and why.
        digest: Digest of all files and labels, in hexadecimal.
    """

    name: str
    films: tuple[Film, ...]
    checks: tuple[LabelCheck, ...]
    notes: tuple[str, ...]
    digest: str

    def __len__(self) -> int:
        return len(self.films)

    def __iter__(self) -> Iterator[Film]:
        return iter(self.films)

    def __repr__(self) -> str:
        splits = dict(Counter(film.split for film in self.films))
        return f"LandmarkCohort({self.name!r}, films={len(self)}, splits={splits}, checks={self.outcomes})"

    @property
    def outcomes(self) -> dict[str, int]:
        """Number of films by the outcome of their check."""
        return dict(sorted(Counter(check.outcome for check in self.checks).items()))

    def part(self, split: str) -> LandmarkCohort:
        """Return the films of one split, with its checks."""
        films = tuple(film for film in self.films if film.split == split)
        return replace(self, films=films, checks=tuple(check for check in self.checks if check.split == split))

    @property
    def unseen_training(self) -> LandmarkCohort:
        """Films of other splits whose group has no film in `test`."""
        tested = {film.group for film in self.films if film.split == TEST}
        return replace(self, films=tuple(film for film in self.films if film.group not in tested))

    @property
    def clean_test(self) -> LandmarkCohort:
        """Films of `test` whose group has no film in another split."""
        shown = {film.group for film in self.films if film.split != TEST}
        return replace(self, films=tuple(film for film in self.part(TEST) if film.group not in shown))
