from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from spinealign.imaging.filters import denoise, equalize


@pytest.mark.parametrize("function", [denoise, equalize])
def test_an_unknown_method_is_refused(function):
    with pytest.raises(ValueError, match="unknown"):
        function(np.zeros((8, 8), np.float32), "magic")


def test_without_scikit_image_the_error_is_the_pip_command():
    script = (
        "import sys; sys.modules['skimage'] = None\n"
        "import numpy; from spinealign.imaging.filters import denoise\n"
        "denoise(numpy.zeros((8, 8), 'float32'), 'median')"
    )
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert 'MissingDependencyError: not installed: skimage. Run: pip install "spinealign[filters]"' in finished.stderr
