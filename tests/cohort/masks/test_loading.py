"""Reading of collections of sagittal slices with masks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from spinealign.cohort.masks.labeled import BODY, DISC, L5, S1
from spinealign.cohort.masks.loading import load_slices


def _spine() -> tuple[np.ndarray, np.ndarray]:
    """Return a picture and a mask of six square bodies, the lowest one is S1, without a mask."""
    labels = np.zeros((256, 160), np.uint8)
    for number, top in enumerate(range(200, 0, -40)):
        labels[top : top + 30, 60:96] = number
    gray = np.full(labels.shape, 120, np.uint8)
    gray[200:230, 60:96] = 200
    gray[labels > 0] = 200
    return gray, labels


def test_a_table_of_images_and_masks_is_read(tmp_path: Path) -> None:
    gray, labels = _spine()
    Image.fromarray(gray).save(tmp_path / "a.png")
    Image.fromarray(labels).save(tmp_path / "a_mask.png")
    (tmp_path / "masks.csv").write_text("image,mask,patient,spacing_mm\na.png,a_mask.png,7,1\n")
    (tmp_path / "labels.json").write_text(json.dumps({"1": "L5", "2": "L4", "3": "L3", "4": "L2"}))

    (item,) = load_slices(tmp_path).slices

    assert np.array_equal(item.bodies, labels)
    assert np.array_equal(item.mask(L5), labels == 1)
    assert item.in_mm
    assert item.patient == f"{tmp_path.name}/7"
    assert (item.ignored & DISC).all()
    assert (item.ignored[:20] & BODY).all()
    assert not (item.ignored[45:] & BODY).any()
    assert item.mask(S1)[206:222, 68:88].mean() > 0.9
