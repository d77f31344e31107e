"""Images as data URLs, so that no result is written to disk."""

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

MAX_SIDE = 1024  # longer side of the image on the page, in pixels


def shown_image(image: Slice, predictor: Predictor) -> Image.Image:
    """Render an image in the window of the model, with a longer side of at most MAX_SIDE pixels."""
    picture = Image.fromarray(render(image, predictor.preprocessing))
    picture.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.BICUBIC)
    return picture


def heat_image(heat: NDArray[np.floating]) -> str:
    """Return a heat map of shape (H, W) with values in [0, 1] as a transparent PNG in a data URL."""
    return data_url(Image.fromarray(heat_layer(heat)))


def thumbnail(image: Slice, predictor: Predictor, *, side: int = 112) -> str:
    """Return a square thumbnail of an image as a data URL."""
    return data_url(Image.fromarray(render(image, predictor.preprocessing)).resize((side, side)))


def result_sheet(explained: HeatMap, prediction: Prediction) -> Image.Image:
    """Draw image, heat map and prediction side by side."""
    answer = f"{prediction.label}, {prediction.confidence:.1%}"
    note = "accepted" if prediction.accepted else "not accepted: do not rely on it"
    over = overlay_heat(explained.gray, explained.heat)
    tiles = [Tile(explained.gray, "Input of the network", prediction.model), Tile(over, answer, note)]
    return draw_sheet([tiles], footer=FOOTER)


def png(picture: Image.Image) -> bytes:
    """Encode an image as PNG."""
    stream = BytesIO()
    picture.save(stream, format="PNG", optimize=True)
    return stream.getvalue()


def data_url(picture: Image.Image) -> str:
    """Encode an image as PNG in a data URL."""
    return as_data_url(png(picture), "image/png")


def as_data_url(content: bytes, kind: str) -> str:
    """Encode bytes of the media type `kind` as a data URL."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
