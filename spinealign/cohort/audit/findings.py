"""What an audit finds, as data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from spinealign.cohort.loading import LoadedCohort


@dataclass(frozen=True)
class PartCount:
    """The images of one class in one split.

    Attributes:
        split: Name of the split; None where the collection has none.
        label: Name of the class.
        images: Number of images.
        sources: Number of distinct source slices among them.
        effective_sources: How many independent images they are worth (Kish's design effect over sources).
    """

    split: str | None
    label: str
    images: int
    sources: int
    effective_sources: float


@dataclass(frozen=True)
class Straddling:
    """A source, series or patient that stands in more than one split.

    Attributes:
        kind: `source`, `series` or `patient`.
        name: Its name; patients that only headers tell are numbered.
        images: Number of its images in each split.
        by_looks: Whether names alone would not have told.
    """

    kind: str
    name: str
    images: dict[str, int]
    by_looks: bool = False


@dataclass(frozen=True)
class ClassSeries:
    """The series of one class, where they are few and give the class away.

    Attributes:
        label: Name of the class.
        series: Their names.
        own: Whether no other class has images of them.
        known: Share of the images of the class whose series is known, in (0, 1].
    """

    label: str
    series: tuple[str, ...]
    own: bool
    known: float = 1.0


@dataclass(frozen=True)
class PropertyFinding:
    """How well a property of the files predicts the class, over the means of sources.

    Attributes:
        name: Name of the property.
        unit: Its unit.
        means: Its mean over the sources of each class.
        auc: Area under the ROC curve in [0.5, 1]: 0.5 says nothing, 1 tells the classes apart.
        higher_in: The class in which it is higher; None at an AUC of 0.50.
        alarm: Whether it is at least 0.7, and too high for chance among so few sources.
    """

    name: str
    unit: str
    means: dict[str, float]
    auc: float
    higher_in: str | None
    alarm: bool


@dataclass(frozen=True)
class Probe:
    """What a linear model on 16x16 thumbnails reaches.

    Attributes:
        on: What it was tested on.
        accuracy: Share of the images that it calls right; None where the test is not possible.
        balanced_accuracy: Mean of the shares in both classes; None where the test is not possible or one is missing.
        majority: What calling everything the more frequent class would reach.
        images: Number of test images.
        sources: Number of distinct sources among them.
        interval: 95 % interval of the accuracy over sources.
        alarm: Whether it certainly tells the classes apart, by the interval of its balanced accuracy.
        note: Why it was not possible.
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


@dataclass(frozen=True)
class Audit:
    """Everything that an audit finds.

    Attributes:
        name: Name of the collection.
        images: Number of images that could be read.
        positive: The class that properties and probe predict; None where there is none to predict.
        parts: Counts by split and class.
        sources: Number of distinct source slices, by name and by looks.
        effective_sources: How many independent images the collection is worth.
        series: Number of distinct series; None where not every image tells.
        patients: Number of distinct patients; None where not every image tells.
        copies: Fewest, median and most images of a source.
        identical: Number of images whose pixels are those of an earlier image.
        look_groups: Number of groups of two and more images that show the same slice by their looks.
        straddling: What stands in two splits.
        contradicting: Sources whose copies carry different classes.
        class_series: Classes that their series give away.
        properties: What properties of the files tell.
        probes: The shortcut probe on each held-out part, and cross-validated over sources.
        unreadable: Files that could not be read, with the reason.
        notes: What else was passed over or joined.
        verdict: The conclusions, in plain sentences.
        pictures: The images, for reports.
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
    pictures: LoadedCohort = field(repr=False, compare=False)
    verdict: tuple[str, ...] = ()

    @property
    def has_leaks(self) -> bool:
        """Whether a source, a series or a patient stands in two splits."""
        return bool(self.straddling)

    @property
    def alarms(self) -> bool:
        """Whether anything was found that makes scores on this collection misleading."""
        told = any(finding.alarm for finding in self.properties) or any(probe.alarm for probe in self.probes)
        return self.has_leaks or told or bool(self.class_series) or bool(self.contradicting)

    def to_dict(self) -> dict[str, Any]:
        """Return the findings as plain data for JSON, without the pictures."""
        content = {
            item.name: _plain(getattr(self, item.name))
            for item in fields(self)
            if item.name not in ("pictures", "verdict")
        }
        return {"verdict": list(self.verdict), "alarms": self.alarms, "has_leaks": self.has_leaks, **content}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return asdict(value) if hasattr(value, "__dataclass_fields__") else value
