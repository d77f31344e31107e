"""A collection of labelled images that knows which of them show the same slice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from spinealign.cohort.duplicates.neighbors import connect
from spinealign.cohort.sample import SPLITS, Sample

if TYPE_CHECKING:
    from spinealign.hub.repository import Commit

__all__ = ["SPLITS", "Cohort", "Sample", "balanced_weights"]


@dataclass(frozen=True)
class Cohort:
    """Samples of one collection.

    Attributes:
        name: Name of the collection.
        samples: The images, in a fixed order.
        skipped: Files that were passed over, each with the reason.
        dropped: Number of images that were left out because their source stands in a later split too.
    """

    name: str
    samples: tuple[Sample, ...]
    skipped: tuple[str, ...] = ()
    dropped: int = 0

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes, in alphabetical order."""
        return tuple(sorted({sample.label for sample in self.samples}))

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that hold images, in the order of `SPLITS`."""
        present = {sample.split for sample in self.samples}
        return tuple(split for split in SPLITS if split in present)

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the distinct source slices, in alphabetical order."""
        return tuple(sorted({sample.source for sample in self.samples}))

    @property
    def units(self) -> tuple[str, ...]:
        """For each sample what no cut may divide, all images of one source or patient, named by its first source."""
        sources = self.sources
        place: dict[tuple[str, str], int] = {("source", source): number for number, source in enumerate(sources)}
        links = []
        for sample in self.samples:
            if sample.patient is not None:
                patient = place.setdefault(("patient", sample.patient), len(place))
                links.append((place["source", sample.source], patient))
        unit = connect(len(place), np.array(links, np.intp).reshape(-1, 2))
        return tuple(sources[unit[place["source", sample.source]]] for sample in self.samples)

    @property
    def report_split(self) -> str | None:
        """The split that results are reported on: `test`, or `val` where there is no test; None without either."""
        return next((split for split in ("test", "val") if split in self.splits), None)

    @property
    def calibration_split(self) -> str | None:
        """The split on which a decision may be chosen, for nothing is trained or reported on it; None without one."""
        spare = [split for split in ("calibration", "val") if split in self.splits and split != self.report_split]
        return spare[0] if spare else None

    @property
    def selection_split(self) -> str | None:
        """The split on which a training chooses its best epoch: that of the calibration, or else that of the report."""
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
        """Push the collection as a dataset, in one commit; `index_cohort(repo_id)` and `datasets` load it again.

        Images go up as they are, with label, source, series, split, patient and size as the collection names them.

        Args:
            repo_id: owner/name, or a name alone for your own account; it is made where there is none.
            private: Make it a repository that nobody else may see; one that is public already is refused.
            revision: The branch; one that is not there grows from the main one.
            token: An access token that may write; None takes the one of `hf auth login` or HF_TOKEN.
            message: What the commit is called.

        Raises:
            CohortError: If it is empty, or a file may tell who a patient is or is no image.
            UnreadableSliceError: If a file cannot be opened.
            HubError: If the Hub refuses or cannot be reached; it holds all of the push then, or nothing of it.
            MissingDependencyError: If datasets is not installed.
        """
        from spinealign.hub.datasets import publish
        from spinealign.hub.repository import Repository

        repository = Repository(repo_id, kind="dataset", revision=revision, private=private, token=token)
        return publish(self.samples, self.name, repository=repository, message=message)


def balanced_weights(groups: Sequence[Hashable]) -> list[float]:
    """Return a weight for each image that makes all groups count alike, 1 on average over the images.

    Args:
        groups: The group of each image, such as its class.

    Example:
        >>> balanced_weights(["normal", "normal", "normal", "fracture"])
        [0.6666666666666666, 0.6666666666666666, 0.6666666666666666, 2.0]
    """
    counts = Counter(groups)
    return [len(groups) / (len(counts) * counts[group]) for group in groups]
