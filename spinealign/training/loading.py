"""Collections of a training: index, read, audit and split."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from spinealign.cohort.audit.auditing import audit
from spinealign.cohort.cohort import Cohort
from spinealign.cohort.indexing import index_cohort
from spinealign.cohort.loading import LoadedCohort, read_cohort, require_readable
from spinealign.cohort.splitting import hold_out_calibration, split_images
from spinealign.cohort.targets import Column, codes, require_parts, target_of
from spinealign.config import PreprocessingConfig
from spinealign.errors import CohortError
from spinealign.labels import SINGLE, ProblemType, Target
from spinealign.training.setup import TrainingSetup

logger = logging.getLogger(__name__)


def index_collections(setup: TrainingSetup) -> tuple[list[Cohort], Target]:
    """Index the collections of a training without opening an image, and return them with their target.

    Raises:
        CohortError: If a collection cannot be used, its classes do not fit the options, two have the same name, or all
            are smaller than a batch that must be full.
    """
    cohorts = [
        item if isinstance(item, Cohort) else index_cohort(item, setup.data)
        for item in setup.cohorts or setup.data.data_dir
    ]
    names = [cohort.name for cohort in cohorts]
    if len(set(names)) < len(names):
        raise CohortError(f"Two collections have the same name ({', '.join(names)}); rename a folder.")
    target = _find_target(setup, cohorts)
    for cohort in cohorts:
        require_parts(cohort, target)
    _require_full_batch(setup, sum(len(cohort.part("train") if cohort.splits else cohort) for cohort in cohorts))
    return cohorts, target


def _find_target(setup: TrainingSetup, cohorts: Sequence[Cohort]) -> Target:
    """Return the target of the options; the columns of cohorts that were indexed before are its default."""
    options, columns = setup.data, cohorts[0].label_names
    labels = options.labels or ([] if columns == (SINGLE,) else list(columns))
    wanted = {Column.parse(text).name for text in labels} or {SINGLE}
    for cohort in cohorts:
        if missing := wanted - set(cohort.label_names):
            raise CohortError(f"{cohort.name} was not read with the labels {', '.join(sorted(missing))}.")
    target = target_of(
        cohorts,
        problem_type=cast(ProblemType | None, options.problem_type),
        positive=options.positive,
        grades=options.grades or (),
        labels=labels,
    )
    for cohort in cohorts:
        for label in target.labels:
            codes(cohort, label)
    return target


def read_collections(
    setup: TrainingSetup,
    cohorts: Sequence[Cohort],
    *,
    target: Target,
    preprocessing: PreprocessingConfig,
    folder: Path,
) -> tuple[list[LoadedCohort], dict[str, tuple[str, ...]]]:
    """Read each image once; audit the collections, split them, resolve leakage and hold out a calibration split.

    The images are rendered into `folder`, from which the collections read them later. The verdict of the audit of each
    collection is returned by its name; only the main process audits, and logs what it finds.

    Raises:
        CohortError: If a class of a split has no readable image, or a collection cannot be split.
        LeakageError: If a source or patient is in two splits and `on_leakage` is `error`.
    """
    options, training = setup.data, setup.training
    main_process = training.process_index == 0
    progress = training.local_process_index == 0 and not training.disable_tqdm
    collections, verdicts = [], {}
    for cohort in cohorts:
        with training.main_process_first():  # the others find what it rendered
            loaded = read_cohort(cohort, preprocessing, progress=progress, folder=folder)
        require_readable(loaded)
        if main_process:
            verdicts[cohort.name] = audit(loaded, progress=progress, seed=training.seed).verdict
            for sentence in verdicts[cohort.name]:
                logger.info("audit of %s: %s", cohort.name, sentence)
        images = split_images(
            loaded, split=options.split, on_leakage=options.on_leakage, seed=training.seed, progress=progress
        )
        parts = hold_out_calibration(images.cohort, seed=training.seed)
        require_parts(parts, target)
        for line in parts.skipped if main_process else ():
            logger.warning("%s", line)
        collections.append(images.matching(parts))
    _require_full_batch(setup, sum(len(item.part("train").cohort) for item in collections))
    return collections, verdicts


def _require_full_batch(setup: TrainingSetup, images: int) -> None:
    training = setup.training
    batch = training.train_batch_size * training.world_size
    if training.dataloader_drop_last and images < batch:
        raise CohortError(
            f"dataloader_drop_last leaves no image: there are {images} training images and a batch has {batch}. Leave "
            "dataloader_drop_last out, or choose a smaller per_device_train_batch_size."
        )
