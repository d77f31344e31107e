"""Reading of all images of a cohort into memory, each file once."""

from __future__ import annotations

import os
import secrets
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from spinealign.cohort.cohort import Cohort, Sample
from spinealign.cohort.duplicates.similarity import group_similar_images
from spinealign.cohort.file_properties import PROPERTIES, measure_file
from spinealign.cohort.targets import codes
from spinealign.cohort.training_images import pixel_digest
from spinealign.config import POSITIVE_LABEL, PreprocessingConfig
from spinealign.errors import CohortError, ImageError
from spinealign.imaging.preprocessing import render, resize
from spinealign.labels import Label
from spinealign.privacy.pseudonyms import Identity, numbered, read_identity
from spinealign.reading.slices import read_slice

STANDARD = PreprocessingConfig()  # for the duplicate search and the audit, with any network


@dataclass(frozen=True, eq=False)
class LoadedCohort:
    """A cohort with its images.

    `read_cohort` fills all fields. Parts and split cohorts keep only the first three, to save memory.

    Attributes:
        cohort: The samples that could be read.
        gray: Images as the network takes them, uint8 of shape (N, S, S), in the order of the samples.
        config: Preprocessing of `gray`.
        standard: Images by the default preprocessing, uint8 of shape (N, 224, 224); None if `gray` is the same.
        properties: Values of each of `PROPERTIES`, of shape (N,).
        unreadable: Samples that could not be read, each with a message `name: reason`.
    """

    cohort: Cohort
    gray: NDArray[np.uint8] = field(repr=False)
    config: PreprocessingConfig
    standard: NDArray[np.uint8] | None = field(default=None, repr=False)
    properties: dict[str, NDArray[np.float64]] = field(default_factory=dict, repr=False)
    unreadable: tuple[tuple[Sample, str], ...] = field(default=(), repr=False)
    _groups: list[NDArray[np.int64]] = field(default_factory=list, init=False, repr=False)

    @property
    def positive(self) -> NDArray[np.bool_]:
        """True for each sample with the finding, shape (N,)."""
        return np.array([(sample.label or "").lower() == POSITIVE_LABEL for sample in self.cohort])

    def codes(self, label: Label) -> NDArray[np.int64]:
        """Return the code of the class of each sample, and `labels.MISSING` where it is unknown, shape (N,).

        Raises:
            CohortError: If a class is not one of the label.
        """
        return codes(self.cohort, label)

    @property
    def looks(self) -> NDArray[np.uint8]:
        """Images for the duplicate search and the audit, independent of the network's preprocessing."""
        return self.gray if self.standard is None else self.standard

    def visual_groups(self, *, progress: bool = True) -> NDArray[np.int64]:
        """Return a group number for each image, equal for images of one slice, shape (N,); computed once."""
        if not self._groups:
            self._groups.append(group_similar_images(self.looks, progress=progress))
        return self._groups[0]

    def part(self, split: str) -> LoadedCohort:
        """Return the samples of one split."""
        return self.select([index for index, sample in enumerate(self.cohort) if sample.split == split])

    def select(self, indices: Sequence[int]) -> LoadedCohort:
        """Return the samples at these indices."""
        samples = tuple(self.cohort.samples[index] for index in indices)
        return LoadedCohort(replace(self.cohort, samples=samples, skipped=()), self.gray[list(indices)], self.config)

    def matching(self, cohort: Cohort) -> LoadedCohort:
        """Return the images of the samples that a changed cohort still has, matched by name."""
        index = {sample.name: number for number, sample in enumerate(self.cohort)}
        return LoadedCohort(cohort, self.gray[[index[sample.name] for sample in cohort]], self.config)


class _File(NamedTuple):
    gray: NDArray[np.uint8]
    standard: NDArray[np.uint8]
    properties: tuple[float, ...]
    digest: int
    identity: Identity


def read_cohort(
    cohort: Cohort, preprocessing: PreprocessingConfig | None = None, *, progress: bool = True
) -> LoadedCohort:
    """Read, render and measure every image; each file is read and decoded once.

    Args:
        cohort: The samples.
        preprocessing: Window, filters and size of the network's images; the defaults if None.
        progress: Show a progress bar.

    Returns:
        The images. Files that cannot be read are left out and listed in `unreadable` and `cohort.skipped`. Series and
        patients that only DICOM headers name are numbered.

    Raises:
        CohortError: If no image can be read, or two samples have the same name.
    """
    names = Counter(sample.name for sample in cohort)
    if len(names) < len(cohort):
        name, count = names.most_common(1)[0]
        raise CohortError(f"{cohort.name}: {count} samples have the name {name!r}; give each sample a unique name.")
    config = preprocessing or STANDARD
    salt = secrets.token_bytes(32)

    def read(sample: Sample) -> _File | str:
        try:
            return _read_file(sample.read(), config, salt)
        except ImageError as error:
            return f"{sample.name}: {error}"

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        quiet = None if progress else True
        results = list(tqdm(pool.map(read, cohort), f"reading {cohort.name}", len(cohort), unit="image", disable=quiet))
    unreadable = tuple((sample, result) for sample, result in zip(cohort, results) if isinstance(result, str))
    files = [(sample, result) for sample, result in zip(cohort, results) if isinstance(result, _File)]
    if not files:
        first = f"; the first: {unreadable[0][1]}" if unreadable else "."
        raise CohortError(f"{cohort.name}: none of {len(cohort)} images can be read{first}")
    gray, standard, properties, _, _ = zip(*(file for _, file in files))
    skipped = (*cohort.skipped, *(message for _, message in unreadable))
    return LoadedCohort(
        replace(cohort, samples=_identified(files), skipped=skipped),
        np.stack(gray),
        config,
        standard=None if _renders_alike(config, STANDARD) else np.stack(standard),
        properties=dict(zip(PROPERTIES, np.array(properties, float).T)),
        unreadable=unreadable,
    )


def require_readable(loaded: LoadedCohort) -> None:
    """Check that every class of every split has a readable image.

    Raises:
        CohortError: If a class has none.
    """
    readable = {(sample.split, sample.label) for sample in loaded.cohort}
    for sample, message in loaded.unreadable:
        if (sample.split, sample.label) not in readable:
            where = f" of {sample.split}" if sample.split else ""
            raise CohortError(
                f"{loaded.cohort.name}: no image of class {sample.label}{where} can be read; the first: {message}"
            )


def _read_file(content: bytes, config: PreprocessingConfig, salt: bytes) -> _File:
    image = read_slice(content)
    rendered = render(image, STANDARD)
    standard = resize(rendered, STANDARD)
    gray = standard if _renders_alike(config, STANDARD) else resize(render(image, config), config)
    return _File(gray, standard, measure_file(content, rendered), pixel_digest(image), read_identity(content, salt))


def _renders_alike(one: PreprocessingConfig, other: PreprocessingConfig) -> bool:
    """Return whether two settings differ at most in the normalization, which follows rendering and resizing."""
    return replace(one, image_mean=other.image_mean, image_std=other.image_std) == other


def _identified(files: Sequence[tuple[Sample, _File]]) -> tuple[Sample, ...]:
    """Return the samples with digests; unknown series and patients become numbers made from the headers.

    One patient in all headers counts as unknown: anonymizers often write the same word to every file.
    """
    series = numbered("series", [file.identity.series for _, file in files])
    patients = numbered("patient", [file.identity.patient for _, file in files])
    if len(set(patients)) == 1:
        patients = (None,) * len(files)
    return tuple(
        replace(sample, series=sample.series or scan, patient=sample.patient or patient, digest=file.digest)
        for (sample, file), scan, patient in zip(files, series, patients)
    )
