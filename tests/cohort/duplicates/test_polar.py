from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageOps

from spinealign.cohort.duplicates.polar import PolarForm

FORM = PolarForm(96, reduction=1, rings=24, angles=128, harmonics=48, band=(1.0, 3.0), min_contrast=1.0)


def textured(seed: int) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (24, 24), np.uint8)
    return Image.fromarray(noise).resize((96, 96), Image.Resampling.BICUBIC)


def correlation(one: Image.Image, other: Image.Image) -> float:
    spectra = FORM.spectra(np.stack([np.asarray(one), np.asarray(other)]))
    return float(FORM.correlations(spectra[:1], spectra[1:])[0])


@pytest.mark.parametrize("angle_deg", [0, 13, 90, 171.5])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_rotated_or_mirrored_copy_correlates(angle_deg, mirrored):
    image = textured(0)
    copy = ImageOps.mirror(image) if mirrored else image
    assert correlation(image, copy.rotate(angle_deg, Image.Resampling.BICUBIC)) > 0.93


def test_brightness_and_contrast_do_not_matter():
    image = textured(1)
    assert correlation(image, image.point(lambda value: 60 + value // 3)) > 0.97


def test_another_image_does_not_correlate():
    assert correlation(textured(2), textured(3)) < 0.5


def test_an_image_without_texture_has_no_correlation():
    flat = Image.new("L", (96, 96), 128)
    assert correlation(flat, textured(4)) == correlation(flat, flat) == 0
