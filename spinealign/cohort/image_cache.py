"""Folders of rendered images: that of a run, which is deleted at its end, and a cache for further runs."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from spinealign.errors import require
from spinealign.reading.files import in_archive
from spinealign.writing import locked

_PREFIX = "spinealign-images-"
_ENTRY = re.compile(rf"{_PREFIX}(?P<key>[0-9a-f]{{32}})")
_NAME = re.compile(rf"\.?{_PREFIX}(?P<key>[0-9a-f]{{32}})(-.*)?")
_IN_USE = ".lock"  # suffix of a file that a process locks while it uses an entry


class WorkFolder:
    """A temporary folder that is deleted when this object is garbage collected, or when the program ends."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="spinealign-"))
        weakref.finalize(self, _delete, self.path, os.getpid())


def _delete(folder: Path, process: int) -> None:
    if os.getpid() == process:  # not in a forked worker
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def image_folder(cache_dir: str | os.PathLike[str] | None, run: Path | None = None) -> Iterator[Path]:
    """Provide the folder for the images of a run.

    Args:
        cache_dir: Cache that is kept; None for a folder that is deleted at the end, also after an error.
        run: The folder that is deleted; None for one below the temporary folder of the system.

    Raises:
        MissingDependencyError: If there is a cache and datasets is not installed.
    """
    cache = cache_folder(cache_dir)
    folder = cache or run or Path(tempfile.mkdtemp(prefix="spinealign-"))
    try:
        yield folder
    finally:
        if cache is None:
            shutil.rmtree(folder, ignore_errors=True)


def cache_folder(cache_dir: str | os.PathLike[str] | None) -> Path | None:
    """Return the folder of a cache, or None if none is wanted.

    Raises:
        MissingDependencyError: If there is a cache and datasets is not installed.
    """
    if cache_dir is None:
        return None
    require("datasets", extra="train")
    return Path(cache_dir)


def fingerprint(settings: str, images: Iterable[str | bytes]) -> str:
    """Return a key for the rendering of image files, by path, size and time of change, or by content, with settings."""
    digest = hashlib.blake2b(settings.encode(), digest_size=16)
    for image in images:
        digest.update(f"{_state(image)}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _state(image: str | bytes) -> tuple[str | int | bool, ...]:
    if isinstance(image, bytes):
        return (hashlib.blake2b(image).hexdigest(),)
    path = os.path.abspath(image)
    archive = None if os.path.exists(path) else in_archive(path)
    file = archive[0] if archive else path
    try:
        status = os.stat(file)
    except OSError:
        return (path,)
    return (path, status.st_size, status.st_mtime_ns, os.access(file, os.R_OK))


class Use:
    """Entry of a cache folder, in use by this process until this object is garbage collected.

    A missing entry is created: `write` fills a temporary folder, which is renamed when it is complete. Several
    processes may use and write one entry. The key is that of `fingerprint`.

    Raises:
        OSError: If the cache folder cannot be written.
    """

    def __init__(self, folder: Path, key: str, write: Callable[[Path], None]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{_PREFIX}{key}"
        with locked(folder):
            for paths in _unused(folder).values():
                _remove([path for path in paths if path.name.startswith(".")])  # what a killed process left
            handle, name = tempfile.mkstemp(prefix=f".{_PREFIX}{key}-", suffix=_IN_USE, dir=folder)
            os.close(handle)
            lock = FileLock(name)
            lock.acquire()
        weakref.finalize(self, _release, lock, os.getpid())
        if self.path.is_dir():
            return
        staging = Path(tempfile.mkdtemp(prefix=f".{_PREFIX}{key}-", dir=folder))
        try:
            write(staging)
            with suppress(OSError):  # another process was faster
                os.replace(staging, self.path)
        finally:
            shutil.rmtree(staging, ignore_errors=True)


class CacheEntry(NamedTuple):
    """Rendered images of one collection in a cache folder."""

    path: Path
    bytes: int
    in_use: bool


def list_cache(folder: Path) -> list[CacheEntry]:
    """Return the entries of a cache folder, without the leftovers of killed processes."""
    if not folder.is_dir():
        return []
    with locked(folder):
        unused = _unused(folder)
        keys = [match["key"] for path in sorted(folder.iterdir()) if (match := _ENTRY.fullmatch(path.name))]
        entries = {key: folder / f"{_PREFIX}{key}" for key in keys}
        return [CacheEntry(path, _size(path), key not in unused) for key, path in entries.items()]


def clear_cache(folder: Path) -> list[CacheEntry]:
    """Delete the entries of a cache folder that no process uses, and leftovers; nothing else in the folder.

    Returns:
        All entries as they were; those in use are still there.
    """
    entries = list_cache(folder)
    if folder.is_dir():
        with locked(folder):
            for paths in _unused(folder).values():
                _remove(paths)
    return entries


def _unused(folder: Path) -> dict[str, list[Path]]:
    """Return what the folder has for each key that no process uses."""
    found: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.iterdir()):
        if match := _NAME.fullmatch(path.name):
            found[match["key"]].append(path)
    return {key: paths for key, paths in found.items() if not any(map(_is_held, paths))}


def _is_held(path: Path) -> bool:
    if not path.name.endswith(_IN_USE):
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.is_dir():
            gone = path.with_name(f".{path.name.removeprefix('.')}-removed")
            os.replace(path, gone)  # so that an interrupted removal leaves no incomplete entry
            shutil.rmtree(gone)
        else:
            path.unlink(missing_ok=True)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _release(lock: FileLock, process: int) -> None:
    if os.getpid() == process:
        lock.release()
        Path(lock.lock_file).unlink(missing_ok=True)
