"""Measurement of frontal x-rays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinealign.alignment.levels import check_anchor, name_levels
from spinealign.alignment.locating import Location, VertebraEngine, locate
from spinealign.alignment.measuring import Measured, angles_of, measure_frontal, not_measured
from spinealign.alignment.preparing import PreparedFilm, prepare
from spinealign.alignment.result import Alignment
from spinealign.alignment.vertebra import Vertebra, spine
from spinealign.checkpoint.vertebra_settings import VertebraSettings
from spinealign.errors import UnsupportedFormatError
from spinealign.imaging.quality import input_reasons, quality_reasons
from spinealign.imaging.slice import Slice
from spinealign.imaging.volume import Volume

NO_LIMIT = (
    "the model was trained without a cross-validation, so it has no limit of confidence and may measure images of "
    "other kinds"
)


class FrontalMeasurer:
    """Networks and settings that measure frontal x-rays.

    Attributes:
        settings: Settings of the model.
        engine: Networks of the model.
        model: Name of the model.
    """

    def __init__(self, settings: VertebraSettings, engine: VertebraEngine, *, model: str) -> None:
        self.settings, self.engine, self.model = settings, engine, model

    def check_levels(self, lowest: str | None, anchor: Mapping[str, Any]) -> None:
        """Check given levels without an image; raise ValueError if no spine can have them."""
        check_anchor(anchor)
        check_anchor({} if lowest is None else {lowest: 1})

    def measure(
        self,
        image: Slice | Volume,
        *,
        lowest: str | None = None,
        anchor: Mapping[str, Any] | None = None,
        masks: bool = False,
        check_kind: bool = True,
    ) -> Alignment:
        """Measure an x-ray; see `Aligner.measure`. It has no masks and is always recognized by its vertebrae."""
        if isinstance(image, Volume):
            raise UnsupportedFormatError(
                f"{image.origin} is a volume of {len(image)} slices, but the model measures single x-rays."
            )
        film = prepare(image)
        reasons = self.kind_reasons(image, film)
        vertebrae: tuple[Vertebra, ...] = ()
        measured: Measured | None = None
        if not reasons:
            location = self.locate(film)
            reasons = self.location_reasons(location)
            if not reasons:
                vertebrae = _vertebrae(film.to_original(location.corners), location.peaks)
                given = {**(anchor or {}), **({} if lowest is None else {lowest: len(vertebrae)})}
                vertebrae = name_levels(vertebrae, given)
                measured = self._measure(vertebrae, image, second=spine(film.to_original(location.second)))
        measures, curves, findings = measured or not_measured(reasons)
        return Alignment(
            self.settings.kind,
            vertebrae,
            measures,
            findings,
            accepted=not reasons,
            rejection_reasons=reasons,
            model=self.model,
            source=image.origin,
            curves=curves,
            notes=image.notes if reasons or self.settings.min_peak else (*image.notes, NO_LIMIT),
            spacing_mm=image.spacing_mm,
            gray=film.display,
        )

    def locate(self, film: PreparedFilm) -> Location:
        """Return the vertebrae of a prepared film, whether it would be accepted or not."""
        return locate(self.engine, film, shapes=self.settings.shapes, count=self.settings.count)

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
