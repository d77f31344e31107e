"""Rotation-invariant comparison of images: a rotation shifts the polar form along its angle."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

_DISC = 0.97  # radius of the used disc, as a share of half the side; a rotation fills the corners with new pixels
_RADII = (0.07, 0.9)  # rings further in have too few pixels; those further out are affected by the disc's edge
_CHUNK = 128


@dataclass(frozen=True)
class PolarForm:
    """Transform of images to polar spectra.

    The image is band-passed by a difference of Gaussians and divided by its local contrast, so that the result depends
    little on brightness, contrast, sharpening and compression. It is sampled on rings and Fourier transformed along
    the angle: a rotation changes only the phases, and a mirror image has the conjugate spectrum.

    Attributes:
        side: Height and width of the square images in pixels.
        reduction: Integer factor of the downsampling before the transform.
        rings: Number of radii.
        angles: Number of angles.
        harmonics: Number of angular frequencies that are kept, less than `angles` / 2.
        band: Standard deviations of the narrow and the wide Gaussian, in pixels of the downsampled image.
        min_contrast: Local contrast in gray levels below which texture is not amplified.
    """

    side: int
    reduction: int
    rings: int
    angles: int
    harmonics: int
    band: tuple[float, float]
    min_contrast: float

    def spectra(self, gray: NDArray[np.uint8]) -> NDArray[np.complex64]:
        """Return spectra of unit energy, shape (N, rings, harmonics), of images of shape (N, side, side).

        The first harmonic has one period per turn. An image without texture gives zeros.
        """
        from scipy.fft import rfft

        spectra = np.empty((len(gray), self.rings, self.harmonics), np.complex64)
        for start in range(0, len(gray), _CHUNK):
            chunk = slice(start, start + _CHUNK)
            rings = self._sample(self._texture(gray[chunk]))
            spectra[chunk] = rfft(rings, axis=2, workers=-1)[:, :, 1 : self.harmonics + 1]
        energy = np.linalg.norm(spectra.reshape(len(gray), -1), axis=1)
        return spectra / np.maximum(energy, np.float32(1e-6))[:, None, None]

    def correlations(self, first: NDArray[np.complex64], second: NDArray[np.complex64]) -> NDArray[np.float32]:
        """Return the highest correlation of each pair over all rotations, with and without mirroring.

        From two sets of spectra of shape (N, rings, harmonics), the N correlations in [-1, 1] are returned.
        """
        from scipy.fft import irfft

        best = np.full(len(first), -1, np.float32)
        for one in (first.conj(), first):
            products = np.zeros((len(first), self.angles // 2 + 1), np.complex64)
            products[:, 1 : self.harmonics + 1] = np.einsum("nrh,nrh->nh", one, second)
            over_angles = irfft(products, n=self.angles, axis=1, workers=-1) * np.float32(self.angles / 2)
            best = np.maximum(best, over_angles.max(axis=1))
        return best

    def _texture(self, gray: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return local contrast in [-2, 2], shape (N, side / reduction, side / reduction)."""
        size, factor = self.side // self.reduction, self.reduction
        small = gray.reshape(-1, size, factor, size, factor).mean(axis=(2, 4), dtype=np.float32)
        inside = small[:, self._disc]
        small[:, ~self._disc] = inside.mean(axis=1, keepdims=True)
        narrow, wide = (self._gaussian(sigma) for sigma in self.band)
        band = self._filter(small, narrow - wide) * self._disc
        contrast = np.sqrt(np.maximum(self._filter(band**2, self._gaussian(2 * self.band[1])), 0))
        return np.clip(band / (contrast + np.float32(self.min_contrast)), -2, 2)

    def _gaussian(self, sigma: float) -> NDArray[np.float32]:
        """Return the frequency response of a Gaussian of `sigma` pixels."""
        size = self.side // self.reduction
        squares = np.fft.fftfreq(size)[:, None] ** 2 + np.fft.rfftfreq(size) ** 2
        return np.exp(-2 * (np.pi * sigma) ** 2 * squares).astype(np.float32)

    def _filter(self, images: NDArray[np.float32], response: NDArray[np.float32]) -> NDArray[np.float32]:
        from scipy.fft import irfft2, rfft2

        filtered: NDArray[np.float32] = irfft2(rfft2(images, workers=-1) * response, s=images.shape[1:], workers=-1)
        return filtered

    def _sample(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Sample bilinearly on rings, each weighted by its area."""
        corners, shares = self._grid
        flat = images.reshape(len(images), -1)
        sampled = sum(np.take(flat, corner, axis=1) * share for corner, share in zip(corners, shares))
        return np.asarray(sampled, np.float32)

    @cached_property
    def _disc(self) -> NDArray[np.bool_]:
        size = self.side // self.reduction
        y, x = np.mgrid[:size, :size] - (size - 1) / 2
        return np.hypot(y, x) < _DISC * size / 2

    @cached_property
    def _grid(self) -> tuple[list[NDArray[np.intp]], list[NDArray[np.float32]]]:
        """Return the four pixels around each point of the rings, and their bilinear weights."""
        size = self.side // self.reduction
        radius = np.linspace(*_RADII, self.rings)[:, None] * size / 2
        angle = np.arange(self.angles) * 2 * np.pi / self.angles
        y, x = (size - 1) / 2 + radius * np.sin(angle), (size - 1) / 2 + radius * np.cos(angle)
        row, column = np.floor(y).astype(np.intp), np.floor(x).astype(np.intp)
        down, right, weight = y - row, x - column, np.sqrt(radius / size)
        corners = [(row + below) * size + column + beside for below in (0, 1) for beside in (0, 1)]
        shares = [vertical * horizontal * weight for vertical in (1 - down, down) for horizontal in (1 - right, right)]
        return corners, [share.astype(np.float32) for share in shares]
