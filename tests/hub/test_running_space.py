"""A Space, run like Hugging Face Spaces runs it."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request

import pytest
from conftest import free_port, serve_page
from gradio_client import Client, handle_file

from spinealign import Predictor
from spinealign.cli import main
from spinealign.hub.pushing import push_to_hub

pytestmark = pytest.mark.slow


def test_a_space_fetches_its_model_once(local_hub, loopback, any_checkpoint, slices, tmp_path):
    model, space = local_hub.new_id(), tmp_path / "space"
    pushed = push_to_hub(any_checkpoint, model, private=True)
    assert main(["space", "me/neck", "--model", model, "--output", str(space)]) == 0
    (space / "spinealign" / "_version.py").write_text('__version__ = "that of the Space"\n')
    variables = {
        "SYSTEM": "spaces", "SPACE_ID": "me/neck", "SPACE_HOST": "me-neck.hf.space", "GRADIO_SERVER_NAME": "0.0.0.0",
        "HF_ENDPOINT": local_hub.endpoint, "HF_TOKEN": local_hub.token, "HF_HUB_DISABLE_XET": "1",
        "HF_HOME": str(tmp_path / "home of the Space"), "PYTHONPATH": "",
    }  # fmt: skip
    expected = Predictor.from_pretrained(any_checkpoint)(slices["eight"])
    for offline in ("0", "1"):
        loopback.requests.clear()
        with serve_page(tmp_path / "uploads", script="app.py", cwd=space, HF_HUB_OFFLINE=offline, **variables) as page:
            with urllib.request.urlopen(f"{page.url}/health") as health:
                assert json.load(health)["version"] == "that of the Space"
            client = Client(page.url, verbose=False)
            answer = client.predict(handle_file(slices["eight"]), api_name="/predict")
        assert answer["model"] == f"{model}@{pushed.oid}"
        assert answer["probabilities"] == pytest.approx(dict(expected.probabilities), abs=1e-6)
        # Gradio's client in this process sends telemetry; the Space does not.
        asked = [path for _, path, _ in loopback.requests if "telemetry" not in path]
        assert bool(asked) == (offline == "0")


def footprint(root, *words, **variables):
    """Return the result of `benchmarks/space_footprint.py`."""
    command = [sys.executable, "benchmarks/space_footprint.py", "--json", "--port", str(free_port()), *words]
    process = subprocess.run(command, cwd=root, env=variables or None, capture_output=True, text=True, timeout=580)
    assert process.stdout, process.stderr
    return json.loads(process.stdout.splitlines()[-1])


def is_small(found):
    return not found["torch"] and found["disk_mib"] < 1536 and found["memory_mib"] < 700


def test_a_space_runs_with_only_its_requirements(root):
    found = footprint(root)
    assert found["prediction"]["label"] == "fracture"
    assert found["prediction"]["accepted"]
    assert is_small(found), found


def test_a_space_of_a_hub_model_runs_with_its_requirements(root, local_hub, tiny_checkpoint):
    model = local_hub.new_id()
    pushed = push_to_hub(tiny_checkpoint, model, private=True)
    found = footprint(root, "--model", model, **local_hub.environment())
    assert found["prediction"]["model"] == f"{model}@{pushed.oid}"
    assert is_small(found), found
