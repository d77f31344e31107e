"""Volumes of the lumbar spine with masks of vertebral bodies, in the layout of fastcleverseg.

That collection has 40 volumes of Burian et al. (BMC Musculoskelet. Disord. 20, 2019, 152; `vb3`) and 15 that appear to
be those of Chu et al. (PLoS ONE 10, 2015, e0143327; `vb2`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from spinealign.cohort.masks.drawn import BODIES, CODES, Codes, DrawnSlice, encode
from spinealign.cohort.masks.volumes import sagittal_pairs
from spinealign.errors import ImageError
from spinealign.reading.tally import Tally

IMAGE, MASK = "_image.nii.gz", "_vertebrae.nii.gz"
_FIRST, _STEP = 3, 2  # slices; the outermost ones show little of the bodies, and neighbors are nearly the same
_LEVELS: Codes = {number: CODES[name] for number, name in enumerate(BODIES, start=1)}


def is_lumbar_mri(folder: Path) -> bool:
    """Return whether a folder has pairs of volumes `*_image.nii.gz` and `*_vertebrae.nii.gz`."""
    return any(folder.glob(f"*{MASK}"))


def read_lumbar_mri(folder: Path, passed: Tally) -> Iterator[DrawnSlice]:
    """Read every second sagittal slice of pairs `*_image.nii.gz` and `*_vertebrae.nii.gz`, one pair per patient.

    In the masks 1 is L5, 2 is L4, and so on.
    """
    for path in sorted(folder.glob(f"*{MASK}")):
        patient = path.name.removesuffix(MASK)
        try:
            pairs = sagittal_pairs(folder / f"{patient}{IMAGE}", path)
        except ImageError as error:
            passed.add("volume that cannot be read", f"{path.name}: {error}")
            continue
        for number in range(_FIRST, len(pairs) - _FIRST, _STEP):
            image, mask = pairs[number]
            yield DrawnSlice(
                f"{patient}_{number:02d}",
                f"lumbar_mri/{patient}",
                "lumbar_mri",
                image,
                encode(mask, _LEVELS),
                frozenset(BODIES),
            )
