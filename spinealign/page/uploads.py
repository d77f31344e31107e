"""What becomes of an uploaded file: it is read once, and deleted before anyone gets an answer."""

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

from spinealign.errors import SliceError
from spinealign.imaging.slice import Slice
from spinealign.page.blocks import UNKNOWN_FILE
from spinealign.page.limits import BODY_SECONDS, MAX_FILE_BYTES, SECONDS_KEPT, SWEEP_SECONDS
from spinealign.page.waiting import Since, Waiting
from spinealign.reading.slices import read_slice

TOO_LARGE = f"This file is larger than {MAX_FILE_BYTES // 1024**2} MiB; this is no single slice."


@dataclass(frozen=True)
class Upload:
    """A file that a person sent.

    Attributes:
        name: What the person calls it, without folders.
        path: Where it lies until it is read; None where it was not sent here, or is gone.
    """

    name: str
    path: Path | None

    def read(self) -> Slice:
        """Read the image and delete the file.

        Raises:
            SliceError: If it cannot be used; the message names neither the file nor a place on this machine.
        """
        if self.path is None:
            raise SliceError(UNKNOWN_FILE)
        try:
            if self.path.stat().st_size > MAX_FILE_BYTES:
                raise SliceError(TOO_LARGE)
            content = self.path.read_bytes()
        except OSError as error:
            raise SliceError(UNKNOWN_FILE) from error
        finally:
            self.delete()
        return read_content(content)

    def delete(self) -> None:
        """Delete the file, and the folder that was made for it if nothing else is left there."""
        if self.path is None:
            return
        self.path.unlink(missing_ok=True)
        for folder in (self.path.parent, self.path.parent.parent):
            if folder == upload_folder():
                return
            try:
                folder.rmdir()
            except OSError:  # something else lies there, or another thread was quicker
                return


def read_content(content: bytes) -> Slice:
    """Read the image that somebody sent.

    Raises:
        SliceError: If it cannot be used; the message calls it "this file".
    """
    if len(content) > MAX_FILE_BYTES:
        raise SliceError(TOO_LARGE)
    try:
        return read_slice(content)
    except SliceError as error:
        message = str(error)
        if message.startswith("bytes "):  # so is called what was read from memory
            message = f"This file {message.removeprefix('bytes ')}"
        raise type(error)(message) from error


def slice_file(*, several: bool = False, **options: Any) -> gradio.File:
    """Return a place to upload to, which neither fetches an address nor reads what was not uploaded.

    Functions get an `Upload` or None from it, or a list of them. It is no subclass of `gradio.File`, because Gradio
    writes a file beside the source of each.

    Args:
        several: Whether it takes several files.
        options: What `gradio.File` takes.
    """
    component = gradio.File(file_count="multiple" if several else "single", **options)
    component.preprocess = _received_all if several else _received
    component.async_move_resource_to_block_cache = _stay
    return component


async def _stay(place: str | Path | None) -> str | None:
    """Let a path pass as it is, where Gradio fetches an address and copies a file from elsewhere."""
    return None if place is None else str(place)


def _received(file: FileData | None) -> Upload | None:
    return None if file is None else _upload(file)


def _received_all(files: ListFiles | None) -> list[Upload]:
    return [] if files is None else [_upload(file) for file in files.root]


def _upload(file: FileData) -> Upload:
    name = str(file.orig_name or os.path.basename(file.path)).replace("\\", "/").rsplit("/", 1)[-1]
    return Upload("".join(letter for letter in name if letter.isprintable())[:120] or "file", _uploaded(file.path))


def _uploaded(path: str) -> Path | None:
    """Return the path of an upload; None if it is an address, a link, a folder, a file from elsewhere or gone."""
    folder, place = upload_folder(), Path(path)
    real = Path(os.path.realpath(place))
    if not place.is_absolute() or real != place or folder not in real.parents or not real.is_file():
        return None
    return real


def upload_folder() -> Path:
    """Return the folder in which uploads lie."""
    return Path(os.path.realpath(get_upload_folder()))


def sweep(folder: Path, *, asked_about: str = "", older_than: float = SECONDS_KEPT) -> None:
    """Delete what was uploaded and never asked about.

    Args:
        folder: Where uploads lie.
        asked_about: What calls say that are not answered yet; a file whose path stands there stays.
        older_than: Age in seconds.
    """
    for entry in list(folder.iterdir()) if folder.is_dir() else []:
        try:
            if time.time() - entry.stat().st_mtime > older_than and entry.name not in asked_about:
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        except OSError:  # a request was quicker
            continue


async def keep_sweeping(folder: Path, waiting: Waiting) -> None:
    """Forget files and answers that nobody asks for, and how far uploads had come, until cancelled."""
    progress = Since()
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        waiting.forget_unread()
        known = {**file_upload_statuses._statuses, **file_upload_statuses._signals}
        for upload_id in progress.longer_than(BODY_SECONDS, known):
            file_upload_statuses._statuses.pop(upload_id, None)
            file_upload_statuses._signals.pop(upload_id, None)
        await asyncio.to_thread(sweep, folder, asked_about=waiting.uploads())
