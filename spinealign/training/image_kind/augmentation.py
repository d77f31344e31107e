"""Random views of images for the training of the kind, and made images that show nothing known."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Gray = NDArray[np.uint8]
Random = np.random.Generator
FONT = ImageFont.load_default(8)


def random_view(gray: Gray, side: int, *, rng: Random, whole: float = 0.5) -> Gray:
    """Return a view of an image, of shape (side, side): cut, scaled, stretched, rotated and letterboxed.

    A share `whole` of the views is only rotated and stretched a little.
    """
    height, width = gray.shape
    rows, columns = rng.uniform(0.65, 1, 2) if rng.random() > whole else (1.0, 1.0)
    box = np.array([width * columns, height * rows])
    corner = rng.uniform(0, 1, 2) * ([width, height] - box)
    fill = rng.uniform(0.7, 1.0) if rng.random() < 0.4 else 1.0
    stretch = np.exp(rng.uniform(-0.22, 0.22, 2) / 2 * [1, -1])
    scale = max(box * stretch) / (side * fill) / stretch  # pixels of the image for one of the view
    angle = np.deg2rad(rng.uniform(-15, 15) if rng.random() < 0.7 else 0)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * scale[:, None]
    free = np.maximum(0, side - box / scale)
    center = side / 2 + free * rng.uniform(-0.5, 0.5, 2) * (rng.random() < 0.5)
    offset = corner + box / 2 - matrix @ center
    left, top = corner.round().astype(int)
    right, bottom = (corner + box).round().astype(int)
    cut = Image.fromarray(np.ascontiguousarray(gray[top:bottom, left:right]))
    offset -= [left, top]
    border = 0 if rng.random() < 0.8 else int(rng.integers(256))
    coefficients = (*matrix[0], offset[0], *matrix[1], offset[1])
    return np.asarray(
        cut.transform((side, side), Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR, fillcolor=border)
    )


def deep_cut(gray: Gray, rng: Random, *, share: float) -> Gray:
    """Return a part of an image whose sides are a share of its longer side, with something in it if possible."""
    size = max(8, round(max(gray.shape) * share))
    best = gray
    for _ in range(4):
        top, left = (int(rng.integers(max(1, length - size + 1))) for length in gray.shape)
        best = gray[top : top + size, left : left + size]
        if best.std() > 12:
            break
    return best


def long_chain(gray: Gray, rng: Random) -> Gray:
    """Return copies of the upper part of a spine, one below the other: more vertebrae than a lumbar spine has."""
    upper = gray[: max(8, round(len(gray) * rng.uniform(0.45, 0.6)))]
    width = gray.shape[1]
    left = int(rng.uniform(0, 0.35) * width)
    strip = upper[:, left : width - int(rng.uniform(0, 0.35) * width)]
    return np.vstack([strip, strip[::-1], strip, strip[::-1]][: int(rng.integers(3, 5))])


def shuffled(gray: Gray, rng: Random) -> Gray:
    """Return an image whose blocks are exchanged and turned: the texture stays, the anatomy does not."""
    count = int(rng.integers(2, 5))
    size = max(8, min(gray.shape) // count)
    rows, columns = (max(1, length // size) for length in gray.shape)
    blocks = [
        np.rot90(gray[row * size : (row + 1) * size, column * size : (column + 1) * size], int(rng.integers(4)))
        for row in range(rows)
        for column in range(columns)
    ]
    order = rng.permutation(len(blocks))
    return np.block([[blocks[order[row * columns + column]] for column in range(columns)] for row in range(rows)])


def scrambled(gray: Gray, rng: Random) -> Gray:
    """Return noise with the spectrum of an image."""
    spectrum = np.abs(np.fft.rfft2(gray.astype(np.float32)))
    phases = np.angle(np.fft.rfft2(rng.normal(size=gray.shape)))
    return stretched(np.fft.irfft2(spectrum * np.exp(1j * phases), gray.shape))


def drawing(rng: Random, side: int = 128) -> Gray:
    """Return a drawing of no anatomy: a plain area, a ramp, stripes, noise, blobs, or a screen with text."""
    y, x = np.mgrid[:side, :side] / side
    kind = rng.integers(6)
    if kind == 0:
        gray = np.full((side, side), rng.uniform()) + rng.choice([0, 0.01]) * rng.normal(size=(side, side))
        return np.clip(gray * 255, 0, 255).astype(np.uint8)
    if kind == 1:
        a, b, c = rng.normal(size=3)
        return stretched(a * x + b * y + c * np.hypot(x - rng.random(), y - rng.random()))
    if kind == 2:
        angle, waves = rng.uniform(0, np.pi), rng.uniform(2, 20)
        return stretched(np.sin(2 * np.pi * waves * (x * np.cos(angle) + y * np.sin(angle))) * rng.choice([1, 30]))
    if kind == 3:
        frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)) + 1 / side
        noise = np.fft.rfft2(rng.normal(size=(side, side))) / frequency ** rng.uniform(0, 2.5)
        return stretched(np.fft.irfft2(noise, (side, side)))
    if kind == 4:
        return _blobs(rng, x, y=y)
    screen = Image.new("L", (side, side), int(rng.integers(256)))
    brush = ImageDraw.Draw(screen)
    for _ in range(int(rng.integers(2, 12))):
        shape = [*rng.uniform(0, side, 2)]
        shape += [shape[0] + rng.uniform(2, side / 2), shape[1] + rng.uniform(2, side / 2)]
        if rng.random() < 0.5:
            brush.text(
                (shape[0], shape[1]),
                "L 12.5 mm Series 3"[: int(rng.integers(2, 18))],
                fill=int(rng.integers(256)),
                font=FONT,
            )
        else:
            (brush.rectangle if rng.random() < 0.5 else brush.ellipse)(shape, fill=int(rng.integers(256)))
    return np.asarray(screen)


def vary_gray(gray: Gray, rng: Random, *, inverted: float) -> Gray:
    """Change tone curve, shading, sharpness, noise, compression and labels at random.

    A share `inverted` of the images is inverted.
    """
    values = gray.astype(np.float32) / 255
    if rng.random() < 0.7:
        values = values ** np.float32(np.exp(rng.uniform(-0.6, 0.6)))
    if rng.random() < 0.2:  # another contrast, such as fat suppression
        knots = np.sort(rng.uniform(0, 1, 3))
        values = np.interp(values, [0, *knots, 1], [0, *rng.uniform(0, 1, 4)]).astype(np.float32)
    if rng.random() < inverted:
        values = 1 - values
    if rng.random() < 0.3:
        y, x = (np.linspace(-1, 1, size) for size in values.shape)
        slopes = rng.normal(scale=0.4, size=2)
        values = values * np.exp(slopes[0] * x + slopes[1] * y[:, None])
    if rng.random() < 0.3:
        values = values + rng.normal(size=values.shape) * rng.uniform(0, 0.07)
    gray = stretched(values, low=1, high=99.5)
    if rng.random() < 0.3:
        gray = _blurred(gray, rng.uniform(0.5, 1))
    if rng.random() < 0.15:
        gray = _compressed(gray, int(rng.integers(15, 70)))
    return _labelled(gray, rng) if rng.random() < 0.15 else gray


def stretched(values: NDArray[Any], *, low: float = 0, high: float = 100) -> Gray:
    """Return gray levels between two percentiles."""
    first, last = np.percentile(values, [low, high])
    return np.clip((values - first) * (255 / max(float(last - first), 1e-6)), 0, 255).astype(np.uint8)


def _blobs(rng: Random, x: NDArray[np.float64], *, y: NDArray[np.float64]) -> Gray:
    """Draw soft ellipses with rims, as organs and ends of bones look in slices."""
    values = rng.uniform(0, 0.3) + 0.05 * rng.normal(size=x.shape)
    for _ in range(int(rng.integers(1, 7))):
        angle, radii = rng.uniform(0, np.pi), rng.uniform(0.08, 0.5, 2)
        dx, dy = x - rng.uniform(0.1, 0.9), y - rng.uniform(0.1, 0.9)
        along, across = dx * np.cos(angle) + dy * np.sin(angle), dy * np.cos(angle) - dx * np.sin(angle)
        radius = np.hypot(along / radii[0], across / radii[1])
        values[radius < 1] = rng.uniform(0, 1)
        values[np.abs(radius - 1) < rng.uniform(0.02, 0.15)] = rng.uniform(0, 1)
    return stretched(values + 0.05 * rng.normal(size=x.shape))


def _blurred(gray: Gray, share: float) -> Gray:
    image = Image.fromarray(gray)
    small = image.resize([max(1, round(size * share)) for size in image.size], Image.Resampling.BILINEAR)
    return np.asarray(small.resize(image.size, Image.Resampling.BILINEAR))


def _compressed(gray: Gray, quality: int) -> Gray:
    stream = io.BytesIO()
    Image.fromarray(gray).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream))


def _labelled(gray: Gray, rng: Random) -> Gray:
    image = Image.fromarray(gray)
    brush = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(1, 4))):
        place = tuple(rng.uniform(0, 0.9, 2) * gray.shape[::-1])
        brush.text(place, "RLAP12.5H"[int(rng.integers(5)) :], fill=int(rng.integers(120, 256)), font=FONT)
    return np.asarray(image)
