"""Exceptions of the library.

```
SpineAlignError
├── ImageError                 this image cannot be used
│   ├── UnreadableImageError       damaged, truncated, too large, or not an image
│   └── UnsupportedFormatError     readable, but not of an accepted kind
├── CohortError                this collection cannot be used
│   └── LeakageError               a source or patient is in two splits
├── CheckpointError            this model is incomplete or unsafe
├── HubError                   the Hub refused a request or could not be reached
└── MissingDependencyError     an extra is not installed, or not in the version it needs; also an ImportError
```

A poor or unfamiliar image is a result (`Prediction.accepted` is false), not an exception. Wrong arguments raise
ValueError or TypeError.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from packaging.requirements import Requirement

_DISTRIBUTIONS = {"skimage": "scikit-image", "sklearn": "scikit-learn"}  # by name of the import, where they differ


class SpineAlignError(Exception):
    """Base class of all errors of this library. The message says what to do."""


class ImageError(SpineAlignError):
    """The image cannot be used.

    Attributes:
        source: Where the image came from: the path as given, or a description; empty if unknown.
    """

    source: str = ""


SliceError = ImageError  # the former name, deprecated; removed in the next release


class UnreadableImageError(ImageError):
    """The image is damaged, truncated, too large, or not an image."""


class UnsupportedFormatError(ImageError):
    """The image is readable, but not of an accepted kind."""


class CohortError(SpineAlignError):
    """The collection of images cannot be used."""


class LeakageError(CohortError):
    """A source or patient is in two splits.

    Attributes:
        pairs: Name and splits of each of them. A patient is named by one of its sources.
    """

    def __init__(self, pairs: Sequence[tuple[str, tuple[str, ...]]]) -> None:
        self.pairs = list(pairs)
        named = "; ".join(f"{source} in {' and '.join(splits)}" for source, splits in self.pairs)
        super().__init__(
            f"{len(self.pairs)} source(s) or patient(s) are in more than one split: {named}. Use on_leakage='drop' to "
            "remove their images from the earlier split, or split='source' to make a new split."
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.pairs,)


class CheckpointError(SpineAlignError):
    """The model folder or Hub repository is incomplete or unsafe."""


class HubError(SpineAlignError):
    """The Hub refused a request or could not be reached."""


class MissingDependencyError(SpineAlignError, ImportError):
    """A package of an optional extra is not installed, or not in a version that works.

    Attributes:
        problem: What is missing.
        extra: Name of the extra, as in `pip install "spinealign[extra]"`.
    """

    def __init__(self, problem: str, extra: str) -> None:
        self.problem, self.extra = problem, extra
        super().__init__(f'{problem}. Run: pip install "spinealign[{extra}]"')

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.problem, self.extra)


def require(*packages: str, extra: str) -> None:
    """Check that packages of an extra are installed in the versions that it needs, without importing them.

    Args:
        *packages: Names of the packages as they are imported.
        extra: Name of the extra.

    Raises:
        MissingDependencyError: If a package is not installed, or has another version.
    """
    missing = [package for package in packages if find_spec(package) is None]
    problems = [f"not installed: {', '.join(missing)}"] if missing else []
    problems += [found for package in packages if package not in missing and (found := _outdated(package, extra))]
    if problems:
        raise MissingDependencyError("; ".join(problems), extra)


@lru_cache
def requirements(extra: str = "") -> dict[str, Requirement]:
    """Return the requirements of this package with an extra, by name, from the metadata of its installation.

    Without metadata (in a source tree that is not installed) there are none.
    """
    from importlib import metadata

    try:
        lines = metadata.requires("spinealign") or ()
    except metadata.PackageNotFoundError:
        return {}
    from packaging.requirements import Requirement

    found = (Requirement(line) for line in lines)
    return {item.name: item for item in found if item.marker is None or item.marker.evaluate({"extra": extra})}


@lru_cache
def _outdated(package: str, extra: str) -> str | None:
    """Return a phrase on an installed package with another version than an extra needs, or None."""
    from importlib import metadata

    needed = requirements(extra).get(_DISTRIBUTIONS.get(package, package))
    try:
        installed = metadata.version(needed.name) if needed else ""
    except metadata.PackageNotFoundError:  # a package without metadata
        return None
    if not needed or needed.specifier.contains(installed, prereleases=True):
        return None
    return f"{needed.name} {installed} is installed, spinealign[{extra}] needs {needed.name}{needed.specifier}"
