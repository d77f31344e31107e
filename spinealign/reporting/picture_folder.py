"""Folders of pictures of images."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

_LONGEST_NAME = 200  # bytes; file systems allow 255, and the name of the picture is longer


class PictureFolder:
    """Folder with one file for each image; images with the same name get different files.

    Args:
        folder: The folder; it is created if missing.
        ending: End of the names of the files, such as `heat.png`.

    Raises:
        OSError: If the folder cannot be created.
    """

    def __init__(self, folder: Path, ending: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._ending = folder, ending
        self._taken: set[str] = set()

    def path_for(self, source: str) -> Path:
        """Return a path that was not returned before, with the name of a source."""
        name = Path(source).name or "image"
        if len(os.fsencode(name)) > _LONGEST_NAME:
            name = f"{name[:40]}...{hashlib.sha256(os.fsencode(name)).hexdigest()[:8]}"
        candidate, number = f"{name}.{self._ending}", 2
        while candidate in self._taken:
            candidate, number = f"{name}.{number}.{self._ending}", number + 1
        self._taken.add(candidate)
        return self._folder / candidate
