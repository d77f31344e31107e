"""Results of an audit."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spinealign.cohort.loading import LoadedCohort
from spinealign.serialization import NOT_STORED, to_plain


@dataclass(frozen=True)
class PartCount:
    """Counts of one class in one split.

    Attributes:
        split: Name of the split; None for images without one.
        label: Name of the class.
        images: Number of images.
        sources: Number of distinct source slices among them.
        effective_sources: Effective number of independent images (Kish's design effect over sources).
    """

    split: str | None
    label: str
    images: int
    sources: int
    effective_sources: float


@dataclass(frozen=True)
class Straddling:
    """A source, series or patient in more than one split.

    Attributes:
        kind: `source`, `series` or `patient`.
        name: Its name; series and patients that only DICOM headers name are numbered.
        images: Number of its images in each split.
        by_looks: True for a source that only visual similarity reveals, not the names.
    """

    kind: str
    name: str
    images: dict[str, int]
    by_looks: bool = False


@dataclass(frozen=True)
class ClassSeries:
    """A class that can be recognized by its few series.

    Attributes:
        label: Name of the class.
        series: Their names.
        own: True if no other class has images of these series.
        known: Share of images of the class with a known series, in (0, 1].
    """

    label: str
    series: tuple[str, ...]
    own: bool
    known: float = 1.0


@dataclass(frozen=True)
class PropertyFinding:
    """Prediction of the class from one file property, averaged over each source.

    Attributes:
        name: Name of the property.
        unit: Its unit.
        means: Its mean over the sources of each class.
        auc: Area under the ROC curve in [0.5, 1]: 0.5 is chance, 1 separates the classes.
        higher_in: Class with the higher values; None at an AUC of 0.50.
        alarm: True if the AUC is at least 0.7 and significant for the number of sources.
    """

    name: str
    unit: str
    means: dict[str, float]
    auc: float
    higher_in: str | None
    alarm: bool


@dataclass(frozen=True)
class Probe:
    """Scores of the shortcut baseline, a linear model on 16x16 thumbnails.

    Attributes:
        on: Split or folds that it was tested on.
        accuracy: Share of correct predictions; None if the test was not possible.
        balanced_accuracy: Mean accuracy of both classes; None if the test was not possible or a class is missing.
        majority: Accuracy of always predicting the more frequent class.
        images: Number of test images.
        sources: Number of distinct sources among them.
        interval: 95 % interval of the accuracy over sources.
        alarm: True if the interval of its balanced accuracy is above chance.
        note: Reason why the test was not possible.
    """

    on: str
    accuracy: float | None = None
    balanced_accuracy: float | None = None
    majority: float = 0.0
    images: int = 0
    sources: int = 0
    interval: tuple[float, float] = (0.0, 1.0)
    alarm: bool = False
    note: str = ""


@dataclass(frozen=True, repr=False)
class Audit:
    """Findings of an audit.

    Attributes:
        name: Name of the collection.
        images: Number of images that could be read.
        positive: Class that file properties and shortcut baseline predict; None without a positive class.
        parts: Counts by split and class.
        sources: Number of distinct source slices, by name and by visual similarity.
        effective_sources: Effective number of independent images.
        series: Number of distinct series; None if unknown for an image.
        patients: Number of distinct patients; None if unknown for an image.
        copies: Smallest, median and largest number of images of a source.
        identical: Number of images with the same pixels as an earlier image.
        look_groups: Number of groups of at least two images that are copies by visual similarity.
        straddling: Sources, series and patients in more than one split.
        contradicting: Sources whose copies have different classes.
        class_series: Classes that can be recognized by their series.
        properties: Prediction of the class from file properties.
        probes: Shortcut baseline on each held-out split, and cross-validated over sources.
        unreadable: Files that could not be read, with the reason.
        notes: Other files that were skipped, and sources that were joined.
        pictures: The images with their joined sources, for reports.
        verdict: Conclusions, as sentences without names of files.
    """

    name: str
    images: int
    positive: str | None
    parts: tuple[PartCount, ...]
    sources: int
    effective_sources: float
    series: int | None
    patients: int | None
    copies: tuple[int, float, int]
    identical: int
    look_groups: int
    straddling: tuple[Straddling, ...]
    contradicting: tuple[str, ...]
    class_series: tuple[ClassSeries, ...]
    properties: tuple[PropertyFinding, ...]
    probes: tuple[Probe, ...]
    unreadable: tuple[str, ...]
    notes: tuple[str, ...]
    pictures: LoadedCohort = field(compare=False, metadata=NOT_STORED)
    verdict: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return (
            f"Audit({self.name!r}, images={self.images}, sources={self.sources}, alarms={self.alarms}, "
            f"has_leaks={self.has_leaks})"
        )

    @property
    def has_leaks(self) -> bool:
        """True if a source, a series or a patient is in more than one split."""
        return bool(self.straddling)

    @property
    def alarms(self) -> bool:
        """True if a finding makes scores on this collection misleading."""
        shortcut = any(finding.alarm for finding in self.properties) or any(probe.alarm for probe in self.probes)
        return self.has_leaks or shortcut or bool(self.class_series) or bool(self.contradicting)

    def save_html(self, path: str | Path) -> Path:
        """Write the findings as an HTML page and return its path; its contact sheets show images of the collection."""
        from spinealign.reporting.audit_page import write_audit_page

        return write_audit_page(self, Path(path))

    def to_dict(self) -> dict[str, Any]:
        """Return the findings as plain data for JSON, without the images."""
        return {"verdict": self.verdict, "alarms": self.alarms, "has_leaks": self.has_leaks, **to_plain(self)}
