"""Collections of drawn sagittal slices of the lumbar spine, in the format of `cohort.masks.tables`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from spinealign.alignment.sagittal.values import sagittal_values
from spinealign.phantoms.phantom_set import Row, new_set, write_table
from spinealign.phantoms.sagittal_spine import BODIES, NAMES, DrawnSagittal, Sequence, draw_sagittal_spine

LABELS = {str(value): name for value, name in enumerate((*reversed(NAMES), "S1", "disc", "canal"), start=1)}
S1, DISC, CANAL = BODIES + 1, BODIES + 2, BODIES + 3


def write_sagittal_spines(folder: str | Path, counts: Mapping[str, int], *, seed: int = 0) -> Path:
    """Write sagittal slices with masks as PNG, a table and the names of the labels.

    The table `masks.csv` has the known measures of each slice too, by the names of `sagittal_values`.

    Args:
        folder: Destination; must not exist, or be empty.
        counts: Number of slices in each split.
        seed: Seed of the first slice; each following one uses the next seed.

    Raises:
        FileExistsError: If the folder is not empty.
        ValueError: If a count is negative, all are 0, or a name of a split is not a plain folder name.
    """
    with new_set(folder, counts, write=_write, seed=seed) as (staging, rows):
        written = [row for split in counts for row in rows[split]]
        write_table(staging / "masks.csv", list(written[0]), rows=written)
        (staging / "labels.json").write_text(json.dumps(LABELS, indent=2) + "\n", encoding="utf-8")
    return Path(folder).resolve()


def label_image(drawn: DrawnSagittal) -> np.ndarray:
    """Return the mask of a slice by the values of `LABELS`, uint8 of shape (H, W)."""
    labels = np.where(drawn.canal, CANAL, np.where(drawn.disc, DISC, 0)).astype(np.uint8)
    for value, mask in zip((*range(BODIES, 0, -1), S1), drawn.masks):
        labels[mask > 0.5] = value
    return labels


def _write(folder: Path, split: str, index: int, seed: int) -> Row:
    rng = np.random.default_rng([seed, 1])
    sequence: Sequence = "T1" if rng.random() < 0.5 else "T2"
    spacing = round(float(rng.uniform(0.5, 1.1)), 3)
    drawn = draw_sagittal_spine(
        sequence=sequence,
        rotation_deg=float(rng.normal(0, 8)),
        spacing_mm=spacing,
        extent_mm=rng.uniform(260, 320),
        seed=seed,
    )
    pixels, name = drawn.slice.pixels, f"{split}/spine-{seed:07d}"
    gray = np.clip(pixels * (255 / np.percentile(pixels, 99.5)), 0, 255)
    for suffix, content in (("", np.rint(gray).astype(np.uint8)), ("-mask", label_image(drawn))):
        Image.fromarray(content).save(folder / f"{name}{suffix}.png")
    values = sagittal_values(drawn.corners * spacing, NAMES, sacrum_endplate=drawn.sacrum_endplate * spacing)
    known = {measure: f"{value:.3f}" for measure, value in values.items()}
    files = {"image": f"{name}.png", "mask": f"{name}-mask.png", "patient": f"phantom-{seed}"}
    return {**files, "sequence": sequence, "split": split, "spacing_mm": spacing, **known}
