"""Atomic writing of files and folders."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Write a file under a temporary name and move it into place at the end.

    Args:
        path: Final path; an existing file is replaced. Missing folders are created.

    Yields:
        A temporary path in the same folder. If the block fails, it is deleted and nothing changes.
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
def staged(folder: Path) -> Iterator[Path]:
    """Write several files into a temporary folder and move them into `folder` at the end.

    Args:
        folder: Final folder; it is created if missing, and other files in it are kept.

    Yields:
        An empty folder inside `folder`. If the block fails, it is deleted and nothing changes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in folder.glob(".saving-*"):  # of a killed process
        shutil.rmtree(leftover, ignore_errors=True)
    staging = Path(tempfile.mkdtemp(prefix=".saving-", dir=folder))
    try:
        yield staging
        for path in sorted(staging.iterdir()):
            os.replace(path, folder / path.name)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Write a new folder under a temporary name and rename it at the end.

    Args:
        folder: Final path; it must not exist, or be empty.

    Yields:
        An empty folder. If the block fails, it is deleted and nothing changes.

    Raises:
        FileExistsError: If the folder is not empty.
    """
    folder = folder.resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder} is not empty; choose another folder or delete it.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        yield staging
        staging.chmod(0o755)
        if folder.exists():
            folder.rmdir()
        os.replace(staging, folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
