"""Masks of structures in the geometry of their source."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinealign.alignment.levels import LEVELS
from spinealign.writing import new_file

# Codes of VerSe (Sekuboyina et al., Med. Image Anal. 73, 2021, 102166), and of SPINEPS for discs and canal.
CODES = {name: number for number, name in enumerate(LEVELS, start=1)}  # C1 is 1, L5 is 24
CODES |= {"S1": 26, "canal": 61, **{f"V{number}": 200 + number for number in range(1, 30)}}
DISC = 100  # added to the code of the vertebra above
_RAS_FROM_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True, eq=False)
class StructureMasks:
    """Masks of vertebral bodies, S1, discs and the spinal canal.

    Attributes:
        labels: uint16 of shape (S, H, W), slices, rows and columns as in the source: 0, or the code of a structure.
        affine: Matrix of shape (4, 4) from the indices (slice, row, column, 1) to patient coordinates in mm (LPS).
        names: Names of the structures by their codes, such as `L4` or, for a disc, `L4-L5`.
    """

    labels: NDArray[np.uint16]
    affine: NDArray[np.float64]
    names: dict[int, str]

    def save(self, path: Path) -> Path:
        """Write a NIfTI file, and the names of its labels as JSON beside it; return the path of the JSON file.

        Raises:
            OSError: If a file cannot be written.
            ValueError: If the name of the file does not end in .nii or .nii.gz.
        """
        import nibabel

        if not path.name.endswith((".nii", ".nii.gz")):
            raise ValueError(f"{path} is not the name of a NIfTI file; use one that ends in .nii.gz.")
        affine = (_RAS_FROM_LPS @ self.affine)[:, [2, 1, 0, 3]]
        image = nibabel.Nifti1Image(self.labels.transpose(2, 1, 0), affine)
        image.header.set_xyzt_units("mm")
        image.set_qform(affine, code=1)
        with new_file(path) as staging:
            content = image.to_bytes()
            staging.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
        table = path.with_name(path.name.removesuffix(".gz").removesuffix(".nii") + ".json")
        with new_file(table) as staging:
            names = json.dumps(dict(sorted(self.names.items())), indent=2)
            staging.write_text(f"{names}\n", encoding="utf-8")
        return table


def code_of(name: str) -> int:
    """Return the code of a vertebra, of S1 or the canal, or of a disc such as `L4-L5`.

    Example:
        >>> code_of("L5"), code_of("L4-L5")
        (24, 123)
    """
    upper, _, lower = name.partition("-")
    return CODES[upper] + (DISC if lower else 0)
