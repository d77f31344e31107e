"""Pictures of heat maps."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from PIL import Image

from spinealign.imaging.drawing import Tile, draw_sheet, overlay_heat, save_picture
from spinealign.inference.occlusion import HeatMap
from spinealign.inference.prediction import Prediction

_LONGEST_NAME = 200  # bytes; file systems allow 255, and the name of the picture is longer
FOOTER = "Bright: regions that the prediction depends on. Research software, not a medical device."


def draw_heat_map(heat_map: HeatMap) -> Image.Image:
    """Draw the preprocessed image and the heat map over it, side by side, in RGB."""
    confidence = "" if heat_map.confidence is None else f", {heat_map.confidence:.1%}"
    note = "" if heat_map.accepted else "not accepted: the prediction is not reliable"
    over = overlay_heat(heat_map.gray, heat_map.heat)
    image = Tile(heat_map.gray, Path(heat_map.source).name, "after preprocessing")
    return draw_sheet([[image, Tile(over, f"{heat_map.label}{confidence}", note)]], footer=FOOTER)


class HeatMapFolder:
    """Folder of heat maps, one PNG for each image; images with the same name get different files.

    Args:
        folder: The folder; it is created if missing.

    Raises:
        OSError: If the folder cannot be created.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._taken: set[str] = set()

    def save(self, prediction: Prediction) -> Path:
        """Write the heat map of a prediction and return the path of the picture.

        Raises:
            OSError: If the picture cannot be written.
            ValueError: If the prediction has no heat map.
        """
        if prediction.heat_map is None:
            raise ValueError(f"The prediction for {prediction.source or 'an array'} has no heat map: use explain=True.")
        name = Path(prediction.source).name or "image"
        path = self._folder / self._free_name(name)
        save_picture(draw_heat_map(prediction.heat_map), path)
        return path

    def _free_name(self, name: str) -> str:
        if len(os.fsencode(name)) > _LONGEST_NAME:
            name = f"{name[:40]}...{hashlib.sha256(os.fsencode(name)).hexdigest()[:8]}"
        candidate, number = f"{name}.heat.png", 2
        while candidate in self._taken:
            candidate, number = f"{name}.{number}.heat.png", number + 1
        self._taken.add(candidate)
        return candidate
