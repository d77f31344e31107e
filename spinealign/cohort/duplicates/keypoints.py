"""Keypoints: places that are found again in a cropped, shifted or rescaled copy, with descriptors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SIDE = 112  # pixels; images of 224 pixels are reduced by 2
_LOCAL = 6.0  # standard deviation of the window of the local contrast, in pixels
_MIN_CONTRAST = 4.0  # gray levels, below which texture is not amplified
_SIGMAS = 1.4 * 2 ** (np.arange(6) / 2)  # scales, in pixels
_MIN_RESPONSE = 0.05  # of the differences of Gaussians of the texture
_PER_IMAGE = 28
_GRID = 10  # samples of a descriptor in each direction, one sigma apart
_MARGIN = 4  # pixels at the border without keypoints


class Keypoints(NamedTuple):
    """Keypoints of several images.

    Attributes:
        image: Index of the image of each keypoint, shape (K,).
        place: Row, column and scale of each in pixels, shape (K, 3).
        descriptor: Texture around each at its scale, of unit length, shape (K, 100).
    """

    image: NDArray[np.intp]
    place: NDArray[np.float32]
    descriptor: NDArray[np.float32]


def texture(gray: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the local contrast of images of shape (N, 224, 224), in [-3, 3], shape (N, 112, 112).

    Local contrast depends little on brightness and on strong edges such as that of a round field of view.
    """
    quarters = [gray[:, row::2, column::2].astype(np.float32) for row in (0, 1) for column in (0, 1)]
    small = np.asarray(sum(quarters[1:], quarters[0]) / 4, np.float32)
    high = small - smooth(small, _LOCAL)
    contrast = np.sqrt(np.maximum(smooth(high**2, _LOCAL), 0))
    return np.clip(high / (contrast + np.float32(_MIN_CONTRAST)), -3, 3)


def smooth(images: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Smooth square images of shape (N, S, S) by a Gaussian of `sigma` pixels, normalized at the border."""
    distance = np.subtract.outer(np.arange(images.shape[1]), np.arange(images.shape[1]))
    weights = np.exp(-0.5 * (distance / sigma) ** 2)
    gaussian = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return gaussian @ images @ gaussian.T


def find_keypoints(textures: NDArray[np.float32]) -> Keypoints:
    """Find the strongest extrema of the differences of Gaussians, at most 28 in an image.

    The images are those of `texture`, shape (N, 112, 112). As in SIFT (Lowe, IJCV 2004), an extremum over place and
    scale has a scale of its own, which grows with the image. The descriptors are upright: rotated and mirrored copies
    have others.
    """
    levels = np.stack([smooth(textures, sigma) for sigma in _SIGMAS], axis=1)
    response = np.abs(levels[:, :-1] - levels[:, 1:])
    inner = response[:, 1:-1]
    peak = (inner >= _largest_nearby(response)) & (inner > _MIN_RESPONSE)
    peak[:, :, :_MARGIN] = peak[:, :, -_MARGIN:] = peak[..., :_MARGIN] = peak[..., -_MARGIN:] = False
    image, level, row, column = np.nonzero(peak)
    order = np.lexsort((-inner[image, level, row, column], image))
    rank = np.arange(len(order)) - np.searchsorted(image, image)  # the images are sorted already
    chosen = order[rank < _PER_IMAGE]
    image, level, row, column = image[chosen], level[chosen] + 1, row[chosen], column[chosen]
    offsets = (
        _peak_offset(*(response[image, level + step * down, row + step * below, column + step * beside]
                       for step in (-1, 0, 1)))
        for down, below, beside in ((1, 0, 0), (0, 1, 0), (0, 0, 1))
    )  # fmt: skip
    exact = [middle + offset for middle, offset in zip((level, row, column), offsets)]
    place = np.stack([exact[1], exact[2], _SIGMAS[0] * 2 ** (exact[0] / 2)], axis=1).astype(np.float32)
    stack = levels.reshape(-1, *levels.shape[2:])
    return Keypoints(image, place, _descriptors(stack, image * len(_SIGMAS) + level, place))


def _largest_nearby(response: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the largest of the 27 values around each value of the inner levels; borders are not filled."""
    over_rows = response.copy()
    over_rows[:, :, 1:-1] = np.maximum(np.maximum(response[:, :, :-2], response[:, :, 2:]), response[:, :, 1:-1])
    over_columns = over_rows.copy()
    over_columns[..., 1:-1] = np.maximum(np.maximum(over_rows[..., :-2], over_rows[..., 2:]), over_rows[..., 1:-1])
    return np.maximum(np.maximum(over_columns[:, :-2], over_columns[:, 2:]), over_columns[:, 1:-1])


def _peak_offset(
    before: NDArray[np.float32], at: NDArray[np.float32], after: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the place of the maximum of the parabola through three values, in [-0.5, 0.5]."""
    curvature = np.minimum(before - 2 * at + after, np.float32(-1e-6))
    return np.clip((before - after) / (2 * curvature), -0.5, 0.5)


def _descriptors(
    smoothed: NDArray[np.float32], index: NDArray[np.intp], place: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Sample a grid around each place in the image at its index, smoothed at its scale, and normalize the samples."""
    steps = (np.arange(_GRID) - (_GRID - 1) / 2).astype(np.float32)
    row = np.clip(place[:, 0, None] + steps * place[:, 2, None], 0, SIDE - 1.001)
    column = np.clip(place[:, 1, None] + steps * place[:, 2, None], 0, SIDE - 1.001)
    patches = sample_grid(smoothed, index, row=row, column=column).reshape(len(place), _GRID**2)
    patches -= patches.mean(axis=1, keepdims=True)
    return patches / np.maximum(np.linalg.norm(patches, axis=1, keepdims=True), np.float32(1e-6))


def sample_grid(
    images: NDArray[np.float32], index: NDArray[np.intp], *, row: NDArray[np.float32], column: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Sample images bilinearly on grids.

    Args:
        images: Shape (M, S, S).
        index: Image of each grid, shape (N,).
        row: Rows of each grid, within [0, S - 1), shape (N, R).
        column: Columns of each grid, within [0, S - 1), shape (N, C).

    Returns:
        Values of shape (N, R, C).
    """
    upper, left = row.astype(np.intp), column.astype(np.intp)
    down, right = (row - upper)[:, :, None], (column - left)[:, None, :]
    rows = images[index[:, None], upper] * (1 - down) + images[index[:, None], upper + 1] * down
    left = np.broadcast_to(left[:, None, :], (*row.shape, column.shape[1]))
    return np.take_along_axis(rows, left, 2) * (1 - right) + np.take_along_axis(rows, left + 1, 2) * right
