"""Measure the figures of the embedded model: the official validation part, held-out phantoms, and both engines.

    make default-figures

About three minutes on two cores.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from spinealign import Predictor
from spinealign.cohort.indexing import index_cohort
from spinealign.cohort.loading import LoadedCohort, load_images
from spinealign.cohort.phantoms import write_phantoms
from spinealign.cohort.splitting import resolve_leakage
from spinealign.evaluation.evaluation import format_evaluations
from spinealign.modeling.assessment import assess, fracture_probabilities

FIRST_SEED = 10_000_000  # none of these was drawn for the training


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds 'cervical fracture'")
    parser.add_argument("--model", help="checkpoint folder or Hub id (default: the embedded model)")
    parser.add_argument("--phantoms", type=int, default=1000, help="held-out phantoms (default: %(default)s)")
    options = parser.parse_args()

    onnx, torch = (Predictor.from_pretrained(options.model, engine=engine) for engine in ("onnx", "torch"))
    with tempfile.TemporaryDirectory() as folder:
        # The probe needs phantoms to learn from; the model sees the test part alone.
        counts = {"train": 2 * options.phantoms, "test": options.phantoms}
        write_phantoms(Path(folder) / "phantoms", counts, seed=FIRST_SEED)
        collections = {
            "val": load_images(
                resolve_leakage(index_cohort(options.data / "cervical fracture"), "drop"), onnx.conditioning
            ),
            "test": load_images(index_cohort(Path(folder) / "phantoms"), onnx.conditioning),
        }
    evaluations = {split: assess(onnx, loaded, split=split) for split, loaded in collections.items()}
    print(format_evaluations(list(evaluations.values())))
    print("\nsensitivity over the size of the break, held-out phantoms")
    for entry in evaluations["test"].sensitivity_by_size:
        print(f"  from {entry.from_mm:.0f} mm  {entry.sensitivity:7.2%}  of {entry.count}")
    print(f"  3 mm and more  {evaluations['test'].sensitivity_from(3.0):.2%}")
    print("\nsame finding from ONNX Runtime and from torch in float32")
    for split, loaded in collections.items():
        print(f"  {loaded.cohort.name} ({split})  {_agreement(onnx, torch, loaded.part(split)):.2%}")


def _agreement(first: Predictor, second: Predictor, loaded: LoadedCohort) -> float:
    called = [fracture_probabilities(predictor, loaded) >= 0.5 for predictor in (first, second)]
    return float(np.mean(called[0] == called[1]))


if __name__ == "__main__":
    main()
