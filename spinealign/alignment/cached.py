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
    name = None if model is None else os.fspath(model)
    version = () if name is None else folder_version(name)
    router = Router(lambda kind: _cached_aligner(name, kind, version), kind, routed=model is None)
    if is_scan_source(source) or not isinstance(source, Iterable):
        return router.measure(cast(ScanSource, source), lowest=lowest, anchor=anchor, masks=masks)
    found = router.measure_many(cast("Iterable[ScanSource]", source), lowest=lowest, anchor=anchor, masks=masks)
    return list(found)
