"""Kind and orientation of an image, from its pixels."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spinealign.checkpoint.checkpoint import Checkpoint
from spinealign.checkpoint.engines import open_session
from spinealign.checkpoint.files import ASSETS, ONNX_FILE
from spinealign.errors import CheckpointError
from spinealign.imaging.slice import Slice
from spinealign.serialization import rebuild

Array = NDArray[np.float32]
Kind = Literal["neck_ct", "sagittal_mr", "frontal_xray", "other"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_WORDS: dict[Kind, str] = {
    "neck_ct": "a CT of the neck",
    "sagittal_mr": "a sagittal MR of the lumbar spine",
    "frontal_xray": "an x-ray of the spine",
    "other": "no image of the spine",
}
FOLDER, SETTINGS_FILE = ASSETS / "kind", "kind.json"
SIDE = 80  # of the input
LARGEST_ASPECT = 4.0  # of a pixel
_Pixels = TypeVar("_Pixels", bound=np.generic)


@dataclass(frozen=True)
class Turn:
    """A change of the orientation of an image: it is mirrored first, then turned.

    Attributes:
        quarters: Number of quarter turns counterclockwise, 0 to 3.
        mirrored: Whether left and right are exchanged.
    """

    quarters: int = 0
    mirrored: bool = False

    def __str__(self) -> str:
        turned = f"turned by {90 * self.quarters} degrees" if self.quarters else ""
        return " and ".join(filter(None, ("mirrored" if self.mirrored else "", turned))) or "unchanged"

    @property
    def inverse(self) -> Turn:
        """The turn that undoes this one."""
        return Turn(self.quarters if self.mirrored else -self.quarters % 4, self.mirrored)

    def after(self, first: Turn) -> Turn:
        """Return the turn that has the effect of `first`, then of this one."""
        quarters = -first.quarters if self.mirrored else first.quarters
        return Turn((self.quarters + quarters) % 4, self.mirrored != first.mirrored)

    def apply(self, pixels: NDArray[_Pixels]) -> NDArray[_Pixels]:
        """Return an image of shape (H, W) in the new orientation."""
        return np.rot90(pixels[:, ::-1] if self.mirrored else pixels, self.quarters)

    def apply_to_points(self, points: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Return points (x, y) of an image of a shape, of shape (..., 2), in its new orientation."""
        height, width = shape
        x, y = points[..., 0], points[..., 1]
        x = width - 1 - x if self.mirrored else x
        for _ in range(self.quarters):
            x, y = y, width - 1 - x
            height, width = width, height
        return np.stack([x, y], axis=-1)

    def apply_to_slice(self, image: Slice) -> Slice:
        """Return a slice in the new orientation, without its place in the patient."""
        spacing = image.spacing_mm[::-1] if image.spacing_mm and self.quarters % 2 else image.spacing_mm
        pixels = np.ascontiguousarray(self.apply(image.pixels))
        return replace(image, pixels=pixels, spacing_mm=spacing, position_mm=None, orientation=None)


TURNS = tuple(Turn(quarters, mirrored) for mirrored in (False, True) for quarters in range(4))
# The orientation in which copy `row` of an image appears if the image appears in orientation `column`.
_COPIES = np.array([[TURNS.index(copy.after(shown)) for shown in TURNS] for copy in TURNS])


@dataclass(frozen=True)
class KindSettings:
    """Limits and facts of the embedded model, as stored in `kind.json`.

    Attributes:
        kinds: Classes in the order of the outputs.
        side: Height and width of the input.
        kind_limit: Smallest probability of a kind; below it, an image is `other`.
        turn_limit: Smallest probability of an orientation; below it, the orientation is not known.
        training: Numbers of images and groups of each source, seed and epochs.
    """

    kinds: tuple[str, ...] = KINDS
    side: int = SIDE
    kind_limit: float = 0.5
    turn_limit: float = 0.5
    training: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ImageKind:
    """What an image shows, and how it is turned.

    Attributes:
        kind: The most probable kind; `other` if its probability is below the limit.
        probability: Probability of the most probable kind.
        probabilities: Probability of each kind.
        turn: Change that brings the image upright, in a sagittal MR with anterior to the left. None if the orientation
            is not clear, or the kind has none. A mirrored x-ray is not recognized.
        turn_probability: Probability of the most probable orientation; 0 if the kind has none.
        likeliest: The turn for the most probable orientation, also if it is not clear; None if the kind has none.
    """

    kind: Kind
    probability: float
    probabilities: dict[Kind, float]
    turn: Turn | None
    turn_probability: float
    likeliest: Turn | None = None

    def __str__(self) -> str:
        return f"it shows {_WORDS[self.kind]}, by its pixels (probability {self.probability:.2f})"


def classify_kind(image: Slice) -> ImageKind:
    """Return the kind and the orientation of an image.

    The image is shown to the network in eight copies, turned and mirrored, whose logarithms of probabilities are
    averaged.

    Raises:
        CheckpointError: If the file of the network is missing or damaged.
    """
    gray = letterbox(kind_gray(image), SIDE)
    copies = np.stack([copy.apply(gray) for copy in TURNS])[:, None]
    session, settings = _embedded_model()
    return vote(*session.run(["kinds", "turns"], {"pixel_values": kind_input(copies)}), settings=settings)


def vote(kind_logits: Array, turn_logits: Array, *, settings: KindSettings) -> ImageKind:
    """Return the result of eight copies of an image, from logits of shapes (8, 4) and (8, 8)."""
    shares = np.exp(_log_softmax(_log_softmax(kind_logits).mean(axis=0)))
    probabilities = {kind: float(share) for kind, share in zip(KINDS, shares)}
    best = max(KINDS, key=lambda kind: probabilities[kind])
    kind = best if probabilities[best] >= settings.kind_limit else "other"
    likeliest, confidence = None, 0.0
    if kind in ("sagittal_mr", "frontal_xray"):
        shown = np.exp(_log_softmax(np.take_along_axis(_log_softmax(turn_logits), _COPIES, axis=1).mean(axis=0)))
        if kind == "frontal_xray":  # the sides of the patient are not known
            shown = np.concatenate([shown[:4] + shown[4:], np.zeros(4)])
        place = int(shown.argmax())
        confidence = float(shown[place])
        likeliest = TURNS[place].inverse
    turn = likeliest if confidence >= settings.turn_limit else None
    return ImageKind(kind, probabilities[best], probabilities, turn, confidence, likeliest)


def kind_gray(image: Slice) -> NDArray[np.uint8]:
    """Return the gray levels of an image with square pixels, from the first percentile to 99.5 %."""
    low, high = np.percentile(image.pixels, [1, 99.5])
    gray = np.clip((image.pixels - low) * (255 / max(float(high - low), 1e-6)), 0, 255).astype(np.uint8)
    if image.spacing_mm is None:
        return gray
    aspect = np.clip(image.spacing_mm[1] / image.spacing_mm[0], 1 / LARGEST_ASPECT, LARGEST_ASPECT)
    height, width = gray.shape
    return gray if abs(aspect - 1) < 0.01 else _resized(gray, height, round(width * aspect))


def letterbox(gray: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return an image of shape (side, side) that contains the whole image, centered on black."""
    scale = side / max(gray.shape)
    height, width = (max(1, round(size * scale)) for size in gray.shape)
    boxed = np.zeros((side, side), np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    boxed[top : top + height, left : left + width] = _resized(gray, height, width)
    return boxed


def kind_input(gray: NDArray[np.uint8]) -> Array:
    """Return the input of the network for gray levels of any shape."""
    return gray.astype(np.float32) / np.float32(127.5) - np.float32(1)


def _resized(gray: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(gray).resize((max(1, width), max(1, height)), Image.Resampling.BILINEAR))


def _log_softmax(logits: Array) -> Array:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


@cache
def _embedded_model() -> tuple[Any, KindSettings]:
    checkpoint = Checkpoint(FOLDER, "the embedded model of image kinds")
    settings = rebuild(KindSettings, checkpoint.read_json(SETTINGS_FILE))
    if (settings.kinds, settings.side) != (KINDS, SIDE):
        raise CheckpointError(f"{SETTINGS_FILE} of {checkpoint.name} is of another release; install spinealign again.")
    return open_session(checkpoint, ONNX_FILE), settings
