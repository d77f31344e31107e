"""Atomic writing of files and folders."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_UNFINISHED, _FINISHED, _LOCK = ".saving", ".saved", ".saving.lock"  # in the folder of the files


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of a file, and move it into place at the end; an existing file is replaced.

    Missing folders are created. If the block fails, the temporary file is deleted and nothing changes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:100]}-", dir=path.parent)
    os.close(handle)
    staging = Path(name)
    try:
        yield staging
        staging.chmod(0o644)
        os.replace(staging, path)
    finally:
        staging.unlink(missing_ok=True)


@contextmanager
def replaced_together(folder: Path, *, key: str, owned: Collection[str] = ()) -> Iterator[Path]:
    """Replace a set of files in a folder, so that no reader takes old and new files for one set.

    One of them is the key, without which readers do not use the others. The new files are written into a subfolder,
    which is renamed once it is complete. Then the old key is deleted, the other files are moved, and the new key is
    moved last. If the process is killed in between, the next writer, or `finish_replacement`, moves the rest. Writers
    of the same folder wait for each other.

    Yields:
        An empty folder inside `folder`; files of `owned` that are not written there, or are empty, are deleted. If the
        block fails, it is deleted and nothing changes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        _move_finished(folder, key)
        staging = folder / _UNFINISHED
        shutil.rmtree(staging, ignore_errors=True)  # of a killed process, because a live one holds the lock
        staging.mkdir(mode=0o700)
        try:
            yield staging
            for name in set(owned).difference(os.listdir(staging)):
                (staging / name).touch()  # an empty file: delete the old one
            try:
                os.rename(staging, folder / _FINISHED)
                _move_finished(folder, key)
            except KeyboardInterrupt:
                _move_finished(folder, key)
                raise
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def finish_replacement(folder: Path, *, key: str) -> None:
    """Finish a replacement of `replaced_together` that was interrupted; wait for one that is being made.

    Raises:
        OSError: If the folder cannot be written.
    """
    if (folder / _FINISHED).is_dir():
        with locked(folder):
            _move_finished(folder, key)


def _move_finished(folder: Path, key: str) -> None:
    finished = folder / _FINISHED
    if not finished.is_dir():
        return
    paths = sorted(finished.iterdir(), key=lambda path: path.name == key)
    if paths:
        (folder / key).unlink(missing_ok=True)
    for path in paths:
        if path.stat().st_size:
            os.replace(path, folder / path.name)
        else:
            (folder / path.name).unlink(missing_ok=True)
            path.unlink()
    finished.rmdir()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a folder against other processes that call this; the lock ends with the process."""
    from filelock import FileLock

    with FileLock(folder / _LOCK):
        try:
            yield
        finally:
            with suppress(OSError):  # Windows keeps files that are open
                (folder / _LOCK).unlink()


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder beside a new one, and rename it at the end; if the block fails, nothing changes.

    Raises:
        FileExistsError: If the folder exists and is not empty.
    """
    folder = folder.resolve()
    taken = FileExistsError(f"{folder} is not empty; choose another folder or delete it.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise taken
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        yield staging
        staging.chmod(0o755)
        with suppress(OSError):  # Windows does not replace an empty folder
            folder.rmdir()
        try:
            os.replace(staging, folder)
        except OSError as error:
            raise (taken if folder.exists() else error) from error  # another process has written it
    finally:
        shutil.rmtree(staging, ignore_errors=True)
