from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from spinealign.cli import main


@pytest.mark.slow
def test_the_demo_predicts_three_images_and_draws_heat_maps(tmp_path, capsys):
    picture = tmp_path / "new" / "demo.png"
    assert main(["demo", "--output", str(picture)]) == 0
    out = capsys.readouterr().out
    rows = [line for line in out.splitlines() if line.startswith(("phantom", "drawing"))]
    assert [row.split("  ")[0] for row in rows] == ["phantom, intact", "phantom, fractured", "drawing, not CT"]
    assert " normal " in rows[0]
    assert " fracture " in rows[1]
    assert "not a medical device" in out
    pixels = np.asarray(Image.open(picture).convert("RGB")).astype(int)
    assert min(pixels.shape[:2]) > 500
    assert np.ptp(pixels, axis=-1).max() > 100, "heat is colored"
    assert list(picture.parent.iterdir()) == [picture]
