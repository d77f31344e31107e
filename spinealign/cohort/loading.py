"""Reading and rendering of all images of a cohort, each file once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinealign.cohort.cohort import Cohort, Sample, linked
from spinealign.cohort.duplicates.crops import join_crops
from spinealign.cohort.duplicates.similarity import group_similar_images
from spinealign.cohort.file_properties import PROPERTIES
from spinealign.cohort.image_store import Images, subset
from spinealign.cohort.rendering import STANDARD, render_cohort
from spinealign.cohort.targets import codes
from spinealign.config import PreprocessingConfig
from spinealign.errors import CohortError
from spinealign.labels import Label
from spinealign.privacy.pseudonyms import numbered
from spinealign.reading.tally import Tally

_CAUSES = 3  # that a message lists


@dataclass(frozen=True, eq=False)
class LoadedCohort:
    """A cohort with its images.

    `read_cohort` fills all fields. Parts have only the first three, and split cohorts also the modality.

    Attributes:
        cohort: The samples that could be read.
        gray: Images as the network takes them, uint8 of shape (N, S, S), in the order of the samples: an array, or
            `StoredImages`, which are read from the disk when they are used.
        config: Preprocessing of `gray`.
        standard: Images by the default preprocessing, uint8 of shape (N, 224, 224); None if `gray` is the same.
        properties: Values of each of `PROPERTIES`, of shape (N,).
        unreadable: Samples that could not be read, each with a message that starts with its name.
        modality: DICOM modality, if all images have the same one.
    """

    cohort: Cohort
    gray: Images = field(repr=False)
    config: PreprocessingConfig
    standard: Images | None = field(default=None, repr=False)
    properties: dict[str, NDArray[np.float64]] = field(default_factory=dict, repr=False)
    unreadable: tuple[tuple[Sample, str], ...] = field(default=(), repr=False)
    modality: str | None = None
    _groups: dict[bool, NDArray[np.int64]] = field(default_factory=dict, init=False, repr=False)

    def codes(self, label: Label) -> NDArray[np.int64]:
        """Return the code of the class of each sample, and `labels.MISSING` where it is unknown, shape (N,).

        Raises:
            CohortError: If a class is not one of the label.
        """
        return codes(self.cohort, label)

    @property
    def looks(self) -> Images:
        """Images for the duplicate search and the audit, independent of the network's preprocessing."""
        return self.gray if self.standard is None else self.standard

    def visual_groups(self, *, crop_search: bool = False, progress: bool = True) -> NDArray[np.int64]:
        """Return a group number for each image, equal for images of one slice, shape (N,); computed once.

        With `crop_search`, cropped, shifted and rescaled images have the group of their slice, too.
        """
        if False not in self._groups:
            self._groups[False] = group_similar_images(self.looks, progress=progress)
        if crop_search not in self._groups:
            self._groups[True] = join_crops(self.looks, self._groups[False], progress=progress)
        return self._groups[crop_search]

    def part(self, split: str) -> LoadedCohort:
        """Return the samples of one split."""
        return self.select([index for index, sample in enumerate(self.cohort) if sample.split == split])

    def select(self, indices: Sequence[int]) -> LoadedCohort:
        """Return the samples at these indices."""
        samples = tuple(self.cohort.samples[index] for index in indices)
        return LoadedCohort(replace(self.cohort, samples=samples, skipped=()), subset(self.gray, indices), self.config)

    def matching(self, cohort: Cohort) -> LoadedCohort:
        """Return the images of the samples that a changed cohort still has, matched by name."""
        index = {sample.name: number for number, sample in enumerate(self.cohort)}
        gray = subset(self.gray, [index[sample.name] for sample in cohort])
        return LoadedCohort(cohort, gray, self.config, modality=self.modality)


def read_cohort(
    cohort: Cohort,
    preprocessing: PreprocessingConfig | None = None,
    *,
    progress: bool = True,
    folder: Path | None = None,
) -> LoadedCohort:
    """Read, render and measure every image; each file is read and decoded once.

    The images are written into Arrow files and read from there when they are used. Without the package `datasets`, they
    are kept in memory. `folder` keeps them, so that unchanged files are not rendered again; a temporary one is deleted
    with the result.

    Returns:
        The images. Files that cannot be read are left out and listed in `unreadable` and `cohort.skipped`. Series and
        patients that only DICOM headers name are numbered.

    Raises:
        CohortError: If no image can be read, two samples have the same name, or the disk is too small.
        OSError: If the folder cannot be written.
    """
    names = Counter(sample.name for sample in cohort)
    if len(names) < len(cohort):
        name, count = names.most_common(1)[0]
        raise CohortError(f"{cohort.name}: {count} samples have the name {name!r}; give each sample a unique name.")
    config = preprocessing or STANDARD
    return _loaded(cohort, config, *render_cohort(cohort, config, progress=progress, folder=folder))


def require_readable(loaded: LoadedCohort) -> None:
    """Check that every class of every label has a readable image in every split.

    Raises:
        CohortError: If a class has none.
    """
    names = loaded.cohort.label_names
    readable = {(sample.split, name, sample.value(name)) for sample in loaded.cohort for name in names}
    for (sample, message), name in product(loaded.unreadable, names):
        value = sample.value(name)
        if value is not None and (sample.split, name, value) not in readable:
            where = f" of {sample.split}" if sample.split else ""
            raise CohortError(
                f"{loaded.cohort.name}: no image of class {value}{where} can be read; the first: {message}"
            )


def _loaded(
    cohort: Cohort, config: PreprocessingConfig, values: Mapping[str, list[Any]], images: Mapping[str, Images]
) -> LoadedCohort:
    errors = values["error"]
    unreadable = tuple(
        (sample, f"{sample.name}: {error}".replace(": bytes ", " ", 1))  # the name that `read_slice` gives a content
        for sample, error in zip(cohort, errors)
        if error is not None
    )
    if len(unreadable) == len(cohort):
        causes = (
            f" ({_causes([error for error in errors if error])}; the first: {unreadable[0][0].name})" if errors else ""
        )
        raise CohortError(f"{cohort.name}: none of {len(cohort)} images can be read{causes}.")
    readable = [place for place, error in enumerate(errors) if error is None]
    samples = [cohort.samples[place] for place in readable]
    known = {name: [column[place] for place in readable] for name, column in values.items()}
    notes, modalities = Tally(), set(known["modality"])
    for sample, lines in zip(samples, known["notes"]):
        for line in lines.splitlines():
            notes.add(f"image with the note {line!r}", sample.name)
    return LoadedCohort(
        replace(
            cohort,
            samples=_identified(samples, known, by_folder=cohort.patients_by_folder),
            skipped=(
                *cohort.skipped,
                *(message for _, message in unreadable),
                *([str(notes)] if notes.total() else []),
            ),
        ),
        images["gray"],
        config,
        standard=images.get("standard"),
        properties={name: np.array(known[name], float) for name in PROPERTIES},
        unreadable=unreadable,
        modality=modalities.pop() if len(modalities) == 1 else None,
    )


def _identified(samples: Sequence[Sample], known: Mapping[str, list[Any]], *, by_folder: bool) -> tuple[Sample, ...]:
    """Return the samples with digests; unknown series and patients become numbers made from the headers.

    One patient in all headers counts as unknown: anonymizers often write the same word to every file. Patients that are
    only guessed from folders are one if a header names one patient for them.
    """
    series, patients = numbered("series", known["series"]), numbered("patient", known["patient"])
    if len(set(patients)) == 1:
        patients = (None,) * len(samples)
    given = [sample.patient for sample in samples]
    if by_folder:
        given = [given[first] for first in linked(given, patients)]
    return tuple(
        replace(sample, series=sample.series or scan, patient=folder or patient, digest=int(digest, 16))
        for sample, folder, scan, patient, digest in zip(samples, given, series, patients, known["digest"])
    )


def _causes(messages: Sequence[str]) -> str:
    """Return how many files have each error, the most frequent first."""
    counts = Counter(message.removeprefix("bytes ") for message in messages).most_common(_CAUSES)
    return "; ".join(f"{count:,} of {len(messages):,}: each {text.rstrip('.')}" for text, count in counts)
