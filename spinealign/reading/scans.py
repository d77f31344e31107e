"""Scans: single images, volumes, and the series of a folder, in one interface."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, cast

from spinealign.config import ReadingLimits
from spinealign.errors import ImageError, UnsupportedFormatError
from spinealign.imaging.slice import Slice
from spinealign.imaging.volume import Volume
from spinealign.reading.dicom import count_frames, is_dataset, stack_of
from spinealign.reading.discovery import expand_paths
from spinealign.reading.files import read_file, read_head
from spinealign.reading.kinds import DICOM, kind_of
from spinealign.reading.slices import SliceSource, is_slice_source, read_slice, read_stream
from spinealign.reading.volumes import VolumeSource, read_volume


@dataclass(frozen=True)
class Series:
    """The files of one DICOM series.

    Attributes:
        name: Their folder, or the first file if the folder has others.
        paths: Paths of the files.
    """

    name: str
    paths: tuple[str, ...]


ScanSource: TypeAlias = SliceSource | Volume | Series


def list_scans(paths: Iterable[str | os.PathLike[str]]) -> list[str | Series]:
    """List the scans in files, folders and archives: DICOM series, NIfTI volumes and single images.

    Files of one DICOM series of CT, MR, NM or PT are one scan; every x-ray is one.

    Args:
        paths: Paths of files, folders or archives, or globs (`**` matches subfolders).
    """
    return expand_scans(os.fspath(path) for path in paths)[0]


def expand_scans(patterns: Iterable[str]) -> tuple[list[str | Series], str]:
    """Return the scans of `list_scans`, and a sentence on what was passed over; empty if nothing was."""
    paths, passed = expand_paths(patterns, volumes=True)
    groups: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        groups[_series_of(path)].append(path)
    shared = Counter(folder for members in groups.values() for folder in set(map(os.path.dirname, members)))
    return [
        Series(_series_name(members, shared), tuple(members)) if len(members) > 1 else members[0]
        for members in groups.values()
    ], passed


def read_scan(source: ScanSource) -> Slice | Volume:
    """Read one image, or a volume if the source is one.

    Args:
        source: A source that `read_slice` accepts, a NIfTI or multi-frame DICOM file or its content, a `Volume`, a
            `Series`, or a folder or archive with one scan.

    Raises:
        UnreadableImageError: If it cannot be read.
        UnsupportedFormatError: If it has no image, several scans, or several volumes in one file.
    """
    if isinstance(source, Slice | Volume):
        return source
    if isinstance(source, Series):
        return replace(read_volume(source.paths), origin=source.name)
    if isinstance(source, str | os.PathLike):
        return _read_path(os.fspath(source))
    if hasattr(source, "read"):
        source = read_stream(source, ReadingLimits())
    return read_volume(cast(VolumeSource, source), whole=True) if _is_volume(source) else read_slice(source)


def is_scan_source(source: object) -> bool:
    """Return whether an object is one source of `read_scan`, although some of them can be iterated."""
    return isinstance(source, Volume | Series) or is_slice_source(source)


def name_scan(source: object) -> str:
    """Return the path of a source, the name of a series, or the type of another source."""
    if isinstance(source, Series):
        return source.name
    return os.fsdecode(source) if isinstance(source, str | os.PathLike) else type(source).__name__


def _read_path(path: str) -> Slice | Volume:
    if not os.path.isdir(path) and (kind := kind_of(read_head(path))).role != "archive":
        several = kind.role == "volume" or (kind is DICOM and count_frames(read_file(path)) > 1)
        return read_volume(path, whole=True) if several else read_slice(path)
    scans, passed = expand_scans([path])
    if scans == [path]:
        raise UnsupportedFormatError(f"{path} contains no images. {passed}".rstrip())
    if len(scans) > 1:
        examples = ", ".join(name_scan(scan) for scan in scans[:2])
        raise UnsupportedFormatError(
            f"{path} contains {len(scans)} scans, such as {examples}; pass one of them, or what list_scans returns."
        )
    found = read_scan(scans[0])
    return replace(found, origin=path, notes=(*found.notes, *([passed] if passed else [])))


def _is_volume(source: object) -> bool:
    """Return whether the content of a file or a dataset is a volume."""
    if isinstance(source, bytes):
        kind = kind_of(source)
        return kind.role == "volume" or (kind is DICOM and count_frames(source) > 1)
    return is_dataset(source) and count_frames(source) > 1


def _series_of(path: str) -> str:
    """Return the key of the series of a DICOM slice; for other files, their path."""
    try:
        stacked = kind_of(read_head(path)) is DICOM and stack_of(read_file(path))
    except ImageError:  # reported when it is read
        stacked = None
    return stacked or path


def _series_name(members: Sequence[str], shared: Mapping[str, int]) -> str:
    """Return the folder of the files of a series, or the first file; `shared` is the number of scans in each folder."""
    folders = set(map(os.path.dirname, members))
    folder = folders.pop()
    return folder if not folders and shared[folder] == 1 else members[0]
