"""Every error that spinealign raises on purpose.

```
SpineAlignError
├── SliceError                 this image cannot be used
│   ├── UnreadableSliceError       damaged, truncated, hostile, or not an image
│   └── UnsupportedFormatError     readable, but not a kind that is accepted
├── CohortError                this collection cannot be used
│   └── LeakageError               one source stands in two splits
├── CheckpointError            this model folder or Hub repository is incomplete or unsafe
├── HubError                   the Hub refuses to take something, or cannot be reached
└── MissingDependencyError     an extra is not installed; also an ImportError
```

A poor or unfamiliar image is a result (`Prediction.accepted` is false), never an exception. Wrong arguments
are plain ValueError or TypeError.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec


class SpineAlignError(Exception):
    """Base of all errors of this library; its message says what to do."""


class SliceError(SpineAlignError):
    """This image cannot be used."""


class UnreadableSliceError(SliceError):
    """The image is damaged, truncated, hostile, or no image at all."""


class UnsupportedFormatError(SliceError):
    """The image can be read, but it is not of a kind that is accepted."""


class CohortError(SpineAlignError):
    """This collection of images cannot be used."""


class LeakageError(CohortError):
    """One source stands in two splits.

    Attributes:
        pairs: For each such source its name and the splits in which it stands.
    """

    def __init__(self, pairs: Sequence[tuple[str, tuple[str, ...]]]) -> None:
        self.pairs = list(pairs)
        named = "; ".join(f"{source} in {' and '.join(splits)}" for source, splits in self.pairs)
        super().__init__(
            f"{len(self.pairs)} source(s) stand in more than one split: {named}. Use on_leakage='drop' to remove "
            "their copies from train, or split='source' to cut anew."
        )


class CheckpointError(SpineAlignError):
    """This model folder or Hub repository is incomplete or unsafe."""


class HubError(SpineAlignError):
    """The Hub refuses to take something, or cannot be reached."""


class MissingDependencyError(SpineAlignError, ImportError):
    """A package of an optional extra is not installed.

    Attributes:
        extra: The extra that brings it, as in `pip install "spinealign[extra]"`.
    """

    def __init__(self, package: str, extra: str) -> None:
        self.extra = extra
        super().__init__(f'not installed: {package}. Run: pip install "spinealign[{extra}]"')


def require(*packages: str, extra: str) -> None:
    """Check that the packages of an extra can be imported, before anything else is done.

    Args:
        packages: Their import names.
        extra: The extra that brings them.

    Raises:
        MissingDependencyError: If one of them is not installed.
    """
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise MissingDependencyError(", ".join(missing), extra)
