"""Collections of a training: index, read, audit and split."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from spinealign.cohort.audit.auditing import audit
from spinealign.cohort.cohort import Cohort
from spinealign.cohort.indexing import index_cohort, require_binary, require_parts
from spinealign.cohort.loading import LoadedCohort, read_cohort, require_readable
from spinealign.cohort.splitting import hold_out_calibration, split_images
from spinealign.config import PreprocessingConfig
from spinealign.errors import CohortError
from spinealign.training.arguments import DataArguments

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reading:
    """Settings of one training process for reading its collections.

    Attributes:
        progress: Whether it shows progress bars.
        report: Whether it audits, and logs what it finds; only the main process does.
        seed: Seed of splits and folds.
    """

    progress: bool = True
    report: bool = True
    seed: int = 0


def index_collections(collections: Sequence[str | Cohort], source_pattern: str | None) -> list[Cohort]:
    """Index the collections of a training without opening an image.

    Raises:
        CohortError: If a collection cannot be used, or two have the same name.
    """
    cohorts = [
        item if isinstance(item, Cohort) else index_cohort(item, source_pattern=source_pattern) for item in collections
    ]
    names = [cohort.name for cohort in cohorts]
    if len(set(names)) < len(names):
        raise CohortError(f"Two collections have the same name ({', '.join(names)}); rename a folder.")
    for cohort in cohorts:
        require_binary(cohort)
    return cohorts


def read_collections(
    cohorts: Sequence[Cohort], preprocessing: PreprocessingConfig, *, reading: Reading
) -> list[LoadedCohort]:
    """Read and decode each image once, for audit, training and evaluation.

    Raises:
        CohortError: If a class of a split has no readable image.
    """
    loaded = [read_cohort(cohort, preprocessing, progress=reading.progress) for cohort in cohorts]
    for item in loaded:
        require_readable(item)
    return loaded


def audit_collections(loaded: Sequence[LoadedCohort], reading: Reading) -> dict[str, tuple[str, ...]]:
    """Audit the collections before they are split, and return the verdict of each by its name."""
    verdicts: dict[str, tuple[str, ...]] = {}
    for item in loaded if reading.report else ():
        verdicts[item.cohort.name] = audit(item, progress=reading.progress, seed=reading.seed).verdict
        for sentence in verdicts[item.cohort.name]:
            logger.info("audit of %s: %s", item.cohort.name, sentence)
    return verdicts


def split_collections(
    loaded: Sequence[LoadedCohort], options: DataArguments, *, reading: Reading
) -> list[LoadedCohort]:
    """Split the collections, resolve leakage and hold out a calibration split.

    Raises:
        CohortError: If a collection cannot be split, or a class is missing in a split.
        LeakageError: If a source or patient is in two splits and `on_leakage` is `error`.
    """
    collections = []
    for item in loaded:
        images = split_images(
            item, split=options.split, on_leakage=options.on_leakage, seed=reading.seed, progress=reading.progress
        )
        parts = require_parts(hold_out_calibration(images.cohort, seed=reading.seed))
        collections.append(images.matching(parts))
        for line in parts.skipped if reading.report else ():
            logger.warning("%s", line)
    return collections
