"""Search for files of a manifest that are now in another folder, or that it names without their suffix."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

from spinealign.reading.discovery import IMAGE_SUFFIXES, list_files


def find_moved(paths: Iterable[str], root: Path) -> dict[str, str]:
    """Return the present path of each missing file that is found below a root by the end of its path, in any case.

    A path is found if one file below the root has more of its last folders than any other, and no second path leads to
    this file. By its name only, it is not found if its folder exists below the root and lacks the file. The suffix of
    an image may be missing in the path.
    """
    by_end: dict[str, str | None] = {}  # None for two files
    folders: set[str] = set()
    for file in list_files(root):
        parts = file.name.casefold().split("/")
        folders |= set(parts[:-1])
        stem, dot, suffix = parts[-1].rpartition(".")
        names = [parts[-1], stem] if dot + suffix in IMAGE_SUFFIXES else [parts[-1]]
        for end in (end for name in names for end in _ends([*parts[:-1], name])):
            by_end[end] = None if end in by_end else file.path
    found: dict[str, tuple[str, int]] = {}
    for path in paths:
        parts = path.casefold().split("/")
        longest = next((end for end in _ends(parts) if end in by_end), None)
        file_path = by_end[longest] if longest else None
        by_name_only = longest == parts[-1] and len(parts) > 1 and parts[-2] in folders
        if longest and file_path and not by_name_only:
            found[path] = file_path, len(longest)
    longest_of: dict[str, int] = defaultdict(int)
    for file_path, length in found.values():
        longest_of[file_path] = max(longest_of[file_path], length)
    claims = Counter(file_path for file_path, length in found.values() if length == longest_of[file_path])
    return {
        path: file_path
        for path, (file_path, length) in found.items()
        if length == longest_of[file_path] and claims[file_path] == 1
    }


def _ends(parts: list[str]) -> list[str]:
    """Return the ends of a path, the longest first."""
    return ["/".join(parts[start:]) for start in range(len(parts))]
