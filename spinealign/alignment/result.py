"""The measured alignment of the spine in one image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinealign.alignment.cobb import Curve, Side
from spinealign.alignment.vertebra import Vertebra
from spinealign.errors import ImageError, require
from spinealign.serialization import to_plain

FRONTAL_XRAY = "frontal_xray"


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
        interval = "" if self.low is None else f" ({self.low:.{places}f} to {self.high:.{places}f})"
        return f"{self.value:.{places}f}{unit}{interval}"


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
class Alignment:
    """The vertebrae and the measures of one image. Not a diagnosis.

    Attributes:
        kind: Kind of the image: `frontal_xray`.
        vertebrae: Detected vertebrae from the top, with corners in pixels of the original image.
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
        measured = (f"{item.name} {item}" for item in self.measures if item.value is not None)
        return f"{self.source}: {', '.join(measured)}; {', '.join(item.summary for item in self.findings)}"

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
        }

    def to_dataframe(self) -> Any:
        """Return a pandas DataFrame with one row for each measure and the columns of `Measure`, and `path`.

        Raises:
            MissingDependencyError: If pandas is not installed.
        """
        require("pandas", extra="evaluate")
        import pandas  # type: ignore[import-untyped]

        rows = [{"path": self.source, **to_plain(item), "levels": ", ".join(item.levels)} for item in self.measures]
        return pandas.DataFrame(rows).astype(dict.fromkeys(("value", "low", "high"), "float64"))

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


def _plain_measure(item: Measure) -> dict[str, Any]:
    return {**_rounded(to_plain(item), places=3 if item.unit == "ratio" else 2), "levels": list(item.levels)}


def _rounded(content: dict[str, Any], *, places: int = 2) -> dict[str, Any]:
    return {
        name: round(value, places) if name in ("value", "low", "high") and value is not None else value
        for name, value in content.items()
    }


def tabulate(items: Iterable[Alignment | ImageError]) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the columns and the rows of a table with one row for each image. A row lacks what its item lacks."""
    rows: list[dict[str, Any]] = []
    named: dict[str, None] = {}
    for item in items:
        if isinstance(item, ImageError):
            rows.append({"path": item.source, "error": str(item)})
            continue
        own: dict[str, Any] = {}
        for measure in item.measures:
            ends = {"": measure.value, "_low": measure.low, "_high": measure.high}
            own |= {f"{measure.name}{suffix}": value for suffix, value in ends.items()}
        for finding in reversed(item.findings):  # of several with one name, the first counts
            own |= {finding.name: finding.present, f"{finding.name}_severity": finding.severity}
            own |= {f"{finding.name}_near_border": finding.near_border, f"{finding.name}_type": finding.type}
        named.update(dict.fromkeys(own))
        facts = {"path": item.source, "kind": item.kind, "accepted": item.accepted, "model": item.model}
        joined = {"rejection_reasons": "; ".join(item.rejection_reasons), "notes": " ".join(item.notes)}
        rows.append({**facts, **joined, **own})
    return ["path", "kind", "accepted", "rejection_reasons", *named, "notes", "model", "error"], rows
