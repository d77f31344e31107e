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
└── MissingDependencyError     an extra is not installed; also an ImportError
```

A poor or unfamiliar image is a result (`Prediction.accepted` is false), not an exception. Wrong arguments raise
ValueError or TypeError.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any


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
    """A package of an optional extra is not installed.

    Attributes:
        package: Name of the package.
        extra: Name of the extra, as in `pip install "spinealign[extra]"`.
    """

    def __init__(self, package: str, extra: str) -> None:
        self.package, self.extra = package, extra
        super().__init__(f'not installed: {package}. Run: pip install "spinealign[{extra}]"')

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.package, self.extra)


def require(*packages: str, extra: str) -> None:
    """Check that packages, given by import name, are installed, without importing them; `extra` installs them.

    Raises:
        MissingDependencyError: If a package is not installed.
    """
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise MissingDependencyError(", ".join(missing), extra)
