"""Gray images in memory-mapped Arrow files, written and opened with `datasets`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

_MAPPED = 256 * 2**20  # bytes that are read before the files are mapped anew
_BLOCK = 64  # images that an iteration reads at a time


class StoredImages:
    """Square gray images of equal size in a column of Arrow files, with their pixels as bytes.

    An integer as index gives an image of shape (S, S), a slice, a mask or a sequence of integers gives an array of
    images, shape (N, S, S). Only the requested images are read. A copy in another process maps the same files. The
    optional owner deletes the folder when it is garbage collected.
    """

    def __init__(self, folder: Path, column: str, *, side: int, rows: NDArray[np.intp], owner: object = None) -> None:
        self._folder, self._column, self._side, self._rows, self._owner = folder, column, side, rows, owner
        self._dataset: Any = None
        self._unread = 0

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        return (image for start in range(0, len(self), _BLOCK) for image in self[start : start + _BLOCK])

    def __getitem__(self, index: int | slice | Sequence[int] | NDArray[Any]) -> NDArray[np.uint8]:
        rows = self._rows[index]
        images = self._read(np.atleast_1d(rows).tolist())
        return images if rows.ndim else images[0]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_dataset": None, "_owner": None}

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (N, S, S) of all images together."""
        return (len(self), self._side, self._side)

    def select(self, indices: Sequence[int] | NDArray[np.intp]) -> StoredImages:
        """Return the images at these indices without reading them."""
        rows = self._rows[np.asarray(indices, np.intp)]
        return StoredImages(self._folder, self._column, side=self._side, rows=rows, owner=self._owner)

    def _read(self, rows: list[int]) -> NDArray[np.uint8]:
        size = len(rows) * self._side**2
        if self._dataset is None or self._unread < size:  # what was read counts as memory until it is unmapped
            self._dataset = None
            self._dataset = open_rows(self._folder).select_columns([self._column])
            self._unread = max(_MAPPED, size)
        self._unread -= size
        pixels = b"".join(self._dataset[rows][self._column]) if rows else b""
        return np.frombuffer(pixels, np.uint8).reshape(-1, self._side, self._side)


Images: TypeAlias = NDArray[np.uint8] | StoredImages


def subset(images: Images, indices: Sequence[int] | NDArray[np.intp]) -> Images:
    """Return the images at these indices; stored images are not read."""
    return images.select(indices) if isinstance(images, StoredImages) else images[np.asarray(indices, np.intp)]


def pixel_keys(images: Images) -> Iterator[bytes]:
    """Yield a key for each image, equal for equal pixels."""
    return (hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in images)


def write_rows(rows: Callable[[], Iterable[Mapping[str, Any]]], folder: Path, *, columns: Mapping[str, str]) -> None:
    """Write rows into Arrow files of an empty folder, in which `datasets` also writes its own files, one after another.

    `columns` has their types, as in `datasets.Value`. Images are `binary`, because arrays of `datasets` are converted
    to lists when they are read, which is slow.
    """
    import datasets
    from datasets.exceptions import DatasetGenerationError

    shown = not datasets.are_progress_bars_disabled()
    features = datasets.Features({name: datasets.Value(kind) for name, kind in columns.items()})
    datasets.disable_progress_bars()
    try:  # the fingerprint saves hashing all that `rows` refers to
        datasets.Dataset.from_generator(rows, features=features, cache_dir=str(folder), fingerprint="rows")
    except DatasetGenerationError as error:
        raise error.__cause__ or error from None
    finally:
        if shown:
            datasets.enable_progress_bars()


def open_rows(folder: Path) -> Any:
    """Return the rows of a folder as a memory-mapped `datasets.Dataset`.

    Raises:
        FileNotFoundError: If there are no Arrow files.
    """
    from datasets import Dataset, concatenate_datasets

    paths = sorted(folder.rglob("*.arrow"))
    if not paths:
        raise FileNotFoundError(f"{folder} has no Arrow files; they were deleted during the run.")
    return concatenate_datasets([Dataset.from_file(str(path)) for path in paths])
