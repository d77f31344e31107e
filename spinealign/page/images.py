"""Pictures as text that a page can hold, so that no file of an answer is ever written."""

from __future__ import annotations

import base64
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spinealign.imaging.drawing import Tile, draw_sheet, heat_layer, overlay_heat
from spinealign.imaging.preprocessing import render
from spinealign.imaging.slice import Slice
from spinealign.inference.occlusion import HeatMap
from spinealign.inference.prediction import Prediction
from spinealign.inference.predictor import Predictor
from spinealign.reporting.heat_maps import FOOTER

MAX_SIDE = 1024  # of the image on the page, in pixels


def shown_image(image: Slice, predictor: Predictor) -> Image.Image:
    """Return the image in the model's window, no larger than the page needs."""
    picture = Image.fromarray(render(image, predictor.conditioning))
    picture.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.BICUBIC)
    return picture


def heat_image(heat: NDArray[np.floating]) -> str:
    """Return a heat map in [0, 1], of shape (H, W), as a transparent picture in a data URL."""
    return data_url(Image.fromarray(heat_layer(heat)))


def thumbnail(image: Slice, predictor: Predictor, *, side: int = 112) -> str:
    """Return a small square picture of the image as a data URL."""
    return data_url(Image.fromarray(render(image, predictor.conditioning)).resize((side, side)))


def result_sheet(explained: HeatMap, prediction: Prediction) -> Image.Image:
    """Draw the image, the heat map and the answer on one sheet."""
    answer = f"{prediction.label}, {prediction.confidence:.1%}"
    note = "accepted" if prediction.accepted else "not accepted: not to be relied on"
    over = overlay_heat(explained.gray, explained.heat)
    tiles = [Tile(explained.gray, "As the network saw it", prediction.model), Tile(over, answer, note)]
    return draw_sheet([tiles], footer=FOOTER)


def png(picture: Image.Image) -> bytes:
    """Return a picture as the content of a PNG file."""
    stream = BytesIO()
    picture.save(stream, format="PNG", optimize=True)
    return stream.getvalue()


def data_url(picture: Image.Image) -> str:
    """Return a picture as PNG in a data URL."""
    return as_data_url(png(picture), "image/png")


def as_data_url(content: bytes, kind: str) -> str:
    """Return bytes of a media type as a data URL."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
