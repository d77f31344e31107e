"""Write pictures of where the model looked."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from spinealign.imaging.drawing import Tile, draw_sheet, overlay_heat, save_picture
from spinealign.inference.prediction import Prediction
from spinealign.inference.predictor import Predictor
from spinealign.reading.slices import read_slice

_LONGEST_NAME = 200  # bytes; file systems take 255, and the picture's name is longer
FOOTER = "Bright: what the answer rests on. Research software, not a medical device."


class HeatMapWriter:
    """Writes one PNG for each image into a folder, which is made; images of one name do not overwrite each other."""

    def __init__(self, predictor: Predictor, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._predictor = predictor
        self._folder = folder
        self._taken: set[str] = set()

    def write(self, path: str, prediction: Prediction) -> Path:
        """Explain one image.

        Args:
            path: The file.
            prediction: What the model says of it.

        Returns:
            The picture: the image as the network saw it, and the heat map over it.

        Raises:
            SliceError: If the image cannot be used.
            OSError: If the picture cannot be written.
        """
        explained = self._predictor.explain(read_slice(path), label=prediction.label)
        reliable = "" if prediction.accepted else "not accepted: not to be relied on"
        sheet = draw_sheet(
            [[
                Tile(explained.gray, Path(path).name, "as the network saw it"),
                Tile(
                    overlay_heat(explained.gray, explained.heat),
                    f"{prediction.label}, {prediction.confidence:.1%}",
                    reliable,
                ),
            ]],
            footer=FOOTER,
        )  # fmt: skip
        target = self._folder / self._free_name(Path(path).name)
        save_picture(sheet, target)
        return target

    def _free_name(self, name: str) -> str:
        if len(os.fsencode(name)) > _LONGEST_NAME:
            name = f"{name[:40]}...{hashlib.sha256(os.fsencode(name)).hexdigest()[:8]}"
        candidate, number = f"{name}.heat.png", 2
        while candidate in self._taken:
            candidate, number = f"{name}.{number}.heat.png", number + 1
        self._taken.add(candidate)
        return candidate
