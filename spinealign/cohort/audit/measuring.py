"""Read the images of a cohort once, with what can be measured of each file."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, replace
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spinealign.cohort.cohort import Cohort
from spinealign.cohort.loading import LoadedCohort, identified, read_each
from spinealign.config import ConditioningConfig
from spinealign.errors import CohortError
from spinealign.imaging.preprocessing import render, resize
from spinealign.privacy.pseudonyms import Identity, read_identity
from spinealign.reading.kinds import is_dicom
from spinealign.reading.slices import read_slice

PROPERTIES = {
    "height": "pixels",
    "width": "pixels",
    "channels": "",
    "file size": "KiB",
    "brightness": "gray levels",
    "border brightness": "gray levels",
    "black": "share",
    "sharpness": "variance of the Laplacian",
}
_BLACK = 4  # gray levels; compression leaves black at a little more than 0


@dataclass(frozen=True)
class Measured:
    """What is known of the images of a cohort, in the order of its samples.

    Attributes:
        loaded: The images that could be read.
        values: For each name of `PROPERTIES` its values, shape (N,).
        pixel_hashes: Digest of the decoded gray pixels of each image.
        unreadable: The files that could not be read, each with the reason.
    """

    loaded: LoadedCohort
    values: dict[str, NDArray[np.float64]]
    pixel_hashes: tuple[str, ...]
    unreadable: tuple[str, ...]


@dataclass(frozen=True)
class _File:
    gray: NDArray[np.uint8]
    values: tuple[float, ...]
    pixel_hash: str
    identity: Identity


def measure_cohort(cohort: Cohort, *, progress: bool = True) -> Measured:
    """Read and measure every image.

    Args:
        cohort: The samples.
        progress: Show a progress bar.

    Returns:
        The images and what was measured; series and patients that only DICOM headers tell are numbered in the samples.

    Raises:
        CohortError: If no image can be read.
    """
    salt, config = secrets.token_bytes(32), ConditioningConfig()

    read, unreadable = read_each(cohort, lambda content: _measure(content, config, salt), progress=progress)
    if not read:
        raise CohortError(f"{cohort.name}: none of {len(cohort)} images can be read; the first: {unreadable[0]}")
    found = [file for _, file in read]
    samples = identified([sample for sample, _ in read], [file.identity for file in found])
    return Measured(
        LoadedCohort(replace(cohort, samples=samples), np.stack([file.gray for file in found]), config),
        dict(zip(PROPERTIES, np.array([file.values for file in found], float).T)),
        tuple(file.pixel_hash for file in found),
        tuple(unreadable),
    )


def _measure(content: bytes, config: ConditioningConfig, salt: bytes) -> _File:
    gray = render(read_slice(content), config)
    channels = 1 if is_dicom(content) else len(Image.open(BytesIO(content)).getbands())
    height, width = gray.shape
    frame = max(1, min(height, width) // 16)
    inner = gray[frame:-frame, frame:-frame] if min(height, width) > 2 * frame else gray[:0]
    border = (gray.sum(dtype=float) - inner.sum(dtype=float)) / (gray.size - inner.size)
    shape = np.array(gray.shape).tobytes()
    return _File(
        resize(gray, config),
        (height, width, channels, len(content) / 1024, gray.mean(), border, (gray <= _BLACK).mean(), _sharpness(gray)),
        hashlib.blake2b(shape + gray.tobytes(), digest_size=16).hexdigest(),
        read_identity(content, salt),
    )


def _sharpness(gray: NDArray[np.uint8]) -> float:
    if min(gray.shape) < 3:
        return 0.0
    image = gray.astype(np.float32)
    laplacian = image[:-2, 1:-1] + image[2:, 1:-1] + image[1:-1, :-2] + image[1:-1, 2:] - 4 * image[1:-1, 1:-1]
    return float(laplacian.var())
