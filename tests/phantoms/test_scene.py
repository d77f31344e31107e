from __future__ import annotations

import numpy as np

from spinealign.phantoms.scene import draw_scene


def test_the_drawing_is_no_ct():
    scene = draw_scene(64)
    assert scene.shape == (64, 64)
    assert len(np.unique(scene)) > 10
