"""Pictures of heat maps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from spinealign.imaging.drawing import Tile, draw_sheet, overlay_heat, save_picture
from spinealign.inference.occlusion import HeatMap
from spinealign.inference.prediction import Prediction
from spinealign.reporting.picture_folder import PictureFolder

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


class HeatMapFolder(PictureFolder):
    """Folder of heat maps, one PNG for each image; see `PictureFolder`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "heat.png")

    def save(self, prediction: Prediction) -> Path:
        """Write the heat maps of a prediction and return the path of the picture.

        Raises:
            OSError: If the picture cannot be written.
            ValueError: If the prediction has no heat map.
        """
        if not prediction.heat_maps:
            raise ValueError(f"The prediction for {prediction.source or 'an array'} has no heat map: use explain=True.")
        path = self.path_for(prediction.source)
        save_picture(draw_heat_maps(prediction.heat_maps), path)
        return path
