"""Cross-validation over patients with sagittal slices, and the file of its predictions."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from shutil import rmtree
from typing import Any

from tqdm import tqdm

from spinealign.alignment.sagittal.locating import SagittalEngine
from spinealign.checkpoint.sagittal_engines import TorchSagittalEngine
from spinealign.cohort.masks.boxed import BoxedSlice
from spinealign.cohort.masks.folds import patient_folds
from spinealign.cohort.masks.labeled import LabeledSlice
from spinealign.evaluation.measured_slice import MeasuredSlice, measure_slice
from spinealign.evaluation.named_series import NamedPicture, name_series
from spinealign.training.fold_files import digest_of_code, load_predictions, save_predictions
from spinealign.training.sagittal.arguments import SagittalSetup
from spinealign.training.sagittal.fitting import fit_network

logger = logging.getLogger(__name__)

# Everything that decides what a network learns and finds; a change makes stored predictions stale. What the levels and
# the measures follow from is stored, so their rules may change.
CODE = (
    "alignment/sagittal/corners.py",
    "alignment/sagittal/instances.py",
    "alignment/sagittal/locating.py",
    "alignment/sagittal/preparing.py",
    "alignment/sagittal/scaling.py",
    "cohort/masks/boxed.py",
    "cohort/masks/folds.py",
    "cohort/masks/labeled.py",
    "cohort/masks/s1_labels.py",
    "cohort/masks/self_labels.py",
    "cohort/masks/structures.py",
    "evaluation/found_spine.py",
    "evaluation/measured_slice.py",
    "evaluation/named_series.py",
    "imaging/frames.py",
    "imaging/sampling.py",
    "networks/sagittal.py",
    "networks/vertebrae.py",
    "training/sagittal/arguments.py",
    "training/sagittal/augmentation.py",
    "training/sagittal/dataset.py",
    "training/sagittal/fitting.py",
    "training/sagittal/loss.py",
    "training/sagittal/trainer.py",
    "training/vertebrae/augmentation.py",
    "training/vertebrae/averaging.py",
    "training/vertebrae/loss.py",
)
EVERY = {"t2_space": 2}  # of the slices of a source, those that are measured
TRANSFERS = {  # beginnings of source and name of the slices to train on and to test on
    "lumbar_mri/vb3 to lumbar_mri/vb2": ("lumbar_mri/vb3", "lumbar_mri/vb2"),
    "lumbar_mri to t2_space": ("lumbar_mri/", "t2_space/"),
}
TRANSFER_SHARE = 0.5  # of the epochs of a fold, since each transfer has fewer slices


@dataclass(frozen=True)
class SagittalFoldPredictions:
    """What the networks of a cross-validation found in held-out slices; numbers only.

    Attributes:
        folds: Number of folds.
        epochs: Epochs of each network.
        seed: Seed of folds and training.
        code: Digest of the code of network, training and measuring; see `code_digest`.
        data: Digest of slices and labels.
        slices: The slices with masks, each measured by a network that was not trained on its patient.
        pictures: The same for series with boxes of discs, and parts of them.
        transfers: Slices of one source, measured by a network that was trained on another one; see `TRANSFERS`.
    """

    folds: int
    epochs: float
    seed: int
    code: str
    data: str
    slices: tuple[MeasuredSlice, ...] = ()
    pictures: tuple[NamedPicture, ...] = ()
    transfers: dict[str, tuple[MeasuredSlice, ...]] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write the predictions as JSON."""
        save_predictions(self, path)

    @classmethod
    def load(cls, path: Path) -> SagittalFoldPredictions:
        """Read predictions.

        Raises:
            CohortError: If the file is damaged.
        """
        return load_predictions(cls, path)


def code_digest() -> str:
    """Return a digest of the code that decides what a network learns and finds, in hexadecimal."""
    return digest_of_code(CODE)


@dataclass(frozen=True)
class _Part:
    """One network: what it is trained on, and what it measures.

    Attributes:
        name: Name of its file.
        trained: Slices to train on.
        trained_series: Series to train on.
        tested: Slices to measure.
        tested_series: Series to measure.
        epochs: Number of epochs.
        fold: Fold that is held out, from 0; None for a transfer.
        transfer: Name of the transfer.
    """

    name: str
    trained: Sequence[LabeledSlice]
    trained_series: Sequence[BoxedSlice]
    tested: Sequence[LabeledSlice]
    tested_series: Sequence[BoxedSlice]
    epochs: float
    fold: int | None = None
    transfer: str = ""


def cross_validate_slices(
    setup: SagittalSetup, slices: Sequence[LabeledSlice], *, boxed: Sequence[BoxedSlice], data: str, run: Path
) -> SagittalFoldPredictions:
    """Train a network for each fold over patients, and measure the slices and series of the fold with it.

    After that, networks are trained on one source and measure another one, where `TRANSFERS` names both. Finished parts
    are kept in the folder of the run, and are not trained again when a killed run continues.
    """
    folds, seed, code = setup.data.folds, setup.training.seed, code_digest()
    result = SagittalFoldPredictions(folds, _fold_epochs(setup), seed, code, data)
    for part in _parts(setup, slices, boxed):
        file, folder = run / f"{part.name}.json", run / part.name
        found = SagittalFoldPredictions.load(file) if file.is_file() else None
        if found is None or (found.code, found.data, found.epochs) != (code, data, part.epochs):
            logger.info("Cross-validation: %s", part.transfer or f"fold {(part.fold or 0) + 1} of {folds}")
            network, _ = fit_network(part.trained, part.trained_series, setup=setup, folder=folder, epochs=part.epochs)
            found = replace(_measure(TorchSagittalEngine(network), part, result), epochs=part.epochs)
            found.save(file)
            rmtree(folder, ignore_errors=True)
        result = replace(
            result,
            slices=(*result.slices, *found.slices),
            pictures=(*result.pictures, *found.pictures),
            transfers={**result.transfers, **found.transfers},
        )
    return result


def _fold_epochs(setup: SagittalSetup) -> float:
    return float(setup.data.fold_epochs or setup.training.num_train_epochs)


def _parts(setup: SagittalSetup, slices: Sequence[LabeledSlice], boxed: Sequence[BoxedSlice]) -> Iterator[_Part]:
    fold_of = patient_folds([*slices, *boxed], folds=setup.data.folds, seed=setup.training.seed)
    epochs = _fold_epochs(setup)
    for fold in range(setup.data.folds):
        yield _Part(
            f"fold-{fold + 1}",
            [item for item in slices if fold_of[item.patient] != fold],
            [item for item in boxed if fold_of[item.patient] != fold],
            _thinned([item for item in slices if fold_of[item.patient] == fold]),
            [item for item in boxed if fold_of[item.patient] == fold],
            epochs,
            fold,
        )
    for number, (transfer, beginnings) in enumerate(TRANSFERS.items(), start=1):
        trained, tested = (
            [item for item in slices if f"{item.source}/{item.name}".startswith(beginning)] for beginning in beginnings
        )
        if trained and tested:
            share = max(1.0, round(TRANSFER_SHARE * epochs))
            yield _Part(f"transfer-{number}", trained, (), _thinned(tested), (), share, transfer=transfer)


def _thinned(slices: Sequence[LabeledSlice]) -> list[LabeledSlice]:
    """Leave out slices of sources with many similar ones."""
    seen: Counter[tuple[str, str]] = Counter()
    kept = []
    for item in slices:
        if seen[item.patient, item.source] % EVERY.get(item.source, 1) == 0:
            kept.append(item)
        seen[item.patient, item.source] += 1
    return kept


def _measure(engine: SagittalEngine, part: _Part, empty: SagittalFoldPredictions) -> SagittalFoldPredictions:
    def watch(items: Sequence[Any], what: str) -> tqdm[Any]:
        return tqdm(items, desc=f"Measuring held-out {what}", unit="slice", leave=False, disable=None, delay=1.0)

    measured = tuple(measure_slice(engine, item, fold=part.fold) for item in watch(part.tested, "slices"))
    if part.transfer:
        transferred = tuple(item.without_corners for item in measured)
        return replace(empty, slices=(), pictures=(), transfers={part.transfer: transferred})
    pictures = tuple(
        picture for item in watch(part.tested_series, "series") for picture in name_series(engine, item, fold=part.fold)
    )
    return replace(empty, slices=measured, pictures=pictures, transfers={})
