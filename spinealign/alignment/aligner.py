"""Measurement of alignment with a loaded model."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinealign.alignment.levels import check_anchor, name_levels
from spinealign.alignment.locating import Location, VertebraEngine, locate
from spinealign.alignment.measuring import Measured, angles_of, measure_frontal, not_measured
from spinealign.alignment.preparing import PreparedFilm, prepare
from spinealign.alignment.result import Alignment
from spinealign.alignment.vertebra import Vertebra, spine
from spinealign.checkpoint.checkpoint import Checkpoint, Engine
from spinealign.checkpoint.finding import find_checkpoint
from spinealign.checkpoint.vertebra_engines import load_vertebra_engine
from spinealign.checkpoint.vertebra_settings import VertebraSettings
from spinealign.errors import ImageError
from spinealign.imaging.quality import input_reasons, quality_reasons
from spinealign.imaging.slice import Slice
from spinealign.reading.slices import SliceSource, failed_source, is_slice_source, name_source, read_slice

NO_LIMIT = (
    "the model was trained without a cross-validation, so it has no limit of confidence and may measure images of "
    "other kinds"
)


class Aligner:
    """A loaded model that finds vertebrae and measures the alignment of the spine. Threads may share it.

    Attributes:
        checkpoint: Folder of the model.
        settings: Settings of the model.
        engine: Networks of the model.
    """

    def __init__(self, checkpoint: Checkpoint, engine: VertebraEngine) -> None:
        self.checkpoint, self.engine = checkpoint, engine
        self.settings: VertebraSettings = checkpoint.vertebra_settings

    @classmethod
    def from_pretrained(  # noqa: PLR0913 - the keywords of the Hugging Face libraries
        cls,
        pretrained_model_name_or_path: str | os.PathLike[str] | None = None,
        *,
        revision: str | None = None,
        token: str | bool | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        local_files_only: bool = False,
        device: str | None = None,
        engine: Engine = "onnx",
    ) -> Aligner:
        """Load a model; see `Predictor.from_pretrained` for the arguments and errors. None loads the x-ray model."""
        checkpoint = find_checkpoint(
            pretrained_model_name_or_path,
            revision=revision,
            token=token,
            cache_dir=cache_dir,
            local_files_only=local_files_only,
            engine=engine,
            task="vertebrae",
        )
        return cls(checkpoint, load_vertebra_engine(checkpoint, engine, device=device))

    def __reduce__(self) -> tuple[Any, ...]:
        folder = self.checkpoint.folder.resolve()
        return _reload, (type(self), Checkpoint(folder, self.checkpoint.model), self.engine.name, self.engine.device)

    def __repr__(self) -> str:
        return f"Aligner({self.checkpoint.model!r}, {self.settings.kind!r})"

    def measure(self, source: SliceSource, *, anchor: Mapping[str, int] | None = None) -> Alignment:
        """Measure one image.

        Args:
            source: A source that `read_slice` accepts.
            anchor: Number of a visible vertebra, counted from 1 at the top, by its level, such as `{"L5": 17}`; the
                levels of the others follow from it.

        Returns:
            The alignment. An image that is not of the expected kind or not good enough is not accepted and not
            measured.

        Raises:
            ImageError: If the image cannot be used at all, or the anchor does not fit the visible vertebrae.
            ValueError: If no spine can have the anchor.
        """
        check_anchor(anchor or {})
        try:
            image = read_slice(source)
        except ImageError as error:
            error.source = name_source(source)
            raise
        film = prepare(image)
        reasons = self.kind_reasons(image, film)
        vertebrae: tuple[Vertebra, ...] = ()
        measured: Measured | None = None
        if not reasons:
            location = self.locate(film)
            reasons = self.location_reasons(location)
            if not reasons:
                vertebrae = _vertebrae(film.to_original(location.corners), location.peaks)
                vertebrae = name_levels(vertebrae, anchor or {})
                measured = self._measure(vertebrae, image, second=spine(film.to_original(location.second)))
        measures, curves, findings = measured or not_measured(reasons)
        return Alignment(
            self.settings.kind,
            vertebrae,
            measures,
            findings,
            accepted=not reasons,
            rejection_reasons=reasons,
            model=self.checkpoint.model,
            source=image.origin,
            curves=curves,
            notes=image.notes if reasons or self.settings.min_peak else (*image.notes, NO_LIMIT),
            spacing_mm=image.spacing_mm,
            gray=film.display,
        )

    def measure_many(
        self, sources: Iterable[SliceSource], *, anchor: Mapping[str, int] | None = None
    ) -> Iterator[Alignment | ImageError]:
        """Measure many images, one after the other.

        Args:
            sources: Sources that `read_slice` accepts.
            anchor: As for `measure`, for all images.

        Returns:
            An iterator over one item for each source, in order: an `Alignment`, or an `ImageError` that names its
            `source`, also if the anchor does not fit its vertebrae.

        Raises:
            TypeError: If `sources` is one source.
            ValueError: If no spine can have the anchor.
        """
        check_anchor(anchor or {})
        if is_slice_source(sources) or not isinstance(sources, Iterable):
            raise TypeError(f"Expected an iterable of images, got one {type(sources).__name__}; put it in a list.")
        return (self._measure_or_fail(source, anchor) for source in sources)

    def locate(self, film: PreparedFilm) -> Location:
        """Return the vertebrae of a prepared film, whether it would be accepted or not."""
        return locate(self.engine, film, shapes=self.settings.shapes, count=self.settings.count)

    def _measure_or_fail(self, source: SliceSource, anchor: Mapping[str, int] | None) -> Alignment | ImageError:
        try:
            return self.measure(source, anchor=anchor)
        except ImageError as error:
            return failed_source(error, source)

    def kind_reasons(self, image: Slice, film: PreparedFilm) -> tuple[str, ...]:
        """Return why an image, prepared as a film, is not measured, as far as it can be said without the networks."""
        settings, (height, width) = self.settings, image.shape
        reasons = input_reasons(image, settings.takes)
        if image.unit == "HU":
            reasons += ("CT in Hounsfield units (expects an x-ray)",)
        if not reasons:
            reasons += quality_reasons(film.display, settings.quality, color=image.color)
        down, across = image.spacing_mm or (1.0, 1.0)
        share = width * across / (height * down)
        if share > settings.max_width:
            reasons += (
                f"too wide for a frontal spine: width {share:.2f} of the height (limit {settings.max_width:g}); crop "
                "it to the spine",
            )
        return reasons

    def location_reasons(self, location: Location) -> tuple[str, ...]:
        """Return why located vertebrae are not measured."""
        found, settings = len(location.peaks), self.settings
        if found < settings.min_vertebrae:
            return (f"too few vertebrae: {found} in a chain (limit {settings.min_vertebrae})",)
        peak = float(location.peaks.mean())
        if peak < settings.min_peak:
            return (
                f"not recognized as an upright frontal spine: confidence {peak:.2f} (limit {settings.min_peak:.2f})",
            )
        return ()

    def _measure(self, vertebrae: Sequence[Vertebra], image: Slice, *, second: Sequence[Vertebra]) -> Measured:
        """Return the measures, with intervals that are wider where both networks disagree."""
        spacing = image.spacing_mm if image.spacing_mm and image.spacing_mm[0] != image.spacing_mm[1] else None
        first, other = (angles_of(each, spacing_mm=spacing) for each in (vertebrae, second))
        disagreements = {name: abs(angle - other[name]) for name, angle in first.items()}
        return measure_frontal(
            vertebrae, spacing_mm=spacing, rules=self.settings.intervals, disagreements=disagreements
        )


def _vertebrae(corners: NDArray[np.float64], peaks: NDArray[np.float64]) -> tuple[Vertebra, ...]:
    return tuple(
        Vertebra(each, number, confidence=float(peak))
        for number, (each, peak) in enumerate(zip(corners, peaks), start=1)
    )


def _reload(cls: type[Aligner], checkpoint: Checkpoint, engine: Engine, device: str | None) -> Aligner:
    return cls(checkpoint, load_vertebra_engine(checkpoint, engine, device=device))
