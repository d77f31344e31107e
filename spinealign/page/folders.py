"""The folder for uploads: it goes when the server stops, or when the next one starts after it was killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

VARIABLE = "GRADIO_TEMP_DIR"
PREFIX = "spinealign-page-"


@contextlib.contextmanager
def own_folder() -> Iterator[Path]:
    """Lend a folder that nobody else may look into, and in which Gradio puts uploads.

    Those of servers that were killed are deleted first: whoever uses a folder holds a lock on it, which ends with the
    process. Windows, and a file system without locks, keep them.

    Yields:
        The folder; it is deleted when the block ends.
    """
    _delete_abandoned()
    folder, lock = _new_folder()
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = os.fspath(folder)  # Gradio asks for it when it is imported and when the page is built
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before


def _new_folder() -> tuple[Path, int | None]:
    """Return a folder and its lock; it has its name only once it is locked, so that nobody takes it for abandoned."""
    made = Path(tempfile.mkdtemp(prefix=f".{PREFIX}"))
    lock = _lock(made)
    return made.rename(made.with_name(made.name[1:])), lock


def _delete_abandoned() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        lock = _lock(folder)
        if lock is None:
            continue
        if os.fstat(lock).st_uid == os.getuid():
            shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _lock(folder: Path) -> int | None:
    """Lock a folder until this process ends or closes what is returned; None where that is not to be had."""
    try:
        import fcntl  # Windows has none

        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except (ImportError, OSError):
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle
