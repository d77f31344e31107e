from __future__ import annotations

import subprocess
import sys
import zipfile

import pytest


@pytest.fixture(scope="module")
def wheel(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(root)]
    subprocess.run(command, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_the_wheel_is_small_and_has_the_embedded_model(wheel):
    assert wheel.stat().st_size <= 20_000_000
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in (
        "py.typed",
        "assets/default/model.onnx",
        "assets/default/model.safetensors",
        "assets/default/README.md",
        "reporting/model_card.md.jinja",
    ):
        assert f"spinealign/{name}" in names
    assert not [name for name in names if name.startswith(("tests/", "build/", "benchmarks/"))]
