"""Results of an audit."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from spinealign.cohort.loading import LoadedCohort
from spinealign.labels import SINGLE
from spinealign.serialization import NOT_STORED, to_plain

_LISTED = 100  # suspects of each kind in JSON


@dataclass(frozen=True)
class PartCount:
    """Counts of one class in one split.

    Attributes:
        split: Name of the split; None for images without one.
        label: Name of the class, after that of the label if there are several.
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
        of: Name of the label with this class.
    """

    label: str
    series: tuple[str, ...]
    own: bool
    known: float = 1.0
    of: str = SINGLE


@dataclass(frozen=True)
class PropertyFinding:
    """Prediction of the class from one file property, averaged over each source; of the best class against the rest.

    Attributes:
        name: Name of the property.
        unit: Its unit.
        means: Its mean over the sources of each class.
        auc: Area under the ROC curve in [0.5, 1]: 0.5 is chance, 1 separates the classes.
        higher_in: Class with the higher values; None at an AUC of 0.50.
        alarm: True if the AUC is at least 0.7 and significant for the number of sources.
        of: Name of the label.
    """

    name: str
    unit: str
    means: dict[str, float]
    auc: float
    higher_in: str | None
    alarm: bool
    of: str = SINGLE


@dataclass(frozen=True)
class Probe:
    """Scores of the shortcut baseline, a linear model on 16x16 thumbnails.

    Attributes:
        on: Split or folds that it was tested on.
        accuracy: Share of correct predictions; None if the test was not possible.
        balanced_accuracy: Mean accuracy of all classes; None if the test was not possible or a class is missing.
        majority: Accuracy of always predicting the most frequent class.
        images: Number of test images.
        sources: Number of distinct sources among them.
        interval: 95 % interval of the accuracy over sources.
        balanced_interval: 95 % interval of the balanced accuracy over sources; None if a class is missing.
        alarm: True if the interval of its balanced accuracy is above chance.
        note: Reason why the test was not possible.
        classes: Names of the classes.
        of: Name of the label.
    """

    on: str
    accuracy: float | None = None
    balanced_accuracy: float | None = None
    majority: float = 0.0
    images: int = 0
    sources: int = 0
    interval: tuple[float, float] = (0.0, 1.0)
    balanced_interval: tuple[float, float] | None = None
    alarm: bool = False
    note: str = ""
    classes: tuple[str, ...] = ()
    of: str = SINGLE

    @property
    def explained(self) -> float | None:
        """Share of the way from chance to a perfect balanced accuracy that the baseline covers, in [0, 1]."""
        if self.balanced_accuracy is None:
            return None
        chance = 1 / len(self.classes)
        return max(0.0, (self.balanced_accuracy - chance) / (1 - chance))


@dataclass(frozen=True)
class Suspect:
    """An image to look at; the most suspicious ones come first.

    Attributes:
        name: Name of the image, the first of its source.
        label: Label that may be wrong; empty for an image that may be off topic.
        given: Its class.
        proposed: Class that other images suggest.
        probability: Probability of the proposed class by a linear model that was not trained on the source.
        distance: Distance of an off-topic image to its neighbors, as a multiple of the median of all images.
    """

    name: str
    label: str = ""
    given: str = ""
    proposed: str = ""
    probability: float | None = None
    distance: float | None = None


@dataclass(frozen=True, repr=False)
class Audit:
    """Findings of an audit.

    Attributes:
        name: Name of the collection.
        images: Number of images that could be read.
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
        wrong_labels: Labels that are likely wrong, one for each source, the most likely first.
        off_topic: Images unlike the others, one for each source, the farthest first.
        pictures: The images with their joined sources, for reports.
        verdict: Conclusions, as sentences without names of files.
    """

    name: str
    images: int
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
    wrong_labels: tuple[Suspect, ...] = ()
    off_topic: tuple[Suspect, ...] = ()
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

    def fix_split(self, folder: str | Path, *, seed: int = 0) -> Path:
        """Write a manifest in which nothing is in two splits, and return its path.

        Args:
            folder: New or empty folder for `manifest.csv`, which `load_cohort` and a training read.
            seed: Seed of the choice among equally good splits.

        Raises:
            CohortError: If the images are not files, or a class would be missing in a split.
            FileExistsError: If the folder is not empty.
        """
        from spinealign.cohort.audit.fixing import write_fixed_split

        return write_fixed_split(self.pictures.cohort, Path(folder), seed=seed)

    def to_dict(self) -> dict[str, Any]:
        """Return the findings as plain data for JSON, without the images and with at most 100 suspects of each kind."""
        shown = replace(self, wrong_labels=self.wrong_labels[:_LISTED], off_topic=self.off_topic[:_LISTED])
        return {
            "verdict": self.verdict,
            "alarms": self.alarms,
            "has_leaks": self.has_leaks,
            "wrong_labels_count": len(self.wrong_labels),
            "off_topic_count": len(self.off_topic),
            **to_plain(shown),
        }
