"""Queue limits of the page: 4 calls run, 64 wait, further calls are refused."""

from __future__ import annotations

import httpx
import pytest
from conftest import serve_page

from spinealign.page.limits import PREDICTIONS_AT_ONCE, WAITING_PREDICTIONS

STUCK = """
import sys, time
from pathlib import Path
from spinealign import Predictor
from spinealign.page import launch

predictor = Predictor.from_pretrained(sys.argv[1])
answer, opened = predictor.engine, Path(sys.argv[2])

def engine(pixel_values):
    while not opened.exists():
        time.sleep(0.05)
    return answer(pixel_values)

predictor.engine = engine
launch(predictor)
"""


@pytest.fixture
def gate(tmp_path):
    """Path of a file; the model does not answer until it exists."""
    return tmp_path / "open"


@pytest.fixture
def stuck(tmp_path, toy_model, gate):
    """Page with a model that does not answer until the gate file exists."""
    script = tmp_path / "stuck.py"
    script.write_text(STUCK)
    with serve_page(tmp_path / "uploads", str(toy_model), str(gate), script=str(script)) as served:
        yield served


def test_waiting_calls_are_answered_and_further_ones_refused(stuck, gate, slices):
    content = slices["eight"].read_bytes()
    with httpx.Client(base_url=f"{stuck.url}/gradio_api", timeout=60) as client:

        def ask():
            (path,) = client.post("/upload", files={"files": ("slice.png", content)}).json()
            given = {"path": path, "meta": {"_type": "gradio.FileData"}}
            return client.post("/call/predict", json={"data": [given]})

        accepted = []
        while (asked := ask()).status_code == 200:
            accepted.append(asked.json()["event_id"])
            assert len(accepted) <= PREDICTIONS_AT_ONCE + WAITING_PREDICTIONS
        assert len(accepted) >= WAITING_PREDICTIONS
        assert asked.status_code == 503
        assert "Queue is full" in asked.json()["detail"]
        assert client.get(f"{stuck.url}/health").status_code == 200
        gate.touch()
        for event in accepted:
            assert '"label": "fracture"' in client.get(f"/call/predict/{event}").text
        assert ask().status_code == 200, "the queue accepts calls again"
