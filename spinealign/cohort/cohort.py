"""A collection of labeled images, with the source slice of each image."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spinealign.cohort.duplicates.neighbors import connect
from spinealign.labels import SINGLE
from spinealign.reading.files import read_file

if TYPE_CHECKING:
    from spinealign.hub.repository import Commit

SPLITS = ("train", "calibration", "val", "test")


@dataclass(frozen=True)
class Sample:
    """One labeled image; its repr shows neither bytes nor the patient.

    Attributes:
        image: Path of the file, perhaps in an archive, or its bytes if it is from the Hub.
        label: Name of the class; None if the image has several labels.
        source: Name of the slice in the image; all copies of one slice have the same source.
        series: Name of the scan of the slice, if known.
        split: `train`, `calibration`, `val` or `test`; None before the collection is split.
        name: Name of the image in messages, unique in its collection.
        size_mm: Size of the finding in mm, if known.
        patient: Patient, if known: the name in a manifest, or a number made from a DICOM header.
        digest: Digest of the pixels (see `pixel_digest`); None before the image is read.
        level: Vertebra, such as `C5`, if known.
        labels: Class of each label by the name of its column, None where it is missing; empty for class folders and the
            column `label`.
    """

    image: str | bytes = field(repr=False)
    label: str | None
    source: str
    series: str | None = None
    split: str | None = None
    name: str = ""
    size_mm: float | None = None
    patient: str | None = field(default=None, repr=False)
    digest: int | None = field(default=None, repr=False)
    level: str | None = None
    labels: Mapping[str, str | None] = field(default_factory=dict, hash=False)

    def value(self, name: str) -> str | None:
        """Return the class of a label; None if it is missing."""
        return self.labels.get(name) if self.labels else self.label

    def read(self) -> bytes:
        """Return the bytes of the image file.

        Raises:
            UnreadableImageError: If it cannot be opened.
        """
        if isinstance(self.image, bytes):
            return self.image
        return read_file(self.image)


@dataclass(frozen=True, repr=False)
class Cohort:
    """Samples of one collection.

    Attributes:
        name: Name of the collection.
        samples: The images, in a fixed order.
        skipped: Files that were skipped, and images that were joined or dropped, one line each.
        dropped: Number of images dropped because their source or patient is also in a later split.
        split_method: Method by which `load_cohort` split it, `official` or `source`; None if it did not.
        split_seed: Seed of that split.
        source_pattern: Pattern for source names, if it was not the default.
        patient_pattern: Pattern for patients, if there was one.
        patients_by_folder: Whether the patients are the folders below the classes, which is a guess.
    """

    name: str
    samples: tuple[Sample, ...]
    skipped: tuple[str, ...] = ()
    dropped: int = 0
    split_method: str | None = None
    split_seed: int | None = None
    source_pattern: str | None = None
    patient_pattern: str | None = None
    patients_by_folder: bool = False

    @classmethod
    def from_rsna2022(cls, folder: str | Path) -> Cohort:
        """Return the slices of the RSNA 2022 cervical spine competition that its boxes and study labels label.

        Args:
            folder: Folder with `train.csv`, `train_bounding_boxes.csv` and `train_images/<study>/<n>.dcm`.

        Returns:
            Slices with a box as `fracture`, slices of studies without a fracture as `normal`. The study is the
            patient and the series; the level is known in studies with one fractured vertebra. `skipped` has the
            counts of the other slices.

        Raises:
            CohortError: If the folder has another layout, a table cannot be read, or no slice has a label.
        """
        from spinealign.cohort.rsna2022 import index_rsna2022

        return index_rsna2022(Path(folder))

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)

    def __repr__(self) -> str:
        counts = {name: self.counts(name) for name in self.label_names}
        labels = counts[SINGLE] if counts.keys() == {SINGLE} else counts
        splits = {split: len(self.part(split)) for split in self.splits}
        return (
            f"Cohort({self.name!r}, images={len(self)}, sources={len(self.sources)}, labels={labels}, splits={splits})"
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes of the only label, in alphabetical order; empty with several labels."""
        return tuple(sorted({sample.label for sample in self.samples if sample.label is not None}))

    @property
    def label_names(self) -> tuple[str, ...]:
        """Names of the labels: the columns that were read, or `label`."""
        return tuple(self.samples[0].labels) or (SINGLE,) if self.samples else ()

    def counts(self, label: str) -> dict[str, int]:
        """Return the number of images of each class of a label, by class in alphabetical order."""
        values = Counter(sample.value(label) for sample in self.samples)
        return {value: number for value, number in sorted(values.items(), key=str) if value is not None}

    @property
    def splits(self) -> tuple[str, ...]:
        """Splits with at least one image, in the order of `SPLITS`."""
        present = {sample.split for sample in self.samples}
        return tuple(split for split in SPLITS if split in present)

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the distinct source slices, in alphabetical order."""
        return tuple(sorted({sample.source for sample in self.samples}))

    @property
    def units(self) -> tuple[str, ...]:
        """Group id of each sample: its patient, or its source if the patient is unknown.

        Sources and patients that share an image are one group, named after its first source.
        """
        sources = [sample.source for sample in self.samples]
        groups = linked(sources, [sample.patient for sample in self.samples])
        first: dict[int, str] = {}
        for group, source in zip(groups, sources):
            first[group] = min(first.get(group, source), source)
        return tuple(first[group] for group in groups)

    @property
    def unknown_patients(self) -> str:
        """Sentence on images whose patients are not known; empty if all are."""
        count = sum(sample.patient is None for sample in self.samples)
        if not count:
            return ""
        which = "" if count == len(self) else f" of {count:,} of {len(self):,} images"
        return f"The patients{which} are not known, so images of one patient may be in two splits."

    def divided(self, column: str) -> dict[str, dict[str, int]]:
        """Return each `source`, `series` or `patient` in more than one split, with its number of images in each."""
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for sample in self.samples:
            name = getattr(sample, column)
            if name is not None and sample.split is not None:
                counts[name][sample.split] += 1
        return {
            name: {split: found[split] for split in SPLITS if split in found}
            for name, found in sorted(counts.items())
            if len(found) > 1
        }

    @property
    def report_split(self) -> str | None:
        """Split for reported results: `test`, or `val` without a test split, or None."""
        return next((split for split in ("test", "val") if split in self.splits), None)

    @property
    def calibration_split(self) -> str | None:
        """Split for calibration and operating point, used for neither training nor reporting; None without one."""
        spare = [split for split in ("calibration", "val") if split in self.splits and split != self.report_split]
        return spare[0] if spare else None

    @property
    def selection_split(self) -> str | None:
        """Split that selects the best epoch: the calibration split, or else the report split."""
        return self.calibration_split or self.report_split

    def part(self, split: str) -> Cohort:
        """Return the samples of one split."""
        return replace(self, samples=tuple(sample for sample in self.samples if sample.split == split), skipped=())

    def push_to_hub(
        self,
        repo_id: str,
        *,
        private: bool = False,
        revision: str | None = None,
        token: str | None = None,
        message: str = "Upload with spinealign",
    ) -> Commit:
        """Push the collection as a dataset in one commit; `load_cohort(repo_id)` and `datasets` can load it.

        Images are rewritten from their pixels without metadata, as PNG or DICOM, and uploaded with label, source,
        series, split, patient and size.

        Args:
            repo_id: `owner/name`, or `name` for your own account; the repository is created if missing.
            private: Whether the repository must be private; a public one is then refused.
            revision: Branch; it is created from the main branch if missing.
            token: Access token with write permission; None uses `hf auth login` or HF_TOKEN.
            message: Title of the commit.

        Raises:
            CohortError: If the collection is empty, an image is in an unknown split, or a file cannot be read or
                declares text in its pixels.
            HubError: If the Hub refuses or cannot be reached. A push is never applied in part.
            MissingDependencyError: If datasets is not installed.
            ValueError: If the revision or the message is empty.
        """
        from spinealign.hub.datasets import push_dataset
        from spinealign.hub.repository import Repository

        repository = Repository(repo_id, kind="dataset", revision=revision, private=private, token=token)
        return push_dataset(self, repository, message=message)


def linked(*columns: Sequence[Hashable | None]) -> list[int]:
    """Return the group of each place, numbered by its first place; places with an equal value in a column are linked.

    Example:
        >>> linked(["a", "a", "b", "c"], ["x", None, "x", "y"])
        [0, 0, 0, 3]
    """
    first: dict[tuple[int, Hashable], int] = {}
    links = [
        (first.setdefault((number, value), place), place)
        for number, column in enumerate(columns)
        for place, value in enumerate(column)
        if value is not None
    ]
    found: list[int] = connect(len(columns[0]), np.array(links, np.intp).reshape(-1, 2)).tolist()
    return found
