"""Norms of the shape of vertebral bodies, of slips and of lordosis, for `spinealign/alignment/sagittal/findings.py`.

    python benchmarks/sagittal_norms.py ../shared/data/lumbar_mri

The reference outlines of the middle slice of each volume are measured by the definitions of the library.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np

from spinealign.alignment.sagittal.corners import endplate_middles, mask_corners, outline
from spinealign.alignment.sagittal.findings import NORMS
from spinealign.alignment.sagittal.measuring import kind_of
from spinealign.alignment.sagittal.values import sagittal_values
from spinealign.cohort.masks.drawn import BODIES
from spinealign.cohort.masks.lumbar_mri import IMAGE, MASK
from spinealign.cohort.masks.volumes import sagittal_pairs

SMALLEST_BODY = 150  # pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with pairs of volumes *_image.nii.gz and *_vertebrae.nii.gz")
    folder = parser.parse_args().data
    collected: dict[str, list[float]] = defaultdict(list)
    for path in sorted(folder.glob(f"*{MASK}")):
        for name, value in measured(path).items():
            collected[name].append(value)
    for name in sorted(collected, key=lambda each: (kind_of(each), each)):
        values = np.array(collected[name])
        low, middle, high = np.percentile(values, [5, 50, 95])
        print(
            f"{name:30s} {len(values):3d} patients, mean {values.mean():7.3f}, SD {values.std(ddof=1):6.3f}, "
            f"percentiles 5, 50, 95: {low:.2f}, {middle:.2f}, {high:.2f}"
        )


def measured(path: Path) -> dict[str, float]:
    """Return the values of the middle slice, and the posterior heights by the norms and by the other bodies."""
    pairs = sagittal_pairs(path.with_name(path.name.replace(MASK, IMAGE)), path)
    labels = pairs[len(pairs) // 2][1]
    numbers = [number for number in range(len(BODIES), 0, -1) if (labels == number).sum() > SMALLEST_BODY]
    names = [BODIES[number - 1] for number in numbers]
    masks = [labels == number for number in numbers]
    corners = mask_corners(masks)
    values = sagittal_values(corners, names, middles=endplate_middles([outline(mask) for mask in masks], corners))
    pattern, norms = NORMS["crush"]
    heights = {name: values[pattern.format(name.lower())] / norms[name][0] for name in names if name in norms}
    for name, height in heights.items():
        others = [other for key, other in heights.items() if key != name]
        values[f"crush_{name.lower()}"] = height / float(np.median(others))
    return values


if __name__ == "__main__":
    main()
