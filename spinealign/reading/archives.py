"""Files in zip and tar archives, read in place; nothing is extracted under its name."""

from __future__ import annotations

import gzip
import os
import stat
import tarfile
import tempfile
import threading
import weakref
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import PurePosixPath
from typing import IO, Protocol

from spinealign.config import ReadingLimits
from spinealign.errors import ImageError, UnreadableImageError
from spinealign.reading.kinds import HEAD_BYTES, TAR, TAR_GZ, ZIP, Kind, kind_of
from spinealign.reading.tally import Tally

_FREE_BYTES = 64 * 1024**2  # below this size, any compression ratio is harmless
_BLOCK = 1024**2
_ZIP_END, _ZIP64_END, _ZIP_ENTRY = b"PK\x05\x06", b"PK\x06\x06", b"PK\x01\x02"
_ZIP_END_BYTES = 22 + 65_535 + 20 + 56  # with the longest comment, and the records of zip64
_ENTRY_BYTES = 512  # of a file in the directory of a zip archive, with a long name


class Archive(Protocol):
    """Files in an archive.

    Attributes:
        sizes: Size of each file in bytes by its name, without folders, links, encrypted files and names with `..`.
        passed: What was left out.
    """

    sizes: dict[str, int]
    passed: Tally

    def read(self, name: str, size: int) -> bytes:
        """Return the first bytes of a file, at most `size`."""


def open_archive(path: str, limits: ReadingLimits | None = None) -> Archive:
    """Open a zip, tar or compressed tar archive; its last users share it.

    A compressed tar is unpacked into a temporary file without a name, which ends with the process.

    Raises:
        UnreadableImageError: If it is damaged, not an archive, or exceeds a limit.
    """
    with _typed_errors(path):
        status = os.stat(path)
        stamp = (status.st_mtime_ns, status.st_size, os.getpid())  # a forked process opens its own files
        return _opened(path, stamp, limits or ReadingLimits())


def read_member(path: str, name: str, *, size: int, limits: ReadingLimits | None = None) -> bytes:
    """Return the first bytes of a file in an archive, at most `size`.

    Raises:
        UnreadableImageError: If the archive or the file cannot be read, or there is no such file.
    """
    archive = open_archive(path, limits)
    if name not in archive.sizes:
        raise UnreadableImageError(f"There is no readable file {name} in {path}; check the path.")
    with _typed_errors(f"{path}/{name}"):
        return archive.read(name, size)


@lru_cache(maxsize=8)
def _opened(path: str, stamp: tuple[int, ...], limits: ReadingLimits) -> Archive:
    with open(path, "rb") as stream:
        kind = kind_of(stream.read(HEAD_BYTES))
    if kind is ZIP:
        return _ZipArchive(path, limits)
    if kind in (TAR, TAR_GZ):
        return _TarArchive(path, kind, limits)
    raise UnreadableImageError(f"{path} is not a zip or tar archive; check the file.")


@contextmanager
def _typed_errors(origin: str) -> Iterator[None]:
    try:
        yield
    except ImageError:
        raise
    except OSError as error:
        raise UnreadableImageError(f"{origin} cannot be opened: {error.strerror or type(error).__name__}.") from error
    except Exception as error:  # of many types, whose text may quote the content
        raise UnreadableImageError(
            f"{origin} is damaged or uses an unknown compression ({type(error).__name__}); download or export it again."
        ) from None


class _ZipArchive:
    def __init__(self, path: str, limits: ReadingLimits) -> None:
        _check_directory(path, limits)
        self._zip = zipfile.ZipFile(path)
        self._files: dict[str, zipfile.ZipInfo] = {}
        self.passed = Tally()
        for info in self._zip.infolist():
            name = _plain_name(info.filename)
            if info.is_dir() or not name:
                continue
            if ".." in PurePosixPath(name).parts:
                self.passed.add("unsafe name in an archive", name)
            elif stat.S_ISLNK(info.external_attr >> 16):
                self.passed.add("link in an archive", name)
            elif info.flag_bits & 1:
                self.passed.add("encrypted file", name)
            else:
                self._files[name] = info
        self.sizes = {name: info.file_size for name, info in self._files.items()}
        packed = sum(info.compress_size for info in self._zip.infolist())
        if packed > os.path.getsize(path):
            raise UnreadableImageError(f"{path} has files that overlap; do not trust this archive.")
        _check_size(path, sum(info.file_size for info in self._zip.infolist()), packed, limits)

    def read(self, name: str, size: int) -> bytes:
        with self._zip.open(self._files[name]) as stream:
            return stream.read(size)


class _TarArchive:
    def __init__(self, path: str, kind: Kind, limits: ReadingLimits) -> None:
        self._stream: IO[bytes] = open(path, "rb") if kind is TAR else _unpacked(path, limits)  # noqa: SIM115
        weakref.finalize(self, self._stream.close)
        self._lock = threading.Lock()
        self._places: dict[str, int] = {}
        self.sizes: dict[str, int] = {}
        self.passed = Tally()
        if _count_headers(self._stream, limits.max_files) > limits.max_files:
            raise UnreadableImageError(_too_many(path, limits))
        with tarfile.open(fileobj=self._stream, mode="r:") as tar:
            for info in tar:
                name = _plain_name(info.name)
                if info.isdir() or not name:
                    continue
                if ".." in PurePosixPath(name).parts:
                    self.passed.add("unsafe name in an archive", name)
                elif not info.isreg() or info.issparse():
                    self.passed.add("link in an archive", name)
                else:
                    self._places[name], self.sizes[name] = info.offset_data, info.size
        _check_size(path, sum(self.sizes.values()), os.path.getsize(path), limits)

    def read(self, name: str, size: int) -> bytes:
        with self._lock:
            self._stream.seek(self._places[name])
            return self._stream.read(min(size, self.sizes[name]))


def _plain_name(name: str) -> str:
    return "/".join(part for part in name.replace("\\", "/").split("/") if part not in ("", "."))


def _check_directory(path: str, limits: ReadingLimits) -> None:
    """Count the files of a zip archive, because `ZipFile` reads a directory of any size."""
    with open(path, "rb") as stream:
        start = max(os.path.getsize(path) - _ZIP_END_BYTES, 0)
        stream.seek(start)
        tail = stream.read()
        end = tail.rfind(_ZIP_END)
        size = int.from_bytes(tail[end + 12 : end + 16], "little")
        if size == 0xFFFFFFFF and (end64 := tail.rfind(_ZIP64_END, 0, max(end, 0))) >= 0:
            end, size = end64, int.from_bytes(tail[end64 + 40 : end64 + 48], "little")
        if end < 0:
            raise UnreadableImageError(f"{path} is a damaged or incomplete zip archive; download or export it again.")
        stream.seek(max(start + end - size, 0))
        if size > limits.max_files * _ENTRY_BYTES or stream.read(size).count(_ZIP_ENTRY) > limits.max_files:
            raise UnreadableImageError(_too_many(path, limits))


def _count_headers(stream: IO[bytes], limit: int) -> int:
    """Count the headers of a tar archive up to one more than the limit, much faster than `tarfile` parses them."""
    count = place = 0
    while count <= limit:
        stream.seek(place)
        size = stream.read(tarfile.BLOCKSIZE)[124:136]  # octal, or binary after a byte of 128
        if not size.strip(b"\0"):
            break
        count += 1
        data = int.from_bytes(size[1:], "big") if size[0] & 128 else int(size.strip(b"\0 ") or b"0", 8)
        place += tarfile.BLOCKSIZE * (1 - -data // tarfile.BLOCKSIZE)
    stream.seek(0)
    return count


def _too_many(path: str, limits: ReadingLimits) -> str:
    return f"{path} has more than {limits.max_files:,} files; extract it, or divide it."


def _check_size(path: str, unpacked: int, packed: int, limits: ReadingLimits) -> None:
    """Check the size of all files.

    Raises:
        UnreadableImageError: If it exceeds a limit.
    """
    if unpacked > limits.max_unpacked:
        raise UnreadableImageError(
            f"{path} has more than {limits.max_unpacked / 1024**3:.4g} GiB of files; extract it, or divide it."
        )
    if unpacked > _FREE_BYTES and unpacked > limits.max_ratio * packed:
        raise UnreadableImageError(
            f"{path} is compressed to less than 1/{limits.max_ratio} of its size, as harmful archives are; extract it "
            "if you trust it."
        )


def _unpacked(path: str, limits: ReadingLimits) -> IO[bytes]:
    with ExitStack() as on_error:
        target = on_error.enter_context(tempfile.TemporaryFile())
        with open(path, "rb") as packed, gzip.open(packed) as stream:
            while block := stream.read(_BLOCK):
                target.write(block)
                _check_size(path, target.tell(), packed.tell(), limits)
        target.seek(0)
        on_error.pop_all()
    return target
