"""Measurement of alignment with a loaded model."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from spinealign.alignment.frontal import FrontalMeasurer
from spinealign.alignment.result import Alignment
from spinealign.checkpoint.checkpoint import Checkpoint, Engine
from spinealign.checkpoint.files import SAGITTAL_MR
from spinealign.checkpoint.finding import find_checkpoint
from spinealign.checkpoint.vertebra_engines import load_vertebra_engine
from spinealign.errors import ImageError
from spinealign.reading.scans import ScanSource, is_scan_source, name_scan, read_scan
from spinealign.reading.slices import failed_source

if TYPE_CHECKING:
    from spinealign.alignment.sagittal.aligner import SagittalMeasurer

_Found = TypeVar("_Found")


class Aligner:
    """A loaded model that finds vertebrae and measures the alignment of the spine. Threads may share it.

    Attributes:
        checkpoint: Folder of the model.
        engine: Networks of the model.
        measurer: What measures images of the kind of the model.
    """

    def __init__(self, checkpoint: Checkpoint, engine: Any) -> None:
        self.checkpoint, self.engine = checkpoint, engine
        self.measurer = _measurer(checkpoint, engine)

    @classmethod
    def from_pretrained(  # noqa: PLR0913 - the keywords of the Hugging Face libraries
        cls,
        pretrained_model_name_or_path: str | os.PathLike[str] | None = None,
        *,
        kind: str | None = None,
        revision: str | None = None,
        token: str | bool | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        local_files_only: bool = False,
        device: str | None = None,
        engine: Engine = "onnx",
    ) -> Aligner:
        """Load a model; see `Predictor.from_pretrained` for the arguments and errors.

        `kind` is the kind of images that the model must measure, `frontal_xray` or `sagittal_mr`, or None for any.
        Without a name, the embedded model of this kind is loaded; without both, the x-ray model.
        """
        checkpoint = find_checkpoint(
            pretrained_model_name_or_path,
            revision=revision,
            token=token,
            cache_dir=cache_dir,
            local_files_only=local_files_only,
            engine=engine,
            task="vertebrae",
            kind=kind,
        )
        return cls(checkpoint, _load_engine(checkpoint, engine, device=device))

    def __reduce__(self) -> tuple[Any, ...]:
        folder = self.checkpoint.folder.resolve()
        return _reload, (type(self), Checkpoint(folder, self.checkpoint.model), self.engine.name, self.engine.device)

    def __repr__(self) -> str:
        return f"Aligner({self.checkpoint.model!r}, {self.measurer.settings.kind!r})"

    def measure(
        self,
        source: ScanSource,
        *,
        lowest: str | None = None,
        anchor: Mapping[str, Any] | None = None,
        masks: bool = False,
        check_kind: bool = True,
    ) -> Alignment:
        """Measure one image or volume.

        Args:
            source: A source that `read_scan` accepts.
            lowest: Level of the lowest visible vertebra, such as `L5`; those of the others follow from it.
            anchor: The same for any vertebra. In an x-ray, its number, counted from 1 at the top, as in `{"L5": 17}`;
                in MR, a point (x, y) in its body in pixels of the image, as in `{"L4": (180, 240)}`.
            masks: Segment all slices of a volume, for `Alignment.save_masks`.
            check_kind: Refuse an MR image without headers that does not look like one, or whose orientation is unclear.

        Returns:
            The alignment. An image that is not of the expected kind or not good enough is not accepted and not
            measured.

        Raises:
            ImageError: If the image cannot be used at all, or a given level does not fit the visible vertebrae.
            ValueError: If no spine can have the given levels.
        """
        self.measurer.check_levels(lowest, anchor or {})
        try:
            image = read_scan(source)
        except ImageError as error:
            error.source = name_scan(source)
            raise
        return self.measurer.measure(image, lowest=lowest, anchor=anchor, masks=masks, check_kind=check_kind)

    def measure_many(
        self,
        sources: Iterable[ScanSource],
        *,
        lowest: str | None = None,
        anchor: Mapping[str, Any] | None = None,
        masks: bool = False,
        check_kind: bool = True,
    ) -> Iterator[Alignment | ImageError]:
        """Measure many images, one after the other; `lowest` and `anchor` hold for all of them.

        Args:
            sources: Sources that `read_scan` accepts.
            lowest: As for `measure`.
            anchor: As for `measure`.
            masks: As for `measure`.
            check_kind: As for `measure`.

        Returns:
            An iterator over one item for each source, in order: an `Alignment`, or an `ImageError` that names its
            `source`, also if a given level does not fit its vertebrae.

        Raises:
            TypeError: If `sources` is one source.
            ValueError: If no spine can have the given levels.
        """
        self.measurer.check_levels(lowest, anchor or {})
        measure = partial(self.measure, lowest=lowest, anchor=anchor, masks=masks, check_kind=check_kind)
        return each_or_error(measure, sources)


def each_or_error(
    measure: Callable[[ScanSource], _Found], sources: Iterable[ScanSource]
) -> Iterator[_Found | ImageError]:
    """Return an iterator over what `measure` returns for each source, or its `ImageError`.

    Raises:
        TypeError: If `sources` is one source.
    """
    if is_scan_source(sources) or not isinstance(sources, Iterable):
        raise TypeError(f"Expected an iterable of images, got one {type(sources).__name__}; put it in a list.")

    def measured(source: ScanSource) -> _Found | ImageError:
        try:
            return measure(source)
        except ImageError as error:
            return failed_source(error, name_scan(source))

    return map(measured, sources)


def _load_engine(checkpoint: Checkpoint, engine: Engine, *, device: str | None) -> Any:
    if checkpoint.kind != SAGITTAL_MR:
        return load_vertebra_engine(checkpoint, engine, device=device)
    from spinealign.checkpoint.sagittal_engines import load_sagittal_engine

    return load_sagittal_engine(checkpoint, engine, device=device)


def _measurer(checkpoint: Checkpoint, engine: Any) -> FrontalMeasurer | SagittalMeasurer:
    if checkpoint.kind != SAGITTAL_MR:
        return FrontalMeasurer(checkpoint.vertebra_settings, engine, model=checkpoint.model)
    from spinealign.alignment.sagittal.aligner import SagittalMeasurer  # loads SciPy

    return SagittalMeasurer(checkpoint.sagittal_settings, engine, model=checkpoint.model)


def _reload(cls: type[Aligner], checkpoint: Checkpoint, engine: Engine, device: str | None) -> Aligner:
    return cls(checkpoint, _load_engine(checkpoint, engine, device=device))
