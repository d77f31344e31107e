"""Read all images of a cohort into memory, once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from spinealign.cohort.cohort import Cohort, Sample
from spinealign.config import POSITIVE_LABEL, ConditioningConfig
from spinealign.errors import CohortError, SliceError
from spinealign.imaging.conditioning import render, resize
from spinealign.imaging.reading import read_slice


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
        The images; samples that could not be read are left out and named in `skipped`.

    Raises:
        CohortError: If a class of a split has no readable image.
    """

    def load(sample: Sample) -> NDArray[np.uint8] | SliceError:
        try:
            return resize(render(read_slice(sample.image), config), config)
        except SliceError as error:
            return error

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        images = pool.map(load, cohort)
        bar = tqdm(
            images, total=len(cohort), desc=f"reading {cohort.name}", unit="image", disable=None if progress else True
        )
        results = list(bar)
    readable = [(sample, gray) for sample, gray in zip(cohort, results) if not isinstance(gray, SliceError)]
    skipped = [f"{sample.name}: {error}" for sample, error in zip(cohort, results) if isinstance(error, SliceError)]
    left = {(sample.split, sample.label) for sample, _ in readable}
    for split, label in sorted({(sample.split, sample.label) for sample in cohort}, key=str):
        if (split, label) not in left:
            where = f" of {split}" if split else ""
            raise CohortError(f"{cohort.name}: no image of class {label}{where} can be read; the first: {skipped[0]}")
    kept = replace(cohort, samples=tuple(sample for sample, _ in readable), skipped=(*cohort.skipped, *skipped))
    return LoadedCohort(kept, np.stack([gray for _, gray in readable]), config)
