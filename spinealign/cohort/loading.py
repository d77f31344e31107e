"""Read all images of a cohort into memory, once."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from spinealign.cohort.cohort import Cohort, Sample
from spinealign.config import POSITIVE_LABEL, ConditioningConfig
from spinealign.errors import CohortError, SliceError
from spinealign.imaging.preprocessing import render, resize
from spinealign.privacy.pseudonyms import Identity, numbered, read_identity
from spinealign.reading.slices import read_slice

Taken = TypeVar("Taken")


@dataclass(frozen=True, eq=False)
class LoadedCohort:
    """A cohort with its pixels.

    Attributes:
        cohort: The samples that could be read.
        gray: Rendered and resized images, uint8 of shape (N, S, S), in the order of the samples.
        config: How they were conditioned.
    """

    cohort: Cohort
    gray: NDArray[np.uint8]
    config: ConditioningConfig

    @property
    def positive(self) -> NDArray[np.bool_]:
        """Whether each sample shows the finding, shape (N,)."""
        return np.array([sample.label == POSITIVE_LABEL for sample in self.cohort])

    def part(self, split: str) -> LoadedCohort:
        """Return the samples of one split."""
        return self.chosen([index for index, sample in enumerate(self.cohort) if sample.split == split])

    def chosen(self, places: Sequence[int]) -> LoadedCohort:
        """Return the samples at these places."""
        samples = tuple(self.cohort.samples[place] for place in places)
        return LoadedCohort(replace(self.cohort, samples=samples, skipped=()), self.gray[list(places)], self.config)

    def matching(self, cohort: Cohort) -> LoadedCohort:
        """Return the images of those samples that a changed cohort still has, found by their names."""
        places = {sample.name: index for index, sample in enumerate(self.cohort)}
        return LoadedCohort(cohort, self.gray[[places[sample.name] for sample in cohort]], self.config)


def load_images(cohort: Cohort, config: ConditioningConfig, *, progress: bool = True) -> LoadedCohort:
    """Read, render and resize every image.

    Args:
        cohort: The samples.
        config: Window, filters and size.
        progress: Show a progress bar.

    Returns:
        The images; samples that could not be read are left out and named in `skipped`. Series and patients that only
        DICOM headers tell are numbered in the samples.

    Raises:
        CohortError: If a class of a split has no readable image.
    """
    salt = secrets.token_bytes(32)

    def load(content: bytes) -> tuple[NDArray[np.uint8], Identity]:
        return resize(render(read_slice(content), config), config), read_identity(content, salt)

    readable, skipped = read_each(cohort, load, progress=progress)
    left = {(sample.split, sample.label) for sample, _ in readable}
    for split, label in sorted({(sample.split, sample.label) for sample in cohort}, key=str):
        if (split, label) not in left:
            where = f" of {split}" if split else ""
            raise CohortError(f"{cohort.name}: no image of class {label}{where} can be read; the first: {skipped[0]}")
    samples = identified([sample for sample, _ in readable], [identity for _, (_, identity) in readable])
    kept = replace(cohort, samples=samples, skipped=(*cohort.skipped, *skipped))
    return LoadedCohort(kept, np.stack([gray for _, (gray, _) in readable]), config)


def read_each(
    cohort: Cohort, take: Callable[[bytes], Taken], *, progress: bool
) -> tuple[list[tuple[Sample, Taken]], list[str]]:
    """Read the file of every sample, some at a time.

    Args:
        cohort: The samples.
        take: What is taken from the bytes of a file; it may raise a SliceError.
        progress: Show a progress bar.

    Returns:
        The samples that could be read, each with what was taken from it, in order; and a line for each other one.
    """

    def taken(sample: Sample) -> Taken | SliceError:
        try:
            return take(sample.read())
        except SliceError as error:
            return error

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        files = pool.map(taken, cohort)
        results = list(
            tqdm(files, f"reading {cohort.name}", len(cohort), unit="image", disable=None if progress else True)
        )
    return (
        [(sample, result) for sample, result in zip(cohort, results) if not isinstance(result, SliceError)],
        [f"{sample.name}: {result}" for sample, result in zip(cohort, results) if isinstance(result, SliceError)],
    )


def identified(samples: Sequence[Sample], identities: Sequence[Identity]) -> tuple[Sample, ...]:
    """Give samples the series and patients that only their headers tell, as numbers that identify nobody.

    One patient in all files is none: tools that take names away often leave the same word everywhere.

    Args:
        samples: The samples; what names or a manifest say of them stays.
        identities: What the header of each says, all under one salt.
    """
    series = numbered("series", [identity.series for identity in identities])
    patients = numbered("patient", [identity.patient for identity in identities])
    if len(set(patients)) == 1:
        patients = (None,) * len(samples)
    return tuple(
        replace(sample, series=sample.series or told, patient=sample.patient or who)
        for sample, told, who in zip(samples, series, patients)
    )
