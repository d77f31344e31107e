"""Measurement with models that stay loaded between calls."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, cast, overload

from spinealign.alignment.aligner import Aligner
from spinealign.alignment.result import Alignment
from spinealign.alignment.routing import Router
from spinealign.checkpoint.finding import folder_version
from spinealign.errors import ImageError
from spinealign.reading.scans import ScanSource, is_scan_source


@lru_cache(maxsize=4)
def _cached_aligner(model: str | None, kind: str | None, _version: tuple[tuple[str, int], ...]) -> Aligner:
    return Aligner.from_pretrained(model, kind=kind)


@overload  # text, bytes and volumes are one source, although they can be iterated
def measure(  # type: ignore[overload-overlap]
    source: ScanSource,
    model: str | os.PathLike[str] | None = None,
    *,
    kind: str | None = None,
    lowest: str | None = None,
    anchor: Mapping[str, Any] | None = None,
    masks: bool = False,
) -> Alignment: ...


@overload
def measure(
    source: Iterable[ScanSource],
    model: str | os.PathLike[str] | None = None,
    *,
    kind: str | None = None,
    lowest: str | None = None,
    anchor: Mapping[str, Any] | None = None,
    masks: bool = False,
) -> list[Alignment | ImageError]: ...


def measure(
    source: ScanSource | Iterable[ScanSource],
    model: str | os.PathLike[str] | None = None,
    *,
    kind: str | None = None,
    lowest: str | None = None,
    anchor: Mapping[str, Any] | None = None,
    masks: bool = False,
) -> Alignment | list[Alignment | ImageError]:
    """Measure the alignment of the spine in a frontal x-ray or a sagittal MR, or in each of a list of them.

    The model stays loaded for the next call.

    Args:
        source: A path, bytes, an open binary file, a Pillow image, an array of shape (H, W), or a Slice; a volume: a
            NIfTI file, a folder or archive with one DICOM series, a multi-frame DICOM file, or a Volume; or an iterable
            of these, such as `list_scans` returns.
        model: Hub id or checkpoint folder; None for the embedded model of the kind of the image.
        kind: Kind of the images, `frontal_xray` or `sagittal_mr`; None to take it from the header or, without one, from
            what the image shows. An MR image of a given kind is upright, unless its orientation is clear.
        lowest: See `Aligner.measure`.
        anchor: See `Aligner.measure`.
        masks: See `Aligner.measure`.

    Returns:
        One alignment. For an iterable, a list with one item for each source, in order: an alignment, or the
        `ImageError` of an image that cannot be used, with its `source`.

    Raises:
        ImageError: If the only image cannot be used.
        CheckpointError: If the model cannot be used, or does not measure images of the kind.
        ValueError: If the kind is unknown, or no spine can have the given levels.
    """
    router = _router(model, kind)
    if is_scan_source(source) or not isinstance(source, Iterable):
        return router.measure(cast(ScanSource, source), lowest=lowest, anchor=anchor, masks=masks)
    found = router.measure_many(cast("Iterable[ScanSource]", source), lowest=lowest, anchor=anchor, masks=masks)
    return list(found)


def measure_study(
    sources: Iterable[ScanSource],
    model: str | os.PathLike[str] | None = None,
    *,
    kind: str | None = None,
    masks: bool = False,
) -> list[Alignment | ImageError]:
    """Measure the series of one examination of one patient, such as T1 and T2, with the same levels in all of them.

    Vertebral bodies at the same place in patient coordinates must have the same level. Series that name one body
    differently lose their levels, and their bodies are counted from below (`V1`). Where they agree, the smallest
    probability counts. A series without levels takes them from the others. `notes` say what was taken, and which series
    could not be compared. That the images are of one patient is not checked, since nothing that identifies the patient
    is read.

    Args:
        sources: Sources that `measure` accepts, such as `list_scans` returns.
        model: See `measure`.
        kind: See `measure`.
        masks: See `Aligner.measure`.

    Returns:
        One item for each source, in order: an alignment, or the `ImageError` of an image that cannot be used.

    Raises:
        CheckpointError: If the model cannot be used, or does not measure images of the kind.
        TypeError: If `sources` is one source.
        ValueError: If the kind is unknown.
    """
    return _router(model, kind).measure_study(sources, masks=masks)


def _router(model: str | os.PathLike[str] | None, kind: str | None) -> Router:
    name = None if model is None else os.fspath(model)
    version = () if name is None else folder_version(name)
    return Router(lambda kind: _cached_aligner(name, kind, version), kind, routed=model is None)
