from __future__ import annotations

import numpy as np

from spinealign.phantoms.scene import draw_scene


def test_scene_has_many_gray_levels():
    scene = draw_scene(64)
    assert scene.shape == (64, 64)
    assert len(np.unique(scene)) > 10
