"""Readers on damaged files; benchmarks/fuzz_readers.py reads more."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from reading.test_dicom import STORED, ct_slice, enhanced


def test_damaged_files_end_in_an_image_or_a_typed_error(root, monkeypatch):
    monkeypatch.syspath_prepend(root / "benchmarks")
    from fuzz_readers import originals, problems

    dicom = [ct_slice(STORED, WindowCenter=40, WindowWidth=400), enhanced(np.stack([STORED, STORED]))]
    assert list(problems([*originals(), *dicom * 10], range(200))) == []


@pytest.mark.slow
@pytest.mark.data
def test_damaged_real_files_end_in_an_image_or_a_typed_error(root, data):
    script = [sys.executable, root / "benchmarks" / "fuzz_readers.py", data / "dicom_conformance", "--files", "5000"]
    done = subprocess.run(script, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
