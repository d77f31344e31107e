"""From a folder to images in parts that share no source: what training and evaluation have in common."""

from __future__ import annotations

from spinealign.cohort.cohort import Cohort
from spinealign.cohort.duplicates.grouping import join_lookalikes
from spinealign.cohort.loading import LoadedCohort, load_images
from spinealign.cohort.splitting import resolve_leakage, split_cohort
from spinealign.config import ConditioningConfig


def prepare_cohort(
    cohort: Cohort, config: ConditioningConfig, *, split: str | None, on_leakage: str, seed: int = 0,
    progress: bool = True,
) -> LoadedCohort:  # fmt: skip
    """Read the images of a cohort, find the copies among them, split them, and deal with leakage.

    Args:
        cohort: What `index_cohort` returns.
        config: How the images are conditioned.
        split: How they are split, as for `split_cohort`; None leaves them as they are.
        on_leakage: What becomes of sources that stand in two parts, as for `resolve_leakage`.
        seed: Seed of the split.
        progress: Show progress bars.

    Returns:
        The images. Copies are known by name, by manifest or, whatever their names say, by their looks.

    Raises:
        CohortError: If they cannot be read or split.
        LeakageError: With `error`, if a source stands in two parts.
    """
    loaded = join_lookalikes(load_images(cohort, config, progress=progress), progress=progress)
    placed = loaded.cohort if split is None else split_cohort(loaded.cohort, split, seed=seed)
    return loaded.matching(resolve_leakage(placed, on_leakage))
