"""Discovery of image files from paths, folders and globs."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable
from pathlib import Path

from spinealign.reading.kinds import HEAD_BYTES, kind_of
from spinealign.reading.slices import IMAGE_SUFFIXES


def expand_paths(patterns: Iterable[str]) -> tuple[list[str], list[str]]:
    """List the files that paths, folders and globs match, in order and without repeats.

    A folder is replaced by the images in it and its subfolders: files with an image suffix, and files without suffix,
    or with a number as suffix, whose content is an image, as many DICOM files are. Hidden files are skipped. A pattern
    without a match and a folder without images stay in the list, so that the caller can report them.

    Args:
        patterns: Paths of files or folders, or globs (`**` matches subfolders).

    Returns:
        The files, and the other files of the folders, which were passed over.
    """
    found: dict[str, None] = {}
    passed: dict[str, None] = {}
    for pattern in patterns:
        if os.path.exists(pattern):
            matches = [pattern]
        elif "**" in pattern:  # a folder that matches is not expanded: its files match too
            matches = [match for match in glob.glob(pattern, recursive=True) if not os.path.isdir(match)]
        else:
            matches = glob.glob(pattern)
        for match in sorted(matches) or [pattern]:
            below = _files_below(Path(match)) if os.path.isdir(match) else []
            images = [str(path) for path in below if _is_image(path)]
            found.update(dict.fromkeys(images or [match]))
            passed.update(dict.fromkeys(str(path) for path in below))
    return list(found), [path for path in passed if path not in found]


def _files_below(folder: Path) -> list[Path]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [path for path in files if not any(part.startswith(".") for part in path.relative_to(folder).parts)]


def _is_image(path: Path) -> bool:
    numbered = path.suffix[1:].isdigit()  # the end of a UID, or the number of a slice
    if (path.suffix and not numbered) or path.name == "DICOMDIR":  # an index of DICOM files, and DICOM itself
        return path.suffix.lower() in IMAGE_SUFFIXES
    try:
        with path.open("rb") as stream:
            return kind_of(stream.read(HEAD_BYTES)).role == "image"
    except OSError:  # reported when it is read
        return True


def natural_key(name: str) -> tuple[list[int | str], str]:
    """Return a key by which names sort as people count.

    Example:
        >>> sorted(["10.png", "2.png", "1.png"], key=natural_key)
        ['1.png', '2.png', '10.png']
    """
    parts = re.split("([0-9]+)", name)
    return [int(part) if index % 2 else part.casefold() for index, part in enumerate(parts)], name
