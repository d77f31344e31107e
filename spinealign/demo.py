"""The demo: three images with predictions, two with measures, and a picture of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from spinealign.alignment.aligner import Aligner
from spinealign.alignment.result import Alignment
from spinealign.checkpoint.files import FRONTAL_XRAY, SAGITTAL_MR
from spinealign.imaging.drawing import Tile, draw_sheet, overlay_heat, save_picture
from spinealign.imaging.slice import Slice
from spinealign.inference.prediction import Prediction
from spinealign.inference.predictor import Predictor
from spinealign.phantoms.axial_neck import draw_phantom
from spinealign.phantoms.frontal_spine import draw_frontal_spine
from spinealign.phantoms.scene import draw_scene
from spinealign.reading.slices import read_slice
from spinealign.reporting.alignment_overlay import draw_overlay
from spinealign.reporting.canvas import GROUND

TILTS_DEG = (-12, 20, -6)  # of the drawn spine: a main curve of 32 degrees and a lower one of 26
EXAMPLE = Path(__file__).parent / "assets" / "examples" / "lumbar_t2.jpg"
SIDE, ZOOM = 560, 1.3
OPACITY = 0.6  # of the heat, so that the break remains visible
FOOTER = "\n".join(
    [
        "Bright: regions that support the prediction. In parentheses: 90 % interval. Phantoms and x-ray are drawn.",
        "Lumbar MR: a slice of SPIDER (van der Graaf et al., Sci Data 11, 264, 2024; CC BY 4.0), cropped, stored as "
        "JPEG with 8 bits. The model was trained on it.",
        "Research software, not a medical device.",
    ]
)


def run_demo(output: Path, *, seed: int = 1_000_007) -> tuple[list[Prediction], list[Alignment]]:
    """Predict and measure example images with the embedded models, and write a PNG of the results to `output`.

    Returns:
        The predictions of an intact phantom, a fractured one and an image that is not CT, and the alignments in a drawn
        frontal x-ray and a slice of a lumbar MR. Their sources are short descriptions.
    """
    predictions, maps = _predict(seed)
    film, film_overlay = _measure_film(seed + 2)
    mr, mr_tiles = _measure_mr()
    models = dict.fromkeys([*(item.model for item in predictions), film.model, mr.model])
    heading = f"spinealign demo: {', '.join(models)}"
    sheet = draw_sheet([maps, [film_overlay, *mr_tiles]], side=SIDE, heading=heading, footer=FOOTER, zoom=ZOOM)
    save_picture(sheet, output)
    return predictions, [film, mr]


def _predict(seed: int) -> tuple[list[Prediction], list[Tile]]:
    """Predict two phantoms and a drawing, and return the predictions with tiles of their heat maps."""
    intact = draw_phantom(seed, fractured=False, size=384)
    broken = draw_phantom(seed + 1, fractured=True, break_mm=5.0, size=384)
    images = [
        replace(intact.slice, origin="phantom, intact"),
        replace(broken.slice, origin="phantom, fractured"),
        Slice(draw_scene(), origin="drawing, not CT"),
    ]
    fracture = broken.fracture
    assert fracture is not None  # noqa: S101 - as drawn
    truths = [
        f"intact {intact.level}",
        f"{fracture.site}, {fracture.kind} of {fracture.size_mm:.0f} mm (ring)",
        "a drawing, not CT",
    ]
    row, column = (float(places.mean()) / len(fracture.mask) for places in np.nonzero(fracture.mask))
    rings = [None, (row, column, 0.07), None]
    predictions = list(Predictor.from_pretrained().predict_many(images, errors="raise", explain=True))
    tiles = []
    for prediction, truth, ring in zip(predictions, truths, rings):
        heat_map = prediction.heat_map
        assert heat_map is not None  # noqa: S101 - requested by `explain`
        answer = f"{prediction.label}, {prediction.confidence:.1%}"
        title = f"Model: {answer}" if prediction.accepted else f"Not accepted; model: {answer}"
        drawn = overlay_heat(heat_map.gray, heat_map.heat, opacity=OPACITY)
        tiles.append(Tile(drawn, title, f"Truth: {truth}", ring))
    return predictions, tiles


def _measure_film(seed: int) -> tuple[Alignment, Tile]:
    """Measure a drawn x-ray, and return the alignment with a tile of its overlay."""
    film = replace(draw_frontal_spine(TILTS_DEG, seed=seed).slice, origin="drawn x-ray")
    alignment = Aligner.from_pretrained(kind=FRONTAL_XRAY).measure(film)
    note = f"Frontal x-ray, drawn with a curve of {np.ptp(TILTS_DEG)}°"
    return alignment, Tile(_squared(draw_overlay(alignment)), _title(alignment, "cobb_main", "Main curve"), note)


def _measure_mr() -> tuple[Alignment, list[Tile]]:
    """Measure a slice of a lumbar MR, and return the alignment with tiles of the slice and its overlay."""
    image = replace(read_slice(EXAMPLE), origin="lumbar MR")
    alignment = Aligner.from_pretrained(kind=SAGITTAL_MR).measure(image)
    plain = _squared(Image.open(EXAMPLE).convert("RGB"))
    note = "Without a scale in the file: no mm"
    return alignment, [
        Tile(plain, "Lumbar MR, T2", "The slice as it was read"),
        Tile(_squared(draw_overlay(alignment)), _title(alignment, "lordosis_l1_l5", "Lordosis, L1 to L5"), note),
    ]


def _title(alignment: Alignment, measure: str, name: str) -> str:
    if not alignment.accepted:
        return f"Not accepted: {'; '.join(alignment.rejection_reasons)}"
    return f"{name}: {alignment[measure]}"


def _squared(picture: Image.Image) -> NDArray[np.uint8]:
    """Return a picture in the middle of a square."""
    side = max(picture.size)
    return np.asarray(ImageOps.pad(picture, (side, side), color=GROUND))
