from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from spinealign.config import DENOISE_METHODS, EQUALIZE_METHODS
from spinealign.imaging.filters import DENOISE, EQUALIZE, denoise, equalize


def test_settings_accept_exactly_the_implemented_filters():
    assert ("none", *DENOISE) == DENOISE_METHODS
    assert ("none", *EQUALIZE) == EQUALIZE_METHODS


@pytest.mark.parametrize("function", [denoise, equalize])
def test_unknown_method_raises(function):
    with pytest.raises(ValueError, match="Unknown filter"):
        function(np.zeros((8, 8), np.float32), "magic")


@pytest.mark.parametrize("method", DENOISE_METHODS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (3, 3), (16, 16)])
def test_denoising_keeps_an_image_without_noise(method, shape):
    flat = np.full(shape, 0.4, np.float32)
    np.testing.assert_allclose(denoise(flat, method), flat, atol=1e-5)


@pytest.mark.parametrize("method", EQUALIZE_METHODS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (3, 3), (16, 16)])
def test_equalization_accepts_any_shape(method, shape):
    result = equalize(np.linspace(0, 1, shape[0] * shape[1], dtype=np.float32).reshape(shape), method)
    assert result.shape == shape
    assert ((result >= 0) & (result <= 1)).all()


def test_missing_scikit_image_error_names_the_pip_command():
    script = (
        "import sys; sys.modules['skimage'] = None\n"
        "import numpy; from spinealign.imaging.filters import denoise\n"
        "denoise(numpy.zeros((8, 8), 'float32'), 'median')"
    )
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert 'MissingDependencyError: not installed: skimage. Run: pip install "spinealign[filters]"' in finished.stderr
