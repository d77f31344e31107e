"""Evaluation of the heat maps on phantoms and on real images.

    python benchmarks/localisation.py --data "cervical fracture"

On phantoms that were not used for training, the hottest point of each true positive should be in the fracture or
within 5 mm of it. On real images, pixels are deleted in the order of their heat (Petsiuk et al., BMVC 2018): the
probability of the predicted class should fall faster than with patches deleted at random. This takes about ten minutes
on two cores.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import distance_transform_edt, gaussian_filter
from tqdm import tqdm

from spinealign import Predictor
from spinealign.cohort.indexing import index_cohort
from spinealign.imaging.preprocessing import normalize
from spinealign.inference.occlusion import HeatMap
from spinealign.phantoms.axial_neck import Phantom, draw_phantom
from spinealign.reading.slices import read_slice

FIRST_SEED = 11_000_000  # seed of the first phantom; none of these was used for training
TOLERANCE_MM = 5.0
DELETED = np.linspace(0, 0.5, 11)  # shares of deleted pixels
CELL = 16  # side length of the randomly deleted patches, in pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the 'cervical fracture' set, for the deletion curves")
    parser.add_argument("--model", help="checkpoint folder or Hub id (default: the embedded model)")
    parser.add_argument("--engine", choices=("onnx", "torch"), default="onnx", help="engine (default: %(default)s)")
    parser.add_argument("--phantoms", type=int, default=120, help="phantoms with a fracture (default: %(default)s)")
    parser.add_argument("--images", type=int, default=40, help="real images (default: %(default)s)")
    options = parser.parse_args()
    predictor = Predictor.from_pretrained(options.model, engine=options.engine)
    _judge_phantoms(predictor, options.phantoms)
    if options.data:
        _judge_deletion(predictor, options.data, options.images)


def _judge_phantoms(predictor: Predictor, count: int) -> None:
    distances, seconds, guesses = [], [], []
    for seed in tqdm(range(FIRST_SEED, FIRST_SEED + count), desc="phantoms", unit="image", disable=None):
        phantom = draw_phantom(seed, fractured=True)
        if predictor(phantom.slice).label != "fracture":
            continue
        start = time.perf_counter()
        explained = predictor.explain(phantom.slice)
        seconds.append(time.perf_counter() - start)
        away = _distance_mm(phantom, explained.heat.shape)
        if away is None:
            continue
        distances.append(float(away[explained.hottest]))
        bone = explained.gray > 140
        guesses.append(float((away[bone] <= TOLERANCE_MM).mean()))
    hits = np.mean(np.array(distances) <= TOLERANCE_MM)
    print(f"explained true positives: {len(distances)} of {count} phantoms with a fracture")
    print(f"hottest point in the fracture or within {TOLERANCE_MM:g} mm: {hits:.1%}")
    print(f"a random point of the bone: {np.mean(guesses):.1%}")
    print(f"seconds per heat map: median {np.median(seconds):.2f}, maximum {np.max(seconds):.2f}")


def _distance_mm(phantom: Phantom, shape: tuple[int, ...]) -> NDArray[np.float64] | None:
    """Return the distance in mm of each input pixel from the fracture; None if the fracture covers no input pixel."""
    assert phantom.fracture is not None
    assert phantom.slice.spacing_mm is not None
    mask = phantom.fracture.mask
    pixel_mm = phantom.slice.spacing_mm[0] * mask.shape[0] / shape[0]
    seen = np.asarray(Image.fromarray(mask).resize((shape[1], shape[0]), Image.Resampling.NEAREST))
    return distance_transform_edt(~seen) * pixel_mm if seen.any() else None


def _judge_deletion(predictor: Predictor, data: Path, count: int) -> None:
    samples = index_cohort(data).part("val").samples
    rng = np.random.default_rng(0)
    by_heat, at_random = [], []
    chosen = rng.choice(len(samples), count, replace=False)
    for index in tqdm(chosen, desc="deletion", unit="image", disable=None):
        explained = predictor.explain(read_slice(samples[index].image))
        by_heat.append(_curve(predictor, explained, -explained.heat.ravel()))
        at_random.append(np.mean([_curve(predictor, explained, _random_order(rng, explained)) for _ in range(3)], 0))
    print(f"\nprobability of the predicted class after deleting pixels, mean of {count} real images")
    print("deleted       " + "  ".join(f"{share:5.0%}" for share in DELETED))
    for name, curves in (("hottest first", by_heat), ("at random", at_random)):
        print(f"{name:14}" + "  ".join(f"{value:5.3f}" for value in np.mean(curves, axis=0)))
    areas = [np.trapezoid(np.array(curves), DELETED / DELETED[-1], axis=1) for curves in (by_heat, at_random)]
    print(f"area under the curve: {areas[0].mean():.3f} by heat map, {areas[1].mean():.3f} at random")
    print(f"the probability falls faster by heat map in {np.mean(areas[0] < areas[1]):.0%} of the images")


def _random_order(rng: np.random.Generator, explained: HeatMap) -> NDArray[np.float64]:
    side = explained.gray.shape[0]
    cells = rng.random((side // CELL + 1, side // CELL + 1))
    return np.kron(cells, np.ones((CELL, CELL)))[:side, :side].ravel()


def _curve(predictor: Predictor, explained: HeatMap, order: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the probability of the predicted class after blurring each share of pixels, in increasing `order`."""
    intensity = explained.gray / np.float32(255)
    blurred = gaussian_filter(intensity, 12)
    rank = np.argsort(np.argsort(order, kind="stable"), kind="stable").reshape(intensity.shape) / intensity.size
    images = [np.where(rank < share, blurred, intensity) for share in DELETED]
    pixel_values = np.stack([normalize(image, predictor.preprocessing) for image in images])
    return predictor.probabilities(predictor.run(pixel_values).logits)[0][:, predictor.labels.index(explained.label)]


if __name__ == "__main__":
    main()
