"""Private upload folder, deleted when the server stops, or when the next one starts after a crash."""

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
    """Create a folder that only this user can read, and make Gradio store uploads there.

    Folders of killed servers are deleted first. A running server holds a lock on its folder; the lock ends with the
    process. Without file locks (Windows, some network file systems), abandoned folders are kept.

    Yields:
        The folder; it is deleted when the block ends.
    """
    _delete_abandoned()
    folder, lock = _new_folder()
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = os.fspath(folder)  # Gradio reads it at import and when the page is built
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
    """Return a new folder and its lock; it is renamed only once locked, so that no other server deletes it."""
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
    """Lock a folder until this process ends or closes the returned handle; return None if that is not possible."""
    try:
        import fcntl  # not available on Windows

        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except (ImportError, OSError):
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle
