from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spinealign import Slice, read_slice
from spinealign.config import ReadingLimits
from spinealign.errors import ImageError, UnreadableImageError, UnsupportedFormatError
from spinealign.reading.slices import read_shape


def png_bytes(pixels: np.ndarray, color_type: int) -> bytes:
    """Return a PNG of any depth and color type; Pillow cannot write all of them."""
    depth = pixels.dtype.itemsize * 8
    rows = b"".join(b"\0" + row.astype(f">u{depth // 8}").tobytes() for row in pixels)

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], depth, color_type, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*pair) for pair in chunks)


def saved(image: Image.Image, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, **{"format": "PNG", **options})
    return stream.getvalue()


def test_all_kinds_of_sources_give_the_same_pixels(slice_png, gray):
    content = slice_png.read_bytes()
    for source in (slice_png, str(slice_png), content, bytearray(content), io.BytesIO(content), gray):
        np.testing.assert_array_equal(read_slice(source).pixels, gray)
    with Image.open(slice_png) as image:
        np.testing.assert_array_equal(read_slice(image).pixels, gray)
    image = read_slice(gray)
    assert read_slice(image) is image


def test_slice_has_unit_origin_and_read_only_pixels(slice_png):
    image = read_slice(slice_png)
    assert (image.unit, image.spacing_mm, image.modality, image.origin) == ("display", None, None, str(slice_png))
    assert image.pixels.dtype == np.float32
    assert image.shape == (48, 40)
    with pytest.raises(ValueError, match="read-only"):
        image.pixels[0, 0] = 1


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "LA"])
def test_8_bit_modes_give_the_same_gray(gray, mode):
    original = Image.fromarray(np.where(gray > 127, 255, 0).astype(np.uint8))
    converted = original.convert("L").quantize(16) if mode == "P" else original.convert(mode)
    np.testing.assert_allclose(read_slice(saved(converted)).pixels, np.asarray(original), atol=1)


def test_transparent_pixels_turn_black():
    image = Image.new("RGBA", (20, 20), (255, 255, 255, 0))
    assert read_slice(saved(image)).pixels.max() == 0


def test_jpeg_in_gray_and_color_is_close_to_the_original():
    smooth = np.add.outer(np.arange(64), np.arange(64)).astype(np.uint8)
    for mode in ("L", "RGB"):
        content = saved(Image.fromarray(smooth).convert(mode), format="JPEG", quality=95)
        assert np.abs(read_slice(content).pixels - smooth).max() <= 4


def test_exif_rotation_is_applied(gray):
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees clockwise
    upright = read_slice(saved(Image.fromarray(gray), exif=exif)).pixels
    np.testing.assert_array_equal(upright, np.rot90(gray, -1))


@pytest.mark.parametrize("top", [900, 4000, 65000])
def test_16_bit_gray_is_scaled_by_its_depth(top):
    deep = np.linspace(0, top, 48 * 40).reshape(48, 40).astype(np.uint16)
    image = read_slice(saved(Image.fromarray(deep)))
    np.testing.assert_allclose(image.pixels, deep * (255 / 65535), atol=1e-3)
    np.testing.assert_array_equal(read_slice(deep).pixels, image.pixels)
    assert image.assumed_white == 65535


@pytest.mark.parametrize("make", [lambda deep: saved(Image.fromarray(deep)), lambda deep: deep, Image.fromarray])
def test_brightest_pixel_does_not_change_the_others(make):
    plain = np.full((8, 8), 900, np.uint16)
    bright = plain.copy()
    bright[0, 0] = 60_000
    for options in ({}, {"white": 4095}):
        one, other = read_slice(make(plain), **options), read_slice(make(bright), **options)
        np.testing.assert_array_equal(one.pixels[1:], other.pixels[1:])


def test_white_sets_the_scale_of_deep_images_and_arrays():
    deep = np.linspace(0, 5000, 48 * 40).reshape(48, 40).astype(np.uint16)
    expected = np.clip(deep / 4095 * 255, 0, 255)
    for source in (saved(Image.fromarray(deep)), deep, deep.astype(float), deep.astype(np.int64), read_slice(deep)):
        image = read_slice(source, white=4095)
        np.testing.assert_allclose(image.pixels, expected, atol=1e-3)
        assert image.assumed_white is None


def test_white_of_a_known_scale_raises(slice_png):
    with pytest.raises(ValueError, match="more than 8 bits"):
        read_slice(slice_png, white=4095)
    with pytest.raises(ValueError, match="omit it for Hounsfield"):
        read_slice(np.zeros((4, 4)), unit="HU", white=4095)
    with pytest.raises(ValueError, match="positive"):
        read_slice(np.zeros((4, 4)), white=0)


@pytest.mark.parametrize(("channels", "color_type"), [(3, 2), (4, 6), (2, 4)], ids=["RGB", "RGBA", "gray and alpha"])
def test_16_bit_color_is_refused_with_a_remedy(channels, color_type):
    with pytest.raises(UnsupportedFormatError, match="16 bits per color channel; save it as gray"):
        read_slice(png_bytes(np.zeros((6, 4, channels), np.uint16), color_type))


def test_unit_of_an_array_follows_its_type_and_sign():
    assert read_slice(np.full((4, 4), 0.5)).pixels.max() == 127.5
    assert read_slice(np.array([[-1000.0, 400.0]])).unit == "HU"
    assert read_slice(np.array([[0.0, 400.0]]), unit="HU").pixels.max() == 400
    assert read_slice(Image.fromarray(np.array([[-1000.0, 400.0]], np.float32))).unit == "HU"
    assert read_slice(np.array([[0.0, 40.0]]), unit="display").pixels.max() == 40


FORMATS = {"BMP": {}, "TIFF": {"compression": "tiff_lzw"}, "WEBP": {"lossless": True}, "GIF": {}, "JPEG2000": {}}


@pytest.mark.parametrize("form", FORMATS)
def test_other_formats_give_the_same_gray(gray, form):
    image = read_slice(saved(Image.fromarray(gray), format=form, **FORMATS[form]))
    np.testing.assert_array_equal(image.pixels, gray)
    assert (image.unit, image.notes) == ("display", ())


@pytest.mark.parametrize("form", ["TIFF", "JPEG2000"])
def test_deep_gray_of_other_formats_equals_the_png(gray, form):
    deep = Image.fromarray(gray.astype(np.uint16) * 100)
    one, other = read_slice(saved(deep, format=form)), read_slice(saved(deep))
    np.testing.assert_array_equal(one.pixels, other.pixels)
    assert one.assumed_white == other.assumed_white == 65535


def test_inverted_deep_tiff_is_shown_upright(gray):
    deep = gray.astype(np.uint16) * 257
    image = read_slice(saved(Image.fromarray(deep), format="TIFF", tiffinfo={262: 0}))
    np.testing.assert_allclose(image.pixels, 255.0 - gray, atol=1e-3)


def test_numbers_of_tiff_and_npy_are_read_like_an_array():
    hounsfield = np.array([[-1000, 400], [0, 1]])
    stream = io.BytesIO()
    np.save(stream, hounsfield)
    for content in (
        stream.getvalue(),
        saved(Image.fromarray(hounsfield.astype(np.float32)), format="TIFF"),
        saved(Image.fromarray(hounsfield.astype(np.int32)), format="TIFF"),
    ):
        image = read_slice(content)
        assert image.unit == "HU"
        np.testing.assert_array_equal(image.pixels, hounsfield)
    positive = saved(Image.fromarray(np.array([[0, 4095]], np.float32)), format="TIFF")
    with pytest.raises(UnsupportedFormatError, match="unclear"):
        read_slice(positive)
    assert read_slice(positive, unit="HU").pixels.max() == 4095
    assert read_slice(positive, white=4095).pixels.max() == 255


def test_array_of_objects_is_not_unpickled():
    stream = io.BytesIO()
    np.save(stream, np.array([[{}]]), allow_pickle=True)
    with pytest.raises(UnreadableImageError, match="Python objects"):
        read_slice(stream.getvalue())


def test_pages_of_a_tiff_are_read_by_number(gray):
    pages = [Image.fromarray(gray + np.uint8(number)) for number in range(3)]
    content = saved(pages[0], format="TIFF", save_all=True, append_images=pages[1:])
    np.testing.assert_array_equal(read_slice(content, frame=2).pixels, gray + np.uint8(2))
    with pytest.raises(UnsupportedFormatError, match="save one frame, pass frame=0 to 2"):
        read_slice(content)
    with pytest.raises(UnsupportedFormatError, match="frames 0 to 2; there is no frame 3"):
        read_slice(content, frame=3)


def test_first_frame_of_an_animation_is_read_and_noted(gray):
    frames = [Image.fromarray(gray), Image.fromarray(255 - gray)]
    content = saved(frames[0], format="GIF", save_all=True, append_images=frames[1:])
    image = read_slice(content)
    np.testing.assert_array_equal(image.pixels, gray)
    assert image.notes == ("The first of several frames.",)


def test_transparent_value_of_a_deep_png_turns_black():
    deep = np.array([[1000, 65535], [30000, 1000]], np.uint16)
    png = saved(Image.fromarray(deep))
    transparent = b"\0\0\0\2tRNS" + (1000).to_bytes(2, "big")
    chunk = transparent + zlib.crc32(transparent[4:]).to_bytes(4, "big")
    start = png.index(b"IDAT") - 4
    image = read_slice(png[:start] + chunk + png[start:])
    np.testing.assert_allclose(image.pixels, np.where(deep == 1000, 0, deep) * (255 / 65535), atol=1e-3)


def test_arrays_with_a_channel_axis_are_read(gray):
    for array in (gray[:, :, None], gray[None], np.stack([gray] * 3, axis=-1), np.stack([gray / 255] * 3, axis=-1)):
        np.testing.assert_array_equal(read_slice(array).pixels, gray)
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 255
    assert read_slice(red).color == 255
    with pytest.raises(UnsupportedFormatError, match="uint8"):
        read_slice(np.full((4, 4, 3), 1000, np.uint16))


def test_tensors_are_read(gray):
    import torch

    np.testing.assert_array_equal(read_slice(torch.from_numpy(gray)).pixels, gray)
    tensor = torch.full((1, 4, 4), 0.5, dtype=torch.bfloat16, requires_grad=True)
    assert read_slice(tensor).pixels.max() == 127.5
    with pytest.raises(UnsupportedFormatError, match="cannot be converted to NumPy"):
        read_slice(torch.empty(4, 4, device="meta"))


def test_limits_can_be_set(slice_png):
    with pytest.raises(UnreadableImageError, match="more than 100"):
        read_slice(slice_png, limits=ReadingLimits(max_pixels=100))
    with pytest.raises(UnreadableImageError, match="larger than"):
        read_slice(slice_png, limits=ReadingLimits(max_bytes=10))


def test_boolean_mask_is_black_and_white():
    assert read_slice(np.array([[True, False]])).pixels.tolist() == [[255.0, 0.0]]


@pytest.mark.parametrize("kind", [float, np.int16, np.int64, np.uint32])
def test_array_of_unclear_scale_is_refused_with_a_remedy(kind):
    with pytest.raises(UnsupportedFormatError, match=r"from 0 to 4000 is unclear\. Pass unit='HU' .* or white"):
        read_slice(np.array([[0, 4000]], kind))


def test_invalid_unit_raises(slice_png):
    with pytest.raises(ValueError, match="unit must be"):
        read_slice(np.zeros((4, 4)), unit="hu")
    with pytest.raises(ValueError, match="array"):
        read_slice(slice_png, unit="HU")


def test_slice_with_unknown_unit_raises():
    with pytest.raises(ValueError, match="unit must be"):
        Slice(np.zeros((4, 4), np.float32), unit="mm")


def bomb(folder: Path) -> Path:
    content = bytearray(saved(Image.new("1", (1, 1))))
    content[16:24] = (30_000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    return written("bomb.png", bytes(content))(folder)


def written(name: str, content: bytes):
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return write


def truncated_pillow_image(folder: Path) -> Image.Image:
    return Image.open(io.BytesIO(saved(Image.fromarray(PIXELS))[:-900]))


PIXELS = np.random.default_rng(0).integers(0, 256, (64, 64)).astype(np.uint8)
BAD_INPUT = {
    "truncated PNG": (written("cut.png", saved(Image.fromarray(PIXELS))[:-900]), UnreadableImageError, "truncated"),
    "header only": (written("head.png", saved(Image.fromarray(PIXELS))[:20]), UnreadableImageError, "damaged"),
    "truncated JPEG": (
        written("cut.jpg", saved(Image.fromarray(PIXELS), format="JPEG")[:-400]), UnreadableImageError, "truncated",
    ),
    "text named .png": (written("note.png", b"plain text"), UnreadableImageError, "text file"),
    "empty file": (written("empty.png", b""), UnreadableImageError, "empty"),
    "directory": (lambda folder: folder, UnreadableImageError, "folder"),
    "missing path": (lambda folder: folder / "nothing.png", UnreadableImageError, "no file"),
    "30,000 x 30,000 PNG": (bomb, UnreadableImageError, "pixels"),
    "name beyond the limit": (lambda folder: "a" * 300 + ".png", UnreadableImageError, "cannot be opened"),
    "device": (lambda folder: "/dev/zero", UnreadableImageError, "device"),
    "truncated Pillow image": (truncated_pillow_image, UnreadableImageError, "truncated"),
    "name with a null": (lambda folder: "a\0b.png", UnreadableImageError, "cannot be opened"),
    "array of rank 3": (lambda folder: np.zeros((3, 8, 8)), UnsupportedFormatError, "shape"),
    "array of rank 1": (lambda folder: np.zeros(8), UnsupportedFormatError, "shape"),
    "array without pixels": (lambda folder: np.zeros((0, 8)), UnsupportedFormatError, "shape"),
    "NaN pixels": (lambda folder: np.full((8, 8), np.nan), UnreadableImageError, "NaN"),
    "infinite pixels": (lambda folder: np.full((8, 8), np.inf), UnreadableImageError, "infinite"),
    "complex pixels": (lambda folder: np.zeros((8, 8), complex), UnsupportedFormatError, "real numbers"),
    "text pixels": (lambda folder: np.array([["a"]]), UnsupportedFormatError, "real numbers"),
    "PDF": (written("a.png", b"%PDF-1.7"), UnsupportedFormatError, "PDF"),
    "truncated DICOM": (written("a.dcm", b"\0" * 128 + b"DICM" + b"\2\0"), ImageError, "DICOM"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "error", "words"), BAD_INPUT.values(), ids=BAD_INPUT)
def test_bad_input_raises_a_typed_error(tmp_path, make, error, words):
    with pytest.raises(error, match=words):
        read_slice(make(tmp_path))


def test_damaged_exif_data_are_ignored():
    exif = Image.Exif()
    exif[0x0112] = 6
    content = saved(Image.fromarray(PIXELS), format="JPEG", quality=95, exif=exif)
    start = content.index(b"Exif") + 14
    damaged = content[:start] + b"\xff\xff" + content[start + 2 :]
    assert read_slice(damaged).shape == PIXELS.shape


def test_file_above_the_size_limit_is_not_read(tmp_path):
    path = tmp_path / "huge.png"
    with path.open("wb") as stream:
        stream.truncate(ReadingLimits().max_bytes + 1)
    with pytest.raises(UnreadableImageError, match="larger than"):
        read_slice(path)


def test_other_objects_raise_type_error():
    with pytest.raises(TypeError, match="int"):
        read_slice(7)
    with pytest.raises(TypeError, match="binary file"):
        read_slice(io.StringIO("text"))


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_the_shape_is_known_without_decoding(orientation, gray):
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = saved(Image.fromarray(gray), format="JPEG", exif=exif)

    assert read_shape(content) == read_slice(content).shape
    assert read_shape(content[:400]) == read_shape(content)
