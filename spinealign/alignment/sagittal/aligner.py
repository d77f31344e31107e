"""Measurement of sagittal MR."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinealign.alignment.kinds import TURNS, classify_kind
from spinealign.alignment.levels import check_known
from spinealign.alignment.result import Alignment, Finding, Measure, Outline
from spinealign.alignment.sagittal.corners import outline
from spinealign.alignment.sagittal.findings import sagittal_findings
from spinealign.alignment.sagittal.instances import DISC, PITCHES, Structure, pitch
from spinealign.alignment.sagittal.labels import label_slice, label_volume
from spinealign.alignment.sagittal.locating import SagittalEngine
from spinealign.alignment.sagittal.measuring import EXPERIMENTAL, body_reasons, measure_sagittal, sagittal_notes
from spinealign.alignment.sagittal.naming import MISSED, Numbering, find_gaps, s1_doubt
from spinealign.alignment.sagittal.orienting import UprightSlice, header_turn, turn_upright
from spinealign.alignment.sagittal.planes import Planes
from spinealign.alignment.sagittal.preparing import display_gray
from spinealign.alignment.sagittal.scaling import FoundSlice, find_in_slice
from spinealign.alignment.sagittal.structures import find_discs
from spinealign.alignment.sagittal.values import LUMBAR, SACRUM
from spinealign.alignment.sagittal.volumes import SagittalSpine, find_midline, spine_of_slice, spine_of_volume
from spinealign.alignment.vertebra import Vertebra
from spinealign.checkpoint.files import SAGITTAL_MR
from spinealign.checkpoint.sagittal_settings import SagittalSettings
from spinealign.imaging.quality import input_reasons, quality_reasons
from spinealign.imaging.slice import Slice
from spinealign.imaging.volume import Volume

Points = NDArray[np.float64]
LARGEST_SPACING_MM = 2.0  # of the pixels of a plane across the slices of a volume
LARGEST_WRONG_MM = 4.0  # of the pixels of sagittal slices, at which vertebrae can still be found
NARROW = 8  # length of a plane across the slices by its width, from which on it has too few slices
ASPECTS = (0.9, 1.7)  # median depth of the bodies by their height
NO_LEVELS = "the spacing does not fit the size of vertebrae, and their levels are not certain at other scales either"
NO_DEVIATION = "This needs a reliable spacing, four vertebral bodies, and slices on both sides of them."
SUSPECTED_MM = 5.0  # deviation to the side; that of an even curve of L1 to L5 of about 15 degrees
DEVIATION = "coronal_deviation_mm"
ANOTHER_SCALE = "The spacing does not fit the size of vertebrae, so it was not used."
STEP = 4  # points of an outline that become one
LIKELY = 0.4  # probability of the most probable orientation of a picture that is taken as it is
TAKEN = "The orientation is unknown and not clear; the image was taken as upright, anterior to the left."
UNCLEAR = "the orientation is unknown and not clear; turn the image upright, anterior to the left, and name its kind"


class SagittalMeasurer:
    """Networks and settings that measure sagittal MR.

    Attributes:
        settings: Settings of the model.
        engine: Networks of the model; None to describe what was found in masks.
        model: Name of the model.
    """

    def __init__(self, settings: SagittalSettings, engine: SagittalEngine | None, *, model: str = "") -> None:
        self.settings, self.engine, self.model = settings, engine, model

    @property
    def _networks(self) -> SagittalEngine:
        assert self.engine is not None, "masks are measured by measure_masks"  # noqa: S101 - a fault of this package
        return self.engine

    def check_levels(self, lowest: str | None, anchor: Mapping[str, Any]) -> None:
        """Check given levels without an image; raise ValueError if no spine can have them."""
        check_known((*anchor, *([] if lowest is None else [lowest])))
        for level, point in anchor.items():
            if np.shape(point) != (2,) or not np.isfinite(point).all():
                raise ValueError(f"In MR, {level} is given by a point (x, y) in its body, got {point!r}.")

    def measure(
        self,
        image: Slice | Volume,
        *,
        lowest: str | None = None,
        anchor: Mapping[str, Any] | None = None,
        masks: bool = False,
        check_kind: bool = True,
        numbering: Numbering | None = None,
    ) -> Alignment:
        """Measure a slice or a volume; see `Aligner.measure`.

        With `numbering`, these names replace those that were found for the same image before.
        """
        levels = {"lowest": lowest, "anchor": anchor or {}, "numbering": numbering}
        if isinstance(image, Volume):
            return self._measure_volume(image, levels, masks=masks)
        return self._measure_slice(image, levels, masks=masks, check_kind=check_kind)

    def _measure_slice(self, image: Slice, levels: Mapping[str, Any], *, masks: bool, check_kind: bool) -> Alignment:
        upright, notes, reasons = self._orient(image, check_kind=check_kind)
        reasons = self._kind_reasons(image) or reasons
        if reasons:
            return self.reject(reasons, image, notes=notes)
        found = find_in_slice(self._networks, upright.image)
        reasons = self._reasons(found, color=image.color)
        if reasons:
            return self.reject(reasons, image, notes=notes)
        anchor = {
            level: _point(found.prepared.from_original(upright.from_original(np.array(point, dtype=np.float64))))
            for level, point in levels["anchor"].items()
        }
        spine = spine_of_slice(found, **{**levels, "anchor": anchor})
        if reasons := _scale_reasons(spine):
            return self.reject(reasons, image, notes=notes)
        labeled = label_slice(spine, upright, image=image) if masks else None
        alignment = self._alignment(spine, upright, notes=(*notes, *image.notes))
        gray = upright.turn.inverse.apply(found.prepared.display)
        return replace(alignment, source=image.origin, masks=labeled, gray=gray, spacing_mm=image.spacing_mm)

    def _measure_volume(self, volume: Volume, levels: Mapping[str, Any], *, masks: bool) -> Alignment:
        reasons = self._volume_reasons(volume)
        if reasons:
            return self.reject(reasons, volume, notes=volume.notes)
        planes, middle = find_midline(self._networks, volume)
        found = planes.found(middle)
        reasons = self._reasons(found)
        if reasons:
            return self._reject_plane(reasons, found.image, volume=volume, index=middle)
        anchor = {
            level: _point(found.prepared.from_original(np.array(point, dtype=np.float64)))
            for level, point in levels["anchor"].items()
        }
        spine = spine_of_volume(planes, middle, **{**levels, "anchor": anchor})
        if reasons := _scale_reasons(spine):
            return self._reject_plane(reasons, spine.found.image, volume=volume, index=spine.index)
        alignment = self.describe_volume(spine, planes, notes=volume.notes)
        labeled = label_volume(spine, planes, volume=volume) if masks else None
        return replace(alignment, source=volume.origin, masks=labeled)

    def describe_volume(self, spine: SagittalSpine, planes: Planes, *, notes: tuple[str, ...]) -> Alignment:
        """Return the alignment of a spine in a volume, without its source and masks."""
        thick = (f"The slices are {planes.step_mm:.1f} mm apart, so one was measured.",)
        few = ("The volume has one sagittal slice.",) if planes.count == 1 else thick if spine.slices == 1 else ()
        alignment = self._alignment(spine, UprightSlice(spine.found.image), notes=(*few, *notes))
        return _with_deviation(alignment, spine)

    def _orient(self, image: Slice, *, check_kind: bool) -> tuple[UprightSlice, tuple[str, ...], tuple[str, ...]]:
        """Return a slice upright, a note on how it was turned, and the reasons why it cannot be measured."""
        if image.plane == "sagittal":
            return turn_upright(image, header_turn(image)), (), ()
        if image.orientation is not None:  # of another plane, which is refused
            return UprightSlice(image), (), ()
        shown = classify_kind(image)
        doubtful = image.modality is None and shown.kind != SAGITTAL_MR
        if check_kind and doubtful:
            return UprightSlice(image), (), (f"{shown} (expects {SAGITTAL_MR}); if it is one, name its kind",)
        notes = (f"Measured because its kind was given, but {shown}.",) if doubtful else ()
        if shown.turn is None:
            upright = not check_kind or (shown.likeliest == TURNS[0] and shown.turn_probability >= LIKELY)
            return UprightSlice(image), *(((*notes, TAKEN), ()) if upright else ((), (UNCLEAR,)))
        if shown.turn == TURNS[0]:
            return UprightSlice(image), notes, ()
        note = f"The orientation is unknown; the image was {shown.turn}, by what it shows."
        return turn_upright(image, shown.turn), (*notes, note), ()

    def _kind_reasons(self, image: Slice) -> tuple[str, ...]:
        """Return why a slice is not of the kind that the model measures, by its header."""
        if image.unit == "HU":
            return ("CT in Hounsfield units (expects sagittal MR)",)
        return input_reasons(image, self.settings.takes)

    def _volume_reasons(self, volume: Volume) -> tuple[str, ...]:
        """Return why a volume is not measured, by its header and its voxels."""
        plane = volume.sagittal()
        reasons = self._kind_reasons(replace(plane, modality=volume.modality))
        spacing, kind = max(plane.spacing_mm or (0.0,)), volume[0].plane
        if kind == "sagittal":
            wide = () if spacing <= LARGEST_WRONG_MM else (f"implausible spacing: pixels of {spacing:.1f} mm",)
            return reasons or wide
        if spacing > LARGEST_SPACING_MM or min(plane.shape) < max(plane.shape) / NARROW:
            reasons = (f"wrong plane: {kind} slices, {spacing:.1f} mm apart (expects sagittal slices)", *reasons)
        return reasons

    def _reasons(self, found: FoundSlice, *, color: float = 0.0) -> tuple[str, ...]:
        """Return why a slice is not measured, by its pixels and its bodies."""
        reasons = quality_reasons(found.prepared.display, self.settings.quality, color=color)
        bodies, settings = found.location.bodies, self.settings
        if reasons:
            return reasons
        if len(bodies) < settings.min_bodies:
            return (f"too few vertebral bodies: {len(bodies)} in a chain (limit {settings.min_bodies})",)
        probability = float(np.mean([body.probability for body in bodies]))
        if probability < settings.min_probability:
            limit = settings.min_probability
            return (f"not recognized as a sagittal spine: mean probability {probability:.2f} (limit {limit:.2f})",)
        return ()

    def reject(self, reasons: tuple[str, ...], image: Slice | Volume, *, notes: tuple[str, ...]) -> Alignment:
        """Return the alignment of an image that is not accepted."""
        reason = f"The image was not accepted: {'; '.join(reasons)}"
        measures = [replace(item, reason=reason) for item in measure_sagittal({}, ())]
        findings = [*sagittal_findings({}, measures=())]
        if isinstance(image, Volume):
            measures.append(Measure(DEVIATION, unit="mm", reason=reason))
            findings.append(Finding("scoliosis", measure=DEVIATION, unit="mm"))
        return Alignment(
            SAGITTAL_MR,
            (),
            tuple(measures),
            tuple(findings),
            accepted=False,
            rejection_reasons=reasons,
            model=self.model,
            source=image.origin,
            notes=notes,
            spacing_mm=image.spacing_mm if isinstance(image, Slice) else None,
            gray=display_gray(image),
        )

    def _reject_plane(self, reasons: tuple[str, ...], image: Slice, *, volume: Volume, index: int | None) -> Alignment:
        """Return the alignment of a volume that is not accepted for what a plane shows."""
        of_volume, of_plane = (self.reject(reasons, shown, notes=volume.notes) for shown in (volume, image))
        return replace(of_volume, gray=of_plane.gray, spacing_mm=of_plane.spacing_mm, slice_index=index)

    def _alignment(self, spine: SagittalSpine, upright: UprightSlice, *, notes: tuple[str, ...]) -> Alignment:
        """Return the alignment of a spine; points are in pixels of the original of `upright`."""
        found, names = spine.found, spine.numbering.names
        location = found.location

        def to_original(points: Points) -> Points:
            return upright.to_original(found.prepared.to_original(points))

        vertebrae = tuple(
            Vertebra(to_original(corners), number, level=name, confidence=body.probability)
            for number, (corners, name, body) in enumerate(zip(location.corners, names, location.bodies), start=1)
        )
        rules = self.settings.intervals if spine.slices > 1 else self.settings.slice_intervals
        reasons = body_reasons(location.bodies, names)
        if doubt := s1_doubt(location.bodies, location.sacrum):
            reasons[SACRUM] = doubt
        values, stretched = spine.values, _stretch(found)
        if stretched:
            values, reasons = {}, dict.fromkeys((*names, *LUMBAR, SACRUM), stretched)
        measures = measure_sagittal(
            values, names, in_mm=found.in_mm, rules=rules, spreads=spine.spreads, reasons=reasons
        )
        of_sacrum = any(item.value is not None and SACRUM in item.levels for item in measures)
        beside = (*((stretched,) if stretched else ()), *((EXPERIMENTAL,) if of_sacrum else ()))
        another = (ANOTHER_SCALE,) if found.prepared.in_mm != (found.image.spacing_mm is not None) else ()
        limits = sagittal_notes(spine.numbering, slices=spine.slices, in_mm=found.in_mm)
        return Alignment(
            SAGITTAL_MR,
            vertebrae,
            measures,
            sagittal_findings(values, measures=measures),
            model=self.model,
            notes=(*notes, *another, *limits, *beside, *_doubts(spine)),
            spacing_mm=found.image.spacing_mm,
            gray=found.prepared.display,
            numbering=spine.numbering,
            outlines=tuple(to_original(outline(body.mask)[::STEP]) for body in location.bodies),
            structures=_structures(spine, to_original),
            slice_index=spine.index,
            turn=None if upright.turn == TURNS[0] else upright.turn,
        )


def _scale_reasons(spine: SagittalSpine) -> tuple[str, ...]:
    """Return why a spine is not measured whose spacing is wrong."""
    found = spine.found
    fits = found.image.spacing_mm is None or (found.zoom == 1 and found.has_plausible_size)
    return () if fits or spine.numbering.certain else (NO_LEVELS,)


def _stretch(found: FoundSlice) -> str:
    """Return why nothing is measured in an image whose pixels are not square, and empty text otherwise."""
    superior, inferior, anterior, posterior = (
        np.linalg.norm(found.location.corners[:, one] - found.location.corners[:, other], axis=1)
        for one, other in ((0, 1), (2, 3), (0, 2), (1, 3))
    )
    aspect = float(np.median((superior + inferior) / (anterior + posterior)))
    if found.image.spacing_mm is not None or ASPECTS[0] <= aspect <= ASPECTS[1]:
        return ""
    return f"The pixels do not seem to be square: the vertebral bodies are {aspect:.2f} times as deep as high."


def _doubts(spine: SagittalSpine) -> tuple[str, ...]:
    """Return notes on levels given by hand that the bodies contradict."""
    bodies, sacrum, lowest = spine.found.location.bodies, spine.found.location.sacrum, spine.numbering.names[-1]
    if spine.numbering.source != "user":
        return ()
    missed = (MISSED,) if find_gaps(bodies) else ()
    if lowest == "L5" or sacrum is None or s1_doubt(bodies, sacrum) or pitch(bodies[-1], sacrum) > PITCHES[1]:
        return missed
    return (*missed, f"{lowest} was given, but S1 seems to be below it.")


def _structures(spine: SagittalSpine, to_original: Callable[[Points], Points]) -> tuple[Outline, ...]:
    """Return the outlines of S1 and of the discs."""
    location, names = spine.found.location, list(spine.numbering.names)
    items: list[Structure] = list(location.bodies)
    structures = []
    if location.sacrum is not None:
        items, names = [*items, location.sacrum], [*names, SACRUM]
        endplate = None if location.sacrum_endplate is None else to_original(location.sacrum_endplate)
        points = to_original(outline(location.sacrum.mask)[::STEP])
        structures.append(Outline(SACRUM, points, location.sacrum.probability, endplate))
    for (upper, lower), disc in zip(pairwise(names), find_discs(location.probabilities[DISC], items)):
        if disc is not None:
            probability = float(location.probabilities[DISC][disc].mean())
            structures.append(Outline(f"{upper}-{lower}", to_original(outline(disc)[::STEP]), probability))
    return tuple(structures)


def _with_deviation(alignment: Alignment, spine: SagittalSpine) -> Alignment:
    """Return the alignment of a volume with the deviation to the side, and the finding that follows from it."""
    deviation = spine.deviation_mm
    reason = None if deviation is not None else NO_DEVIATION
    levels = (spine.numbering.names[0], spine.numbering.names[-1])
    measure = Measure(DEVIATION, deviation, unit="mm", levels=levels, reason=reason)
    finding = Finding(
        "scoliosis",
        None if deviation is None else deviation >= SUSPECTED_MM,
        type="suspected in supine MRI; an upright x-ray decides" if deviation and deviation >= SUSPECTED_MM else None,
        measure=DEVIATION,
        value=deviation,
        unit="mm",
    )
    return replace(alignment, measures=(*alignment.measures, measure), findings=(*alignment.findings, finding))


def _point(point: Points) -> tuple[float, float]:
    return float(point[0]), float(point[1])
