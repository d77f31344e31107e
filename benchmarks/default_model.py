"""Measure the figures of the embedded model: the official validation part, held-out phantoms, both engines, novelty.

    make default-figures

About ten minutes on two cores.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from tqdm import tqdm

from spinealign import Predictor
from spinealign.cohort.indexing import index_cohort
from spinealign.cohort.loading import LoadedCohort
from spinealign.cohort.preparing import prepare_cohort
from spinealign.evaluation.assessment import fracture_probabilities
from spinealign.evaluation.scoring import Scored, score
from spinealign.imaging.preprocessing import condition
from spinealign.phantoms.phantom_set import write_phantoms
from spinealign.reading.discovery import expand_paths
from spinealign.reading.slices import read_slice
from spinealign.reporting.evaluation_text import format_evaluations

FIRST_SEED = 10_000_000  # none of these was drawn for the training


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds 'cervical fracture' and the others")
    parser.add_argument("--model", help="checkpoint folder or Hub id (default: the embedded model)")
    parser.add_argument("--phantoms", type=int, default=1000, help="held-out phantoms (default: %(default)s)")
    options = parser.parse_args()

    onnx, torch = (Predictor.from_pretrained(options.model, engine=engine) for engine in ("onnx", "torch"))
    with tempfile.TemporaryDirectory() as folder:
        # The probe needs phantoms to learn from; the model sees the test part alone.
        counts = {"train": 2 * options.phantoms, "test": options.phantoms}
        write_phantoms(Path(folder) / "phantoms", counts, seed=FIRST_SEED)
        scored = [
            score(onnx, prepare_cohort(index_cohort(data), onnx.conditioning, split=None, on_leakage="drop"))
            for data in (options.data / "cervical fracture", Path(folder) / "phantoms")
        ]
    _print_scores(scored)
    print("\nsame finding from ONNX Runtime and from torch in float32")
    for item in scored:
        print(f"  {item.evaluation.collection} ({item.evaluation.split})  {_agreement(onnx, torch, item.part):.2%}")
    _print_novelty(onnx, options.data)


def _print_scores(scored: list[Scored]) -> None:
    print(format_evaluations([item for each in scored for item in (each.evaluation, each.accepted) if item]))
    phantoms = scored[1].evaluation
    print("\nsensitivity over the size of the break, held-out phantoms")
    for entry in phantoms.sensitivity_by_size:
        print(f"  from {entry.from_mm:.0f} mm  {entry.sensitivity:7.2%}  of {entry.count}")
    print(f"  3 mm and more  {phantoms.sensitivity_from(3.0):.2%}")


def _agreement(first: Predictor, second: Predictor, loaded: LoadedCohort) -> float:
    point = first.settings.decision.operating_point
    called = [fracture_probabilities(predictor, loaded) >= point for predictor in (first, second)]
    return float(np.mean(called[0] == called[1]))


def _print_novelty(predictor: Predictor, data: Path) -> None:
    known, _, rejected = _judged(predictor, data / "cervical fracture" / "val")
    print("\nnovelty: AUROC of the distance against val; rejected by the distance, and by quality or distance")
    print(f"  {'val':26}  AUROC      -  {_shares(known, predictor)}, {rejected:.2%}")
    folders = sorted(path for path in (data / "out_of_distribution").iterdir() if path.is_dir())
    for folder in (*folders, data / "rsna2022"):
        distance, called, rejected = _judged(predictor, folder)
        auroc = roc_auc_score(np.r_[np.zeros(len(known)), np.ones(len(distance))], np.r_[known, distance])
        print(
            f"  {folder.name:26}  AUROC {auroc:.4f}  {_shares(distance, predictor)}, {rejected:.2%}"
            f"  ({len(distance)} images, {called:.0%} called a fracture)"
        )


def _shares(distance: NDArray[np.float64], predictor: Predictor) -> str:
    assert predictor.settings.novelty is not None
    return f"rejected {np.mean(distance > predictor.settings.novelty.threshold):7.2%}"


def _judged(predictor: Predictor, folder: Path) -> tuple[NDArray[np.float64], float, float]:
    """Return the novelty of each image, and the shares that are called a fracture and that are not accepted."""
    distances, predictions = [], []
    for path in tqdm(expand_paths([str(folder)]), desc=folder.name, unit="image", leave=False, disable=None):
        image = read_slice(path)
        features = predictor.output(condition(image, predictor.conditioning)[None]).features
        distance = predictor.novelty(features)
        assert distance is not None
        distances.append(float(distance[0]))
        predictions.append(predictor(image))
    called = np.mean([prediction.label == "fracture" for prediction in predictions])
    return np.array(distances), float(called), float(np.mean([not item.accepted for item in predictions]))


if __name__ == "__main__":
    main()
