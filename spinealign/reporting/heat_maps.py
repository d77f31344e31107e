"""Pictures of heat maps."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from spinealign.imaging.drawing import Tile, draw_sheet, overlay_heat, save_picture
from spinealign.inference.occlusion import HeatMap
from spinealign.inference.prediction import Prediction

_LONGEST_NAME = 200  # bytes; file systems allow 255, and the name of the picture is longer
_COLUMNS = 3
FOOTER = "Bright: regions that the prediction depends on. Research software, not a medical device."


def draw_heat_maps(heat_maps: Sequence[HeatMap]) -> Image.Image:
    """Draw a preprocessed image and its heat maps over it, in rows of an RGB image."""
    first = heat_maps[0]
    tiles = [Tile(first.gray, Path(first.source).name, "after preprocessing")]
    for item in heat_maps:
        confidence = "" if item.confidence is None else f", {item.confidence:.1%}"
        note = "" if item.accepted else "not accepted: the prediction is not reliable"
        tiles.append(Tile(overlay_heat(item.gray, item.heat), f"{item.label}{confidence}", note))
    return draw_sheet([tiles[start : start + _COLUMNS] for start in range(0, len(tiles), _COLUMNS)], footer=FOOTER)


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
        """Write the heat maps of a prediction and return the path of the picture.

        Raises:
            OSError: If the picture cannot be written.
            ValueError: If the prediction has no heat map.
        """
        if not prediction.heat_maps:
            raise ValueError(f"The prediction for {prediction.source or 'an array'} has no heat map: use explain=True.")
        name = Path(prediction.source).name or "image"
        path = self._folder / self._free_name(name)
        save_picture(draw_heat_maps(prediction.heat_maps), path)
        return path

    def _free_name(self, name: str) -> str:
        if len(os.fsencode(name)) > _LONGEST_NAME:
            name = f"{name[:40]}...{hashlib.sha256(os.fsencode(name)).hexdigest()[:8]}"
        candidate, number = f"{name}.heat.png", 2
        while candidate in self._taken:
            candidate, number = f"{name}.{number}.heat.png", number + 1
        self._taken.add(candidate)
        return candidate
