"""The measured alignment of the spine in one image."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from math import nan
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spinealign.alignment.cobb import Curve, Side
from spinealign.alignment.masks import StructureMasks
from spinealign.alignment.vertebra import Points, Vertebra
from spinealign.checkpoint.files import SAGITTAL_MR
from spinealign.errors import require
from spinealign.serialization import to_plain

if TYPE_CHECKING:
    from spinealign.alignment.kinds import Turn
    from spinealign.alignment.sagittal.naming import Numbering


@dataclass(frozen=True)
class Measure:
    """One value measured in an image, or the reason why it is missing.

    Attributes:
        name: Name such as `cobb_main`.
        value: The value, or None.
        low: Lower end of the 90 % interval, or None without a value or an interval.
        high: Upper end of the interval.
        unit: Unit of the value and of the interval.
        levels: Names of the vertebrae between which it is measured.
        reason: Reason why the value is missing.
    """

    name: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str = "degree"
    levels: tuple[str, ...] = ()
    reason: str | None = None

    def __str__(self) -> str:
        if self.value is None:
            return f"not measured: {self.reason}"
        places = {"degree": 0, "percent": 0, "ratio": 2}.get(self.unit, 1)
        unit = {"degree": "°", "percent": " %", "ratio": ""}.get(self.unit, f" {self.unit}")
        ends = (self.value, self.low, self.high)  # adding 0 removes the sign of -0
        value, low, high = (None if end is None else f"{round(end, places) + 0:.{places}f}" for end in ends)
        return f"{value}{unit}{'' if low is None else f' ({low} to {high})'}"


@dataclass(frozen=True)
class NamedCurve:
    """A curve of the spine with the names of its vertebrae.

    Attributes:
        measure: Name of the measure that is its angle.
        upper: Name of the upper end vertebra, such as "5th visible".
        lower: Name of the lower end vertebra.
        apex: Name of the vertebra at the apex.
        side: Side of the convexity in the image, which is not the patient's side if the film is mirrored.
        geometry: The same with indices of the vertebrae; not part of the JSON.
    """

    measure: str
    upper: str
    lower: str
    apex: str
    side: Side
    geometry: Curve = field(metadata={"stored": False}, repr=False)


@dataclass(frozen=True)
class Finding:
    """A finding that follows from measures. Not a diagnosis.

    Attributes:
        name: Name such as `scoliosis`.
        present: Whether it is present; None if it was not measured.
        type: Description of its type, or None.
        level: Name of a vertebra, or None.
        severity: Class of its severity, or None.
        near_border: Whether the interval of the measure includes values of another class of severity.
        probability: Probability in [0, 1] that it is present, or None if none was estimated.
        measure: Name of the measure that it follows from, or None.
        value: Value that was judged, or None if it is not part of the finding.
        low: Lower end of the 90 % interval of the value, or None.
        high: Upper end of the interval.
        unit: Unit of the value, or None.
    """

    name: str
    present: bool | None = None
    type: str | None = None
    level: str | None = None
    severity: str | None = None
    near_border: bool = False
    probability: float | None = None
    measure: str | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str | None = None

    @property
    def summary(self) -> str:
        """The finding in words, such as "moderate scoliosis, near a border"."""
        name = self.name.replace("_", " ")
        if self.present is None:
            return f"{name} not measured"
        severity = f"{self.severity} " if self.severity else ""
        return f"{severity if self.present else 'no '}{name}{', near a border' if self.near_border else ''}"


@dataclass(frozen=True, eq=False)
class Outline:
    """The outline of a structure beside the vertebrae.

    Attributes:
        name: `S1`, or the vertebrae above and below a disc, such as `L4-L5`.
        points: Points (x, y) in pixels of the original image, shape (P, 2).
        confidence: Mean probability of the structure inside, in [0, 1].
        endplate: Anterior and posterior end of the superior endplate of S1, shape (2, 2), or None.
    """

    name: str
    points: Points
    confidence: float = 1.0
    endplate: Points | None = None


@dataclass(frozen=True, eq=False)
class Alignment:
    """The vertebrae and the measures of one image or volume. Not a diagnosis.

    Attributes:
        kind: Kind of the image: `frontal_xray`, `sagittal_mr`, or `other` if it is none of these.
        vertebrae: Detected vertebrae from the top, with corners in pixels of the original image. In MR, left is
            anterior, also if the original image is turned. In a volume, pixels are those of the plane `slice_index`,
            superior up and anterior left.
        measures: One for each measure of this kind of image. All are without value if the image is not accepted.
        findings: Findings that follow from the measures.
        accepted: Whether the image is of the expected kind and good enough to be measured.
        rejection_reasons: Reasons why it is not accepted.
        model: Name of the model, with the commit for models from the Hub.
        source: Path of the image as given, or the kind of object.
        curves: Curves of the spine, the main one first.
        notes: Sentences about what was ignored or assumed while reading the image.
        spacing_mm: Distance of pixels down a column and along a row in mm, or None if it is unknown;
            `vertebra.scaled(spacing_mm)` has its corners in mm.
        gray: The image in 8-bit gray levels, shape (H, W), for the overlay; not part of the JSON.
        numbering: In MR, what the names of the vertebrae follow from, and how certain they are.
        outlines: In MR, the outline of each vertebra: points (x, y) in pixels of the original image, shape (P, 2).
        structures: In MR, the outlines of S1 and of the discs.
        slice_index: Index of the plane of a volume to which all points belong, as in `Volume.sagittal_at`.
        turn: Change that brings an MR image upright, anterior to the left; None if it is so.
        masks: Masks of the structures, if they were requested; not part of the JSON.
    """

    kind: str
    vertebrae: tuple[Vertebra, ...]
    measures: tuple[Measure, ...]
    findings: tuple[Finding, ...]
    accepted: bool = True
    rejection_reasons: tuple[str, ...] = ()
    model: str = ""
    source: str = ""
    curves: tuple[NamedCurve, ...] = ()
    notes: tuple[str, ...] = ()
    spacing_mm: tuple[float, float] | None = None
    gray: NDArray[np.uint8] | None = field(default=None, repr=False)
    numbering: Numbering | None = None
    outlines: tuple[Points, ...] = ()
    structures: tuple[Outline, ...] = ()
    slice_index: int | None = None
    turn: Turn | None = None
    masks: StructureMasks | None = field(default=None, repr=False)

    def __getitem__(self, name: str) -> Measure:
        """Return the measure of a name.

        Raises:
            KeyError: If no measure has this name.
        """
        for item in self.measures:
            if item.name == name:
                return item
        raise KeyError(f"{name}; the measures are {', '.join(item.name for item in self.measures)}")

    def __str__(self) -> str:
        if not self.accepted:
            return f"{self.source}: not accepted: {'; '.join(self.rejection_reasons)}"
        shown = [item for item in self.measures if self.kind != SAGITTAL_MR or item.name.startswith("lordosis")]
        measured = ", ".join(f"{item.name} {item}" for item in shown if item.value is not None)
        findings = ", ".join(item.summary for item in self.findings)
        return f"{self.source}: {'; '.join(filter(None, (measured, findings)))}"

    def to_dict(self) -> dict[str, Any]:
        """Return the alignment as plain data for JSON, which `docs/alignment.schema.json` describes."""
        return {
            "path": self.source,
            "kind": self.kind,
            "accepted": self.accepted,
            "rejection_reasons": list(self.rejection_reasons),
            "model": self.model,
            "vertebrae": [
                {"level": each.name, "corners": each.corners.round(2).tolist(), "confidence": round(each.confidence, 4)}
                for each in self.vertebrae
            ],
            "spacing_mm": None if self.spacing_mm is None else list(self.spacing_mm),
            "measures": [_plain_measure(item) for item in self.measures],
            "curves": [to_plain(item) for item in self.curves],
            "findings": [_rounded(to_plain(item)) for item in self.findings],
            "notes": list(self.notes),
            **(self._sagittal() if self.kind == SAGITTAL_MR else {}),
        }

    def _sagittal(self) -> dict[str, Any]:
        """Return what only the JSON of MR has."""
        numbering = self.numbering
        return {
            "numbering": numbering
            and {
                "from": numbering.source,
                "probability": round(numbering.probability, 4),
                "certain": numbering.certain,
                "reasons": list(numbering.reasons),
            },
            "outlines": {each.name: points.round(1).tolist() for each, points in zip(self.vertebrae, self.outlines)}
            | {each.name: each.points.round(1).tolist() for each in self.structures},
            "slice": self.slice_index,
        }

    def to_dataframe(self) -> Any:
        """Return a pandas DataFrame of the measures.

        For x-rays, it has one row for each measure and the columns of `Measure`, and `path`. For MR, it has one row for
        each vertebra, and a column for each kind of measure, such as `height_ratio`, `slip_mm` or `segment`, with the
        ends of its interval; the measures of two vertebrae are in the row of the upper one.

        Raises:
            MissingDependencyError: If pandas is not installed.
        """
        require("pandas", extra="evaluate")
        import pandas  # type: ignore[import-untyped]

        if self.kind == SAGITTAL_MR:
            return pandas.DataFrame(self.level_rows())
        rows = [{"path": self.source, **to_plain(item), "levels": ", ".join(item.levels)} for item in self.measures]
        return pandas.DataFrame(rows).astype(dict.fromkeys(("value", "low", "high"), "float64"))

    def level_rows(self) -> list[dict[str, Any]]:
        """Return the columns of `to_dataframe` for each vertebra in MR."""
        rows: dict[str, dict[str, Any]] = {}
        below = {upper.name: lower.name for upper, lower in pairwise(self.vertebrae)}
        for each in self.vertebrae:
            rows[each.name] = {"path": self.source, "level": each.name, "confidence": each.confidence}
        for item in self.measures:
            level, *others = item.levels or ("",)
            if level in rows and others in ([], [below.get(level, "S1")]):
                kind = item.name.replace(f"_{'_'.join(item.levels).lower()}", "")
                ends = {"": item.value, "_low": item.low, "_high": item.high}
                rows[level] |= {f"{kind}{suffix}": nan if end is None else end for suffix, end in ends.items()}
        return list(rows.values())

    def save_overlay(self, path: str | PathLike[str]) -> Path:
        """Write a PNG of the image with vertebrae, curves, angles and their intervals.

        Raises:
            OSError: If the file cannot be written.
            ValueError: If the image is not part of the alignment.
        """
        from spinealign.imaging.drawing import save_picture
        from spinealign.reporting.alignment_overlay import draw_overlay

        save_picture(draw_overlay(self), Path(path))
        return Path(path)

    def save_masks(self, path: str | PathLike[str]) -> Path:
        """Write a NIfTI file with masks of the structures in the geometry of the source, and their names as JSON.

        Codes are those of SPINEPS: L1 to L5 are 20 to 24, S1 is 26, the canal 61, a disc 100 more than the vertebra
        above. A vertebra without level has a code of this package: V1 is 201.

        Raises:
            OSError: If a file cannot be written.
            ValueError: If the alignment has no masks, or the name does not end in .nii or .nii.gz.
        """
        if self.masks is None:
            raise ValueError("The alignment has no masks; measure the MR with masks=True.")
        self.masks.save(Path(path))
        return Path(path)


def _plain_measure(item: Measure) -> dict[str, Any]:
    return {**_rounded(to_plain(item), places=3 if item.unit == "ratio" else 2), "levels": list(item.levels)}


def _rounded(content: dict[str, Any], *, places: int = 2) -> dict[str, Any]:
    return {
        name: round(value, places) if name in ("value", "low", "high") and value is not None else value
        for name, value in content.items()
    }
