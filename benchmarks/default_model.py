"""Scores of the embedded model: official validation split, held-out phantoms, both engines, novelty.

    make default-figures

This takes about ten minutes on two cores.
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
from spinealign.evaluation.evaluating import evaluate
from spinealign.imaging.preprocessing import preprocess
from spinealign.metrics.evaluation import Evaluation
from spinealign.phantoms.phantom_set import write_phantoms
from spinealign.reading.discovery import expand_paths
from spinealign.reading.slices import read_slice
from spinealign.reporting.evaluation_tables import size_table
from spinealign.reporting.evaluation_text import format_evaluations

FIRST_SEED = 10_000_000  # seed of the first phantom; none of these was used for training


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with 'cervical fracture' and the other sets")
    parser.add_argument("--model", help="checkpoint folder or Hub id (default: the embedded model)")
    parser.add_argument("--phantoms", type=int, default=1000, help="held-out phantoms (default: %(default)s)")
    options = parser.parse_args()

    onnx, torch = (Predictor.from_pretrained(options.model, engine=engine) for engine in ("onnx", "torch"))
    with tempfile.TemporaryDirectory() as folder:
        # The thumbnail ridge needs training phantoms; the model is only evaluated on the test split.
        counts = {"train": 2 * options.phantoms, "test": options.phantoms}
        write_phantoms(Path(folder) / "phantoms", counts, seed=FIRST_SEED)
        collections = (options.data / "cervical fracture", Path(folder) / "phantoms")
        evaluations = [evaluate(onnx, data) for data in collections]
        agreements = [_agreement(item, evaluate(torch, data)) for item, data in zip(evaluations, collections)]
    _print_scores(evaluations)
    print("\nsame class with ONNX Runtime and with torch in float32")
    for item, agreement in zip(evaluations, agreements):
        print(f"  {item.collection} ({item.split})  {agreement:.2%}")
    _print_novelty(onnx, options.data)


def _print_scores(evaluations: list[Evaluation]) -> None:
    print(format_evaluations(evaluations))
    phantoms = evaluations[1]
    print("\nsensitivity by size of the break, held-out phantoms")
    print(size_table(phantoms).text())


def _agreement(first: Evaluation, second: Evaluation) -> float:
    return float(np.mean(first.predictions.called == second.predictions.called))


def _print_novelty(predictor: Predictor, data: Path) -> None:
    known, _, rejected = _novelty_of(predictor, data / "cervical fracture" / "val")
    print("\nnovelty: AUROC of the distance from val; rejected by distance, and by quality or distance")
    print(f"  {'val':26}  AUROC      -  {_shares(known, predictor)}, {rejected:.2%}")
    folders = sorted(path for path in (data / "out_of_distribution").iterdir() if path.is_dir())
    for folder in (*folders, data / "rsna2022"):
        distance, positive, rejected = _novelty_of(predictor, folder)
        auroc = roc_auc_score(np.r_[np.zeros(len(known)), np.ones(len(distance))], np.r_[known, distance])
        print(
            f"  {folder.name:26}  AUROC {auroc:.4f}  {_shares(distance, predictor)}, {rejected:.2%}"
            f"  ({len(distance)} images, {positive:.0%} classified as fracture)"
        )


def _shares(distance: NDArray[np.float64], predictor: Predictor) -> str:
    assert predictor.settings.novelty is not None
    return f"rejected {np.mean(distance > predictor.settings.novelty.threshold):7.2%}"


def _novelty_of(predictor: Predictor, folder: Path) -> tuple[NDArray[np.float64], float, float]:
    """Return the distance of each image, and the shares of images classified as fracture and of rejected images."""
    distances, predictions = [], []
    for path in tqdm(expand_paths([str(folder)])[0], desc=folder.name, unit="image", leave=False, disable=None):
        image = read_slice(path)
        features = predictor.run(preprocess(image, predictor.preprocessing)[None]).features
        distance = predictor.measure_novelty(features)
        assert distance is not None
        distances.append(float(distance[0]))
        predictions.append(predictor(image))
    positive = np.mean([prediction.label == "fracture" for prediction in predictions])
    return np.array(distances), float(positive), float(np.mean([not item.accepted for item in predictions]))


if __name__ == "__main__":
    main()
