"""The first thing that people run: three images, their predictions and a picture of where the model looked."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spinealign.imaging.drawing import Tile, draw_sheet, overlay_heat, save_picture
from spinealign.imaging.slice import Slice
from spinealign.inference.predictor import Predictor
from spinealign.phantoms.axial_neck import Phantom, draw_phantom
from spinealign.phantoms.scene import draw_scene
from spinealign.reading.discovery import BatchResult

FOOTER = "Phantoms are drawn, not scanned. Research software, not a medical device."


def run_demo(output: Path, *, seed: int = 1_000_007) -> list[BatchResult]:
    """Predict an intact phantom, a fractured one and an image that is no CT with the embedded model.

    Args:
        output: The picture to write, a PNG.
        seed: Draws the phantoms.

    Returns:
        The three results in this order, named by what they are.
    """
    predictor = Predictor.from_pretrained()
    intact = draw_phantom(seed, fractured=False, size=384)
    broken = draw_phantom(seed + 1, fractured=True, break_mm=5.0, size=384)
    scene = Slice(draw_scene(), origin="drawing")
    cases = [
        ("phantom, intact", intact.slice, f"intact {intact.level}", None),
        ("phantom, fractured", broken.slice, _truth(broken), _ring(broken)),
        ("drawing, no CT", scene, "a drawing, no CT at all", None),
    ]
    results, inputs, maps = [], [], []
    for name, image, truth, ring in cases:
        prediction = predictor(image)
        results.append(BatchResult(name, prediction))
        explained = predictor.explain(image)
        inputs.append(Tile(explained.gray, f"Truth: {truth}", "ringed: the break" if ring else "", ring))
        answer = f"Model: {prediction.label}, {prediction.confidence:.1%}"
        below = "bright: what the answer rests on" if prediction.accepted else "NOT ACCEPTED: not to be relied on"
        maps.append(Tile(overlay_heat(explained.gray, explained.heat), answer, below))
    sheet = draw_sheet([inputs, maps], heading=f"spinealign demo - {predictor.model}", footer=FOOTER)
    save_picture(sheet, output)
    return results


def _truth(phantom: Phantom) -> str:
    fracture = phantom.fracture
    return "intact" if fracture is None else f"{fracture.site}, {fracture.kind} of {fracture.size_mm:.0f} mm"


def _ring(phantom: Phantom) -> tuple[float, float, float] | None:
    if phantom.fracture is None or not phantom.fracture.mask.any():
        return None
    rows, columns = np.nonzero(phantom.fracture.mask)
    side = phantom.fracture.mask.shape[0]
    return float(rows.mean() / side), float(columns.mean() / side), 0.07
