"""The demo: three images, their predictions, and a picture with heat maps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from spinealign.imaging.drawing import Tile, draw_sheet, overlay_heat, save_picture
from spinealign.imaging.slice import Slice
from spinealign.inference.prediction import Prediction
from spinealign.inference.predictor import Predictor
from spinealign.phantoms.axial_neck import draw_phantom
from spinealign.phantoms.scene import draw_scene

FOOTER = "Phantoms are drawn, not scanned. Research software, not a medical device."


def run_demo(output: Path, *, seed: int = 1_000_007) -> list[Prediction]:
    """Predict an intact phantom, a fractured one and an image that is not CT with the embedded model.

    Write a PNG with their heat maps to `output`, and return the three predictions in this order. Their sources are
    short descriptions.
    """
    predictor = Predictor.from_pretrained()
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
        f"{fracture.site}, {fracture.kind} of {fracture.size_mm:.0f} mm",
        "a drawing, not CT",
    ]
    row, column = (float(places.mean()) / len(fracture.mask) for places in np.nonzero(fracture.mask))
    rings = [None, (row, column, 0.07), None]
    predictions = list(predictor.predict_many(images, errors="raise", explain=True))
    inputs, maps = [], []
    for prediction, truth, ring in zip(predictions, truths, rings):
        heat_map = prediction.heat_map
        assert heat_map is not None  # noqa: S101 - requested by `explain`
        inputs.append(Tile(heat_map.gray, f"Truth: {truth}", "ring: the break" if ring else "", ring))
        answer = f"Model: {prediction.label}, {prediction.confidence:.1%}"
        note = "bright: regions that support the prediction" if prediction.accepted else "NOT ACCEPTED: unreliable"
        maps.append(Tile(overlay_heat(heat_map.gray, heat_map.heat), answer, note))
    sheet = draw_sheet([inputs, maps], heading=f"spinealign demo - {predictor.model}", footer=FOOTER)
    save_picture(sheet, output)
    return predictions
