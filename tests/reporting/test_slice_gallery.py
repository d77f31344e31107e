from __future__ import annotations

from drawn_slices import measured_slice
from PIL import Image

from spinealign.reporting.slice_gallery import GalleryItem, draw_gallery


def test_the_gallery_shows_reference_and_found_bodies(tmp_path):
    right, wrong = (
        GalleryItem("off", item.names, item.reference, item.corners)
        for item in (measured_slice(1, 5), measured_slice(2, 5, error=20.0))
    )
    pictures = []
    for name, items in (("right", [right]), ("wrong", [wrong]), ("both", [right, wrong])):
        draw_gallery(items, tmp_path / f"{name}.png")
        pictures.append(Image.open(tmp_path / f"{name}.png").convert("RGB"))
    sizes = {picture.size for picture in pictures}
    colors = [{color for _, color in picture.getcolors(1 << 20)} for picture in pictures]
    assert len(sizes) == 1
    assert (204, 204, 204) in colors[0]  # the reference
    assert (31, 119, 180) in colors[0]  # what was found
    assert pictures[0].tobytes() != pictures[1].tobytes() != pictures[2].tobytes()
