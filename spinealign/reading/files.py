"""Content of a file, also of one in an archive: `scans.zip/ct/1.dcm` names a file in `scans.zip`."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from spinealign.config import ReadingLimits
from spinealign.errors import UnreadableImageError, UnsupportedFormatError
from spinealign.reading.archives import open_archive, read_member
from spinealign.reading.kinds import HEAD_BYTES, kind_of


def read_file(path: str | os.PathLike[str], limits: ReadingLimits | None = None) -> bytes:
    """Return the content of a file, or of a file in an archive.

    Raises:
        UnreadableImageError: If it cannot be read, is not a file, or is larger than `limits.max_bytes`.
        UnsupportedFormatError: If it is an archive.
    """
    limits = limits or ReadingLimits()
    content = read_head(path, limits.max_bytes + 1)
    check_bytes(content, origin=os.fspath(path), limits=limits)
    if not in_archive(path) and kind_of(content[:HEAD_BYTES]).role == "archive":
        files = open_archive(os.fspath(path), limits).sizes
        example = f", such as {path}/{next(iter(files))}" if files else ""
        raise UnsupportedFormatError(f"{path} is an archive of {len(files):,} files; pass one of them{example}.")
    return content


def read_head(path: str | os.PathLike[str], size: int = HEAD_BYTES) -> bytes:
    """Return the first bytes of a file, or of a file in an archive; fewer if it is shorter.

    Raises:
        UnreadableImageError: If it cannot be opened or is not a file.
    """
    try:
        kind = os.stat(path).st_mode
        if stat.S_ISDIR(kind):
            raise UnreadableImageError(f"{path} is a folder; pass an image file, or a folder of images to a command.")
        if not stat.S_ISREG(kind):
            raise UnreadableImageError(f"{path} is a device or a pipe; pass an image file.")
        with open(path, "rb") as stream:
            return stream.read(size)
    except (FileNotFoundError, NotADirectoryError) as error:
        if place := in_archive(path):
            return read_member(*place, size=size)
        raise UnreadableImageError(f"There is no file {path}; check the path.") from error
    except (OSError, ValueError) as error:
        raise UnreadableImageError(f"{path} cannot be opened: {getattr(error, 'strerror', None) or error}.") from error


def check_bytes(content: bytes, *, origin: str, limits: ReadingLimits) -> None:
    """Check the size of a file.

    Raises:
        UnreadableImageError: If it is larger than `limits.max_bytes`.
    """
    if len(content) > limits.max_bytes:
        size = limits.max_bytes / 1024**2
        raise UnreadableImageError(f"{origin} is larger than {size:.4g} MiB; pass a single image.")


def is_file(path: str | os.PathLike[str]) -> bool:
    """Return whether there is a file of this name, perhaps in an archive."""
    if os.path.isfile(path):
        return True
    place = in_archive(path)
    return place is not None and place[1] in open_archive(place[0]).sizes


def in_archive(path: str | os.PathLike[str]) -> tuple[str, str] | None:
    """Return the archive of a file in one, and its name there; None for other paths."""
    for parent in Path(path).parents:
        if os.path.isfile(parent):
            packed = kind_of(read_head(parent)).role == "archive"
            return (str(parent), Path(path).relative_to(parent).as_posix()) if packed else None
        if os.path.isdir(parent):
            return None
    return None
