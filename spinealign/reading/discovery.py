"""Discovery of image files from paths, folders and globs."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from pathlib import Path

from spinealign.reading.slices import IMAGE_SUFFIXES


def expand_paths(patterns: Iterable[str]) -> list[str]:
    """List the files that paths, folders and globs match, in order and without repeats.

    A folder is replaced by the files in it and its subfolders that have an image suffix or none, as many DICOM files
    do; hidden files are skipped. A pattern without a match and a folder without images stay in the list, so that the
    caller can report them.

    Args:
        patterns: Paths of files or folders, or globs (`**` matches subfolders).
    """
    found: dict[str, None] = {}
    for pattern in patterns:
        path = Path(pattern)
        if os.path.exists(path):  # Path.exists raises for some invalid names, this does not
            matches = [pattern]
        elif "**" in pattern:  # a folder that matches is not expanded: its files match too
            matches = [match for match in glob.glob(pattern, recursive=True) if not os.path.isdir(match)]
        else:
            matches = glob.glob(pattern)
        for match in sorted(matches) or [pattern]:
            below = _files_below(Path(match)) if os.path.isdir(match) else []
            found.update(dict.fromkeys(below or [match]))
    return list(found)


def _files_below(folder: Path) -> list[str]:
    wanted = IMAGE_SUFFIXES | {""}
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in wanted and path.is_file())
    return [str(path) for path in files if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
