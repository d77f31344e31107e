"""Uploaded files: each is read once and deleted before the answer is sent."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio
from gradio.data_classes import FileData, ListFiles
from gradio.routes import file_upload_statuses
from gradio.utils import get_upload_folder

from spinealign.errors import ImageError
from spinealign.imaging.slice import Slice
from spinealign.page.blocks import UNKNOWN_FILE
from spinealign.page.limits import BODY_SECONDS, MAX_FILE_BYTES, SECONDS_KEPT, SWEEP_SECONDS
from spinealign.page.waiting import Since, Waiting
from spinealign.reading.slices import read_slice

TOO_LARGE = f"This file is larger than {MAX_FILE_BYTES // 1024**2} MiB, too large for a single slice."


@dataclass(frozen=True)
class Upload:
    """Uploaded file.

    Attributes:
        name: File name as given by the client, without folders.
        path: Path until the file is read; None if it was not uploaded or has been deleted.
    """

    name: str
    path: Path | None

    def read(self) -> Slice:
        """Read the image and delete the file.

        Raises:
            ImageError: If the file cannot be used; the message contains neither its name nor a path.
        """
        if self.path is None:
            raise ImageError(UNKNOWN_FILE)
        try:
            if self.path.stat().st_size > MAX_FILE_BYTES:
                raise ImageError(TOO_LARGE)
            content = self.path.read_bytes()
        except OSError as error:
            raise ImageError(UNKNOWN_FILE) from error
        finally:
            self.delete()
        return read_content(content)

    def delete(self) -> None:
        """Delete the file, and its folders if they are empty."""
        if self.path is None:
            return
        self.path.unlink(missing_ok=True)
        for folder in (self.path.parent, self.path.parent.parent):
            if folder == upload_folder():
                return
            try:
                folder.rmdir()
            except OSError:  # not empty, or already deleted by another thread
                return


def read_content(content: bytes) -> Slice:
    """Read an image from the content of a file.

    Raises:
        ImageError: If the content cannot be used; the message starts with "This file".
    """
    if len(content) > MAX_FILE_BYTES:
        raise ImageError(TOO_LARGE)
    try:
        return read_slice(content)
    except ImageError as error:
        message = str(error)
        if message.startswith("bytes "):  # the name of an image that is read from memory
            message = f"This file {message.removeprefix('bytes ')}"
        raise type(error)(message) from error


def slice_file(*, several: bool = False, **options: Any) -> gradio.File:
    """Return a file component that neither fetches URLs nor reads files that were not uploaded.

    Event handlers receive an `Upload` or None, or with `several` a list of `Upload`. A subclass of `gradio.File` is not
    possible, because Gradio writes a stub file next to the source of each subclass.

    Args:
        several: Whether to accept several files.
        options: Further arguments of `gradio.File`.
    """
    component = gradio.File(file_count="multiple" if several else "single", **options)
    component.preprocess = _received_all if several else _received
    component.async_move_resource_to_block_cache = _stay
    return component


async def _stay(place: str | Path | None) -> str | None:
    """Return a path unchanged; Gradio's own method fetches URLs and copies files into its cache."""
    return None if place is None else str(place)


def _received(file: FileData | None) -> Upload | None:
    return None if file is None else _upload(file)


def _received_all(files: ListFiles | None) -> list[Upload]:
    return [] if files is None else [_upload(file) for file in files.root]


def _upload(file: FileData) -> Upload:
    name = str(file.orig_name or os.path.basename(file.path)).replace("\\", "/").rsplit("/", 1)[-1]
    return Upload("".join(letter for letter in name if letter.isprintable())[:120] or "file", _uploaded(file.path))


def _uploaded(path: str) -> Path | None:
    """Return the path of an upload; None if it is not an existing regular file in the upload folder."""
    folder, place = upload_folder(), Path(path)
    real = Path(os.path.realpath(place))
    if not place.is_absolute() or real != place or folder not in real.parents or not real.is_file():
        return None
    return real


def upload_folder() -> Path:
    """Return the upload folder with symbolic links resolved."""
    return Path(os.path.realpath(get_upload_folder()))


def sweep(folder: Path, *, asked_about: str = "", older_than: float = SECONDS_KEPT) -> None:
    """Delete uploads older than `older_than` seconds, except those that `asked_about`, the unanswered calls, names."""
    for entry in list(folder.iterdir()) if folder.is_dir() else []:
        try:
            if time.time() - entry.stat().st_mtime > older_than and entry.name not in asked_about:
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        except OSError:  # already deleted by a request
            continue


async def keep_sweeping(folder: Path, waiting: Waiting) -> None:
    """Delete unused uploads, unfetched answers and stale upload progress periodically, until cancelled."""
    progress = Since()
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        waiting.forget_unread()
        known = {**file_upload_statuses._statuses, **file_upload_statuses._signals}
        for upload_id in progress.longer_than(BODY_SECONDS, known):
            file_upload_statuses._statuses.pop(upload_id, None)
            file_upload_statuses._signals.pop(upload_id, None)
        await asyncio.to_thread(sweep, folder, asked_about=waiting.uploads())
