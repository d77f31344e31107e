from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from spinealign.config import DENOISE_METHODS, EQUALIZE_METHODS
from spinealign.imaging.filters import apply_filter


def test_unknown_method_raises():
    with pytest.raises(ValueError, match="Unknown filter"):
        apply_filter(np.zeros((8, 8), np.float32), "magic")


@pytest.mark.parametrize("method", DENOISE_METHODS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (3, 3), (16, 16)])
def test_denoising_keeps_an_image_without_noise(method, shape):
    flat = np.full(shape, 0.4, np.float32)
    np.testing.assert_allclose(apply_filter(flat, method), flat, atol=1e-5)


@pytest.mark.parametrize("method", EQUALIZE_METHODS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (3, 3), (16, 16)])
def test_equalization_accepts_any_shape(method, shape):
    result = apply_filter(np.linspace(0, 1, shape[0] * shape[1], dtype=np.float32).reshape(shape), method)
    assert result.shape == shape
    assert ((result >= 0) & (result <= 1)).all()


def test_missing_scikit_image_error_names_the_pip_command():
    script = (
        "import sys; sys.modules['skimage'] = None\n"
        "import numpy; from spinealign.imaging.filters import apply_filter\n"
        "apply_filter(numpy.zeros((8, 8), 'float32'), 'median')"
    )
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert 'MissingDependencyError: not installed: skimage. Run: pip install "spinealign[filters]"' in finished.stderr
