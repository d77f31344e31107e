"""Measurement with models that stay loaded between calls."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import cast, overload

from spinealign.alignment.aligner import Aligner
from spinealign.alignment.result import Alignment
from spinealign.checkpoint.finding import folder_version
from spinealign.errors import ImageError
from spinealign.reading.slices import SliceSource, is_slice_source


@lru_cache(maxsize=4)
def _cached_aligner(model: str | None, _version: tuple[tuple[str, int], ...]) -> Aligner:
    return Aligner.from_pretrained(model)


@overload  # text and bytes are one source, although they can be iterated
def measure(  # type: ignore[overload-overlap]
    source: SliceSource, model: str | os.PathLike[str] | None = None, *, anchor: Mapping[str, int] | None = None
) -> Alignment: ...


@overload
def measure(
    source: Iterable[SliceSource],
    model: str | os.PathLike[str] | None = None,
    *,
    anchor: Mapping[str, int] | None = None,
) -> list[Alignment | ImageError]: ...


def measure(
    source: SliceSource | Iterable[SliceSource],
    model: str | os.PathLike[str] | None = None,
    *,
    anchor: Mapping[str, int] | None = None,
) -> Alignment | list[Alignment | ImageError]:
    """Measure the Cobb angles of one frontal x-ray, or of each in a list, tuple or generator.

    The model stays loaded for the next call.

    Args:
        source: A path, bytes, an open binary file, a Pillow image, an array of shape (H, W), or a Slice; or an
            iterable of these.
        model: Hub id or checkpoint folder; None for the embedded x-ray model.
        anchor: Number of a visible vertebra, counted from 1 at the top, by its level, such as `{"L5": 17}`; the levels
            of the others follow from it.

    Returns:
        One alignment. For an iterable, a list with one item for each source, in order: an alignment, or the
        `ImageError` of an image that cannot be used, with its `source`.

    Raises:
        ImageError: If the only image cannot be used.
        CheckpointError: If the model cannot be used.
        ValueError: If no spine can have the anchor.
    """
    name = None if model is None else os.fspath(model)
    aligner = _cached_aligner(name, () if name is None else folder_version(name))
    if is_slice_source(source) or not isinstance(source, Iterable):
        return aligner.measure(cast(SliceSource, source), anchor=anchor)
    return list(aligner.measure_many(cast("Iterable[SliceSource]", source), anchor=anchor))
