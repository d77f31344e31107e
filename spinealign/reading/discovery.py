"""Discovery of images by content, in folders, archives and globs."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from spinealign.errors import ImageError
from spinealign.reading.archives import open_archive
from spinealign.reading.files import read_head
from spinealign.reading.kinds import DICOMDIR, NO_DICOM_IMAGE, UNKNOWN, kind_of
from spinealign.reading.tally import Tally

# Files with these suffixes are listed whatever they contain, so that reading them tells what is wrong.
IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jfif", ".dcm", ".dicom", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".jp2", ".npy"}
)
_ARCHIVE_SUFFIXES = ("", ".zip", ".tar", ".gz", ".tgz")  # others, such as .docx, are documents
_SYSTEM_NAMES = frozenset(
    {"@eadir", "__macosx", "$recycle.bin", "#recycle", "#snapshot", "system volume information", "lost+found",
     "thumbs.db", "ehthumbs.db", "desktop.ini"}
)  # fmt: skip
_MODEL = "spinealign.json"  # in the folder of a model, whose images are figures
_VISITS = 64  # of one folder through different links


class FoundFile(NamedTuple):
    """A file below a folder or in an archive: its path, also in an archive, and its name relative to the root."""

    path: str
    name: str


@dataclass
class Listing:
    """Files below a folder or in an archive.

    Attributes:
        images: The images, in natural order of their names.
        volumes: The NIfTI volumes, which count as passed over.
        folders: Names of all folders that are not hidden, relative to the root.
        passed: The other files.
        with_volumes: Whether NIfTI volumes count as images.
    """

    images: list[FoundFile] = field(default_factory=list)
    volumes: list[FoundFile] = field(default_factory=list)
    folders: set[str] = field(default_factory=set)
    passed: Tally = field(default_factory=Tally)
    with_volumes: bool = False

    @property
    def note(self) -> str:
        """Sentence on what was passed over; empty if nothing was."""
        total = self.passed.total()
        return f"{total:,} of {total + len(self.images):,} files passed over: {self.passed}" if total else ""


def list_images(root: str | os.PathLike[str], *, volumes: bool = False) -> Listing:
    """List the images below a folder or in an archive, by their first bytes; with `volumes`, NIfTI files too.

    Hidden and system files (`.ipynb_checkpoints`, `@eaDir`, `__MACOSX`, `Thumbs.db`) are left out at any depth. Links
    are followed, except into a folder that contains them. Archives in the folder are opened in place, and an archive
    that cannot be read is passed over.

    Raises:
        UnreadableImageError: If the root is an archive that is damaged or exceeds a limit.
    """
    listing, root = Listing(with_volumes=volumes), os.fspath(root)
    _sort(_walk(root, listing) if os.path.isdir(root) else _members(root, "", listing), listing)
    listing.images.sort(key=lambda file: natural_key(file.name))
    return listing


def list_files(root: str | os.PathLike[str]) -> list[FoundFile]:
    """List all files below a folder or in an archive that are not hidden, without opening them."""
    root = os.fspath(root)
    found = _walk(root, Listing()) if os.path.isdir(root) else _members(root, "", Listing())
    return [FoundFile(path, name) for path, name in found]


def expand_paths(patterns: Iterable[str], *, volumes: bool = False) -> tuple[list[str], str]:
    """List the files that paths, folders, archives and globs match, without repeats.

    A folder or archive is replaced by its images (see `list_images`), in natural order. A pattern without a match, a
    folder without images and an archive that cannot be read stay in the list, so that the caller can report them.

    Args:
        patterns: Paths of files, folders or archives, or globs (`**` matches subfolders).
        volumes: Whether to list NIfTI volumes too.

    Returns:
        The paths, and a sentence on what was passed over in folders and archives; empty if nothing was.
    """
    found: dict[str, None] = {}
    seen = Listing()
    for pattern in patterns:
        for match in sorted(_matches(pattern), key=natural_key) or [pattern]:
            below = _listing_of(match, volumes=volumes)
            found.update(dict.fromkeys([image.path for image in below.images] or [match]))
            seen.images += below.images
            seen.passed.update(below.passed)
    return list(found), seen.note


def is_hidden(name: str) -> bool:
    """Return whether a file or folder of this name belongs to the system, a program or a version control."""
    return name.startswith(".") or name.casefold() in _SYSTEM_NAMES


def natural_key(name: str) -> tuple[list[int | str], str]:
    """Return a key by which names sort as people count.

    Example:
        >>> sorted(["10.png", "2.png", "1.png"], key=natural_key)
        ['1.png', '2.png', '10.png']
    """
    parts = re.split("([0-9]+)", name)
    return [int(part) if index % 2 else part.casefold() for index, part in enumerate(parts)], name


def _matches(pattern: str) -> list[str]:
    if os.path.exists(pattern):
        return [pattern]
    if "**" not in pattern:
        return glob.glob(pattern)
    named = Path(pattern).parts
    return [
        match
        for match in glob.glob(pattern, recursive=True)  # a folder that matches is left out: its files match too
        if not os.path.isdir(match) and not any(is_hidden(part) for part in Path(match).parts if part not in named)
    ]


def _listing_of(path: str, *, volumes: bool) -> Listing:
    """Return the listing of a folder or archive; an empty one for other files and unusable archives."""
    try:
        if os.path.isdir(path) or (os.path.isfile(path) and kind_of(read_head(path)).role == "archive"):
            return list_images(path, volumes=volumes)
    except ImageError:  # reported when it is read
        pass
    return Listing()


def _sort(files: Iterable[tuple[str, str]], listing: Listing, *, enter: bool = True) -> None:
    """Add files to the images or to what is passed over; `enter` is false in an archive in a folder."""
    for path, name in files:
        try:
            kind = kind_of(read_head(path))
        except ImageError:  # reported when it is read
            kind = UNKNOWN
        if name.rsplit("/", 1)[-1] == "DICOMDIR":
            kind = DICOMDIR
        suffix = os.path.splitext(name)[1].lower()
        named = kind.role == "other" and kind not in (DICOMDIR, NO_DICOM_IMAGE) and suffix in IMAGE_SUFFIXES
        if kind.role == "image" or named or (listing.with_volumes and kind.role == "volume"):
            listing.images.append(FoundFile(path, name))
        elif enter and kind.role == "archive" and suffix in _ARCHIVE_SUFFIXES:
            try:
                _sort(list(_members(path, f"{name}/", listing)), listing, enter=False)
            except ImageError as error:
                listing.passed.add("archive that cannot be read", str(error).replace(path, name))
        else:
            listing.volumes += [FoundFile(path, name)] if kind.role == "volume" else []
            listing.passed.add(kind.name, name)


def _walk(root: str, listing: Listing) -> Iterator[tuple[str, str]]:
    """Yield path and relative name of each file below a folder."""
    pending: list[tuple[str, str, frozenset[tuple[int, int]]]] = [(root, "", frozenset())]
    visits: Counter[tuple[int, int]] = Counter()
    while pending:
        folder, prefix, above = pending.pop()
        try:
            status = os.stat(folder)
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            listing.passed.add("folder that cannot be opened", prefix)
            continue
        identity = (status.st_dev, status.st_ino)
        visits[identity] += 1
        if identity in above or visits[identity] > _VISITS:
            listing.passed.add("link to a folder that contains it", prefix)
            continue
        if prefix and any(entry.name == _MODEL for entry in entries):
            listing.passed.add("folder with a model", prefix)
            continue
        if prefix:
            listing.folders.add(prefix[:-1])
        for entry in entries:
            name = prefix + entry.name
            if is_hidden(entry.name):
                listing.passed.add("hidden or system file", name)
            elif os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir():
                pending.append((entry.path, f"{name}/", above | {identity}))
            elif os.path.isfile(entry.path) if entry.is_symlink() else entry.is_file():
                yield entry.path, name
            else:
                listing.passed.add("broken link", name)


def _members(archive: str, prefix: str, listing: Listing) -> Iterator[tuple[str, str]]:
    """Yield path and name of each file in an archive; `prefix` comes before the names."""
    content = open_archive(archive)
    listing.passed.update(content.passed)
    parents = {str(PurePosixPath(prefix, parent)) for name in content.sizes for parent in PurePosixPath(name).parents}
    listing.folders |= parents - {"."}
    for name in content.sizes:
        if any(map(is_hidden, name.split("/"))):
            listing.passed.add("hidden or system file", prefix + name)
        else:
            yield f"{archive}/{name}", prefix + name
