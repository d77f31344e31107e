"""Axes of vertebrae, and crops along them, for the network that refines corners.

The unit of a crop is the width of its vertebra; its origin is the center of the vertebra, and its x axis leads along
the middle line from the left to the right side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinealign.imaging.sampling import sample_bilinear

Points = NDArray[np.float64]
CROP_SHAPE = (80, 96)  # rows and columns
UNIT = 54.0  # pixels of a crop for the width of a vertebra
NEIGHBOR_FEATURES = 8
MIRRORED = [1, 0, 3, 2]  # corners after left and right were exchanged
TYPICAL_PITCH = 0.7  # distance of neighboring vertebrae in widths


@dataclass(frozen=True, eq=False)
class Frames:
    """Coordinate systems of the N vertebrae of a chain.

    Attributes:
        centers: Shape (N, 2): x and y in pixels.
        angles: Shape (N,): direction of the x axis in radians, positive clockwise.
        widths: Shape (N,): lengths of the unit in pixels.
        aspects: Shape (N,): factor by which x is longer and y shorter than the unit.
    """

    centers: Points
    angles: Points
    widths: Points
    aspects: Points

    @property
    def axes(self) -> Points:
        """Matrices from the unit to pixels, shape (N, 2, 2)."""
        cos, sin = np.cos(self.angles), np.sin(self.angles)
        rotations = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], 1) * self.widths[:, None, None]
        return rotations * np.stack([self.aspects, 1 / self.aspects], -1)[:, None, :]

    def to_pixels(self, points: Points) -> Points:
        """Return points of shape (N, P, 2) in pixels."""
        return np.einsum("nij,npj->npi", self.axes, points) + self.centers[:, None]

    def to_unit(self, points: Points) -> Points:
        """Return points in pixels, of shape (N, P, 2), in the unit of each vertebra."""
        return np.einsum("nij,npj->npi", np.linalg.inv(self.axes), points - self.centers[:, None])


def chain_frames(corners: Points) -> Frames:
    """Return the frames of vertebrae with corners of shape (N, 4, 2); widths are smoothed along the chain."""
    middle = (corners[:, 1] + corners[:, 3] - corners[:, 0] - corners[:, 2]) / 2
    widths = np.linalg.norm(middle, axis=1)
    padded = np.pad(widths, 3, mode="edge")
    kernel = np.exp(-0.5 * (np.arange(-3, 4) / 1.5) ** 2)
    smooth = np.convolve(padded, kernel / kernel.sum(), mode="valid")
    angles = np.arctan2(middle[:, 1], middle[:, 0])
    return Frames(corners.mean(axis=1), angles, np.maximum(smooth, 1.0), np.ones(len(corners)))


def neighbor_features(frames: Frames) -> NDArray[np.float32]:
    """Return what each vertebra knows of its neighbors and its place in the chain, shape (N, 8).

    The features are the centers of the vertebrae above and below in the unit of the vertebra, less a typical pitch, the
    differences of their tilts, and the position in the chain with its square.
    """
    count = len(frames.angles)
    place = np.arange(count)
    above, below = np.maximum(place - 1, 0), np.minimum(place + 1, count - 1)
    plain = Frames(frames.centers, frames.angles, frames.widths, np.ones(count))
    centers = plain.to_unit(np.stack([frames.centers[above], frames.centers[below]], axis=1))
    centers[:, 0, 1] += TYPICAL_PITCH * (place > 0)
    centers[:, 1, 1] -= TYPICAL_PITCH * (place < count - 1)
    tilts = np.sin(np.stack([frames.angles[above], frames.angles[below]], -1) - frames.angles[:, None]) * 3
    share = (place - (count - 1) / 2) / max((count - 1) / 2, 1)
    return np.concatenate([centers.reshape(count, 4), tilts, share[:, None], share[:, None] ** 2], 1).astype(np.float32)


def cut_crops(image: NDArray[np.float32], frames: Frames) -> NDArray[np.float32]:
    """Return a crop around each vertebra, shape (N, 1, 80, 96), from an image of shape (H, W)."""
    v, u = ((np.arange(size, dtype=np.float32) - (size - 1) / 2) / UNIT for size in CROP_SHAPE)
    axes, centers = frames.axes.astype(np.float32)[..., None, None], frames.centers.astype(np.float32)[..., None, None]
    x, y = (centers[:, row] + axes[:, row, 0] * u + axes[:, row, 1] * v[:, None] for row in (0, 1))
    return sample_bilinear(image, x, y=y)[:, None]


def standardize(crops: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give each crop the mean 0 and about the standard deviation 1."""
    mean = crops.mean(axis=(2, 3), keepdims=True)
    result: NDArray[np.float32] = (crops - mean) / (crops.std(axis=(2, 3), keepdims=True) + 0.02)
    return result


def mirror_corners(corners: Points, width: int) -> Points:
    """Return corners of shape (N, 4, 2) in the mirror image of an image of a width; left stays left."""
    mirrored: Points = (corners * [-1, 1] + [width - 1, 0])[:, MIRRORED]
    return mirrored
