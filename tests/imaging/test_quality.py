from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFilter

from spinealign.config import EnhancementConfig, InputConfig, QualityConfig
from spinealign.imaging.preprocessing import render
from spinealign.imaging.quality import input_reasons, quality_reasons, relative_sharpness
from spinealign.imaging.slice import Slice
from spinealign.phantoms.axial_neck import draw_phantom
from spinealign.reading.slices import read_slice


@pytest.fixture(scope="module")
def phantom():
    return render(draw_phantom(6_000_000, size=256).slice)


def reasons(gray, **limits):
    return quality_reasons(render(read_slice(gray)), QualityConfig(**limits), color=read_slice(gray).color)


def blurred(gray, radius):
    return np.asarray(Image.fromarray(gray).filter(ImageFilter.GaussianBlur(radius)))


def colored(gray):
    return Image.merge("RGB", [Image.fromarray(channel) for channel in (gray, gray // 2, gray // 4)])


def test_phantom_passes_all_checks(phantom):
    assert reasons(phantom) == ()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda gray: gray[::3, ::3], "too small: shorter side 86 pixels (limit 128)"),
        (lambda gray: np.tile(gray, (1, 2)), "odd aspect ratio: 2.00 to 1 (limit 1.5)"),
        (lambda gray: gray // 20, "too dark: mean gray level"),
        (lambda gray: 255 - gray // 8, "too bright: mean gray level"),
        (lambda gray: np.where(gray > 60, 90, 80).astype(np.uint8), "low information:"),
        (lambda gray: blurred(gray, 4), "blurry: sharpness"),
        (colored, "colored: channels differ by"),
    ],
)
def test_each_reason_has_value_and_limit(phantom, change, expected):
    found = reasons(change(phantom))
    assert any(reason.startswith(expected) and "(limit" in reason for reason in found), found


def test_unscaled_12_bit_image_is_refused_with_a_remedy(phantom):
    image = read_slice(phantom.astype(np.uint16) * 16)
    found = quality_reasons(render(image), QualityConfig(), assumed_white=image.assumed_white)
    assert (
        found[-1] == "unclear scale (use all bits, or set white=4095 for 12 bits): brightest gray level 16 (limit 64)"
    )
    scaled = read_slice(phantom.astype(np.uint16) * 16, white=4080)
    np.testing.assert_array_equal(render(scaled), phantom)
    np.testing.assert_array_equal(render(image, EnhancementConfig(white=4080)), phantom)


def test_limits_can_be_changed(phantom):
    assert any(reason.startswith("too small") for reason in reasons(phantom, min_side=300))


def test_hounsfield_units_are_checked_in_the_window(phantom):
    air = Slice(np.full((256, 256), -1000.0), unit="HU")
    found = quality_reasons(render(air), QualityConfig())
    assert any(reason.startswith("too dark") for reason in found)
    assert any(reason.startswith("low information: 0.00 bits") for reason in found)


def test_sharpness_decreases_with_blur_and_is_0_when_empty(phantom):
    values = [relative_sharpness(phantom), *(relative_sharpness(blurred(phantom, radius)) for radius in (1, 2, 4))]
    assert values == sorted(values, reverse=True)
    assert relative_sharpness(np.zeros((32, 32), np.uint8)) == 0


@pytest.mark.data
def test_real_images_pass_all_checks(data):
    files = sorted((data / "cervical fracture" / "val").rglob("*.png"))[::8]
    failed = {path.name: reasons(path) for path in files}
    assert len(files) == 50
    assert not {name: found for name, found in failed.items() if found}


SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)


@pytest.mark.parametrize(
    ("known", "takes", "reasons"),
    [
        ({"modality": "MR"}, {"modality": "CT"}, ("wrong modality: MR (expects CT)",)),
        ({"modality": "CT"}, {"modality": "CT"}, ()),
        ({"modality": None}, {"modality": "CT"}, ()),
        ({"modality": "OT"}, {"modality": "CT"}, ()),
        ({"modality": "CR"}, {"modality": "DX"}, ()),
        ({"modality": "MR"}, {}, ()),
        ({"orientation": SAGITTAL}, {"plane": "axial"}, ("wrong plane: sagittal (expects axial)",)),
        ({"orientation": SAGITTAL}, {"plane": "sagittal"}, ()),
        ({}, {"plane": "axial"}, ()),
        (
            {"spacing_mm": (0.5, 1.25)},
            {"min_spacing_mm": 0.2, "max_spacing_mm": 1.0},
            ("wrong pixel spacing: 0.5 x 1.25 mm (expects 0.2 to 1 mm)",),
        ),
        ({"spacing_mm": (0.5, 0.5)}, {"max_spacing_mm": 1.0}, ()),
    ],
)
def test_images_of_another_kind_have_a_reason(known, takes, reasons):
    assert input_reasons(Slice(np.zeros((4, 4)), **known), InputConfig(**takes)) == reasons


@pytest.mark.parametrize("wrong", [{"plane": "oblique"}, {"min_spacing_mm": 2, "max_spacing_mm": 1}])
def test_impossible_kinds_are_refused(wrong):
    with pytest.raises(ValueError, match=r"plane|spacing"):
        InputConfig(**wrong)
