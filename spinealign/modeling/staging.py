"""Replace files only when all of them are written."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """Lend a folder beside the files it will replace; they move into place when all of them are written.

    Args:
        folder: Where the files go in the end; whatever else lies there stays.

    Yields:
        An empty folder. If the block fails, it is deleted and nothing changes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in folder.glob(".saving-*"):  # of a save that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    staging = Path(tempfile.mkdtemp(prefix=".saving-", dir=folder))
    try:
        yield staging
        for path in sorted(staging.iterdir()):
            os.replace(path, folder / path.name)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
