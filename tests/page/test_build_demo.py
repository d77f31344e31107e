"""`build_demo` without `spinealign.page.launch`, with a model without weights."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request

import numpy as np
import pytest
from conftest import ROOT

from spinealign.checkpoint.settings import ModelSettings
from spinealign.labels import binary_target

LAUNCH = """
import sys
from pathlib import Path
import numpy as np
from spinealign import Predictor
from spinealign.checkpoint.checkpoint import Checkpoint
from spinealign.checkpoint.engines import Output
from spinealign.page import build_demo

class Coin:
    name = "onnx"

    def __call__(self, pixel_values):
        return Output(np.tile(np.float32([0, 2]), (len(pixel_values), 1)), None)

demo = build_demo(Predictor(Checkpoint(Path(sys.argv[1]), "coin"), Coin()))
_, url, _ = demo.launch(prevent_thread_lock=True, quiet=True)
print(url, flush=True)
demo.block_thread()
"""


@pytest.fixture(scope="module")
def launched(tmp_path_factory):
    """Address of a page that Gradio launches itself; its model predicts fracture for every image."""
    folder = tmp_path_factory.mktemp("coin")
    (folder / "config.json").write_text(json.dumps({"id2label": {"0": "normal", "1": "fracture"}}))
    (folder / "spinealign.json").write_text(ModelSettings(target=binary_target("normal", "fracture")).to_json())
    own = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)}
    process = subprocess.Popen([sys.executable, "-c", LAUNCH, str(folder)], env=own, stdout=subprocess.PIPE, text=True)
    with process:
        yield process.stdout.readline().strip()
        process.terminate()


def test_a_page_with_a_custom_engine_launches_and_answers(launched, slices):
    from gradio_client import Client, handle_file

    answer = Client(launched, verbose=False).predict(handle_file(str(slices["eight"])), api_name="/predict")
    assert (answer["label"], answer["model"]) == ("fracture", "coin")
    assert answer["confidence"] == pytest.approx(1 / (1 + np.exp(-2)))


def test_a_page_launched_by_gradio_has_the_theme_but_no_guard(launched):
    with urllib.request.urlopen(launched) as answer:
        assert ".sa-card" in answer.read().decode()
        assert "content-security-policy" not in answer.headers
