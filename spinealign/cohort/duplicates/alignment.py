"""Alignment of pairs of images by scale and shift, and their correlation where they overlap."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spinealign.cohort.duplicates.keypoints import sample_grid


class Placement(NamedTuple):
    """Place of the pixels of one image in another one: coordinate = scale * coordinate + shift, for P pairs.

    Coordinates run from -1 to 1 between the centers of the outer pixels, so they do not depend on the resolution. Rows
    and columns have scales of their own: an image that is cropped to another shape is stretched.

    Attributes:
        scale: Factor of rows and columns, shape (P, 2).
        shift: Offset of rows and columns, shape (P, 2).
    """

    scale: NDArray[np.float32]
    shift: NDArray[np.float32]

    def at(self, chosen: NDArray[np.intp] | NDArray[np.bool_] | slice) -> Placement:
        """Return the placements of some pairs."""
        return Placement(self.scale[chosen], self.shift[chosen])


def correlate(
    images: NDArray[np.float32], pairs: NDArray[np.intp], *, placement: Placement
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the normalized cross-correlation of each pair over the common area, and that area as a share.

    The images have the shape (M, S, S) and the pairs of their indices (P, 2). The share is that of the image that it
    covers more, shape (P,).
    """
    warped, inside = _warp(images, pairs[:, 1], placement)
    first = images[pairs[:, 0]]
    count = np.maximum(inside.sum(axis=(1, 2)), 1)
    one, other = _standardized(first, inside, count), _standardized(warped, inside, count)
    share = inside.mean(axis=(1, 2)) * np.maximum(1, placement.scale.prod(axis=1))
    return (one * other).sum(axis=(1, 2)) / count, np.minimum(share, 1)


def refine(images: NDArray[np.float32], pairs: NDArray[np.intp], *, placement: Placement, steps: int) -> Placement:
    """Improve placements by Gauss-Newton steps on the squared difference (Lucas and Kanade, IJCAI 1981).

    The images have the shape (M, S, S) and the pairs of their indices (P, 2).
    """
    axis = np.linspace(-1, 1, images.shape[1], dtype=np.float32)
    first = images[pairs[:, 0]]
    for _ in range(steps):
        warped, inside = _warp(images, pairs[:, 1], placement)
        count = np.maximum(inside.sum(axis=(1, 2)), 1)
        one, other = _standardized(first, inside, count), _standardized(warped, inside, count)
        below, beside = np.gradient(other, axis[1] - axis[0], axis=(1, 2))
        below, beside = below * inside, beside * inside
        columns = (below, below * axis[:, None], beside, beside * axis)
        jacobian = np.stack([column.reshape(len(pairs), images.shape[1] ** 2) for column in columns], axis=1)
        normal = jacobian @ jacobian.transpose(0, 2, 1) + np.float32(1e-3) * np.eye(4, dtype=np.float32)
        gradient = jacobian @ (one - other).reshape(len(pairs), images.shape[1] ** 2, 1)
        step = np.clip(np.linalg.solve(normal, gradient)[:, :, 0], -0.05, 0.05).reshape(-1, 2, 2)
        # The other image is taken at step[..., 0] + (1 + step[..., 1]) * coordinate of the first.
        placement = Placement(placement.scale * (1 + step[..., 1]), placement.shift + placement.scale * step[..., 0])
    return placement


def _warp(
    images: NDArray[np.float32], index: NDArray[np.intp], placement: Placement
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return each image at the pixels of its partner, and 1 where it has them, else 0, both of shape (P, S, S)."""
    side = images.shape[1]
    axis = np.linspace(-1, 1, side, dtype=np.float32)
    places = (placement.scale[:, :, None] * axis + placement.shift[:, :, None] + 1) * ((side - 1) / 2)  # P, 2, S
    inside = ((places >= 0) & (places <= side - 1)).astype(np.float32)
    row, column = np.clip(places, 0, side - 1.001).transpose(1, 0, 2)
    return sample_grid(images, index, row=row, column=column), inside[:, 0, :, None] * inside[:, 1, None, :]


def _standardized(
    images: NDArray[np.float32], inside: NDArray[np.float32], count: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return images with mean 0 and variance 1 within the mask, and 0 outside."""
    means = (images * inside).sum(axis=(1, 2)) / count
    centered = (images - means[:, None, None]) * inside
    deviation = np.sqrt((centered**2).sum(axis=(1, 2)) / count)
    return centered / np.maximum(deviation, np.float32(1e-6))[:, None, None]
