"""The notebooks of the documentation run from start to end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from spinealign import Predictor

pytestmark = pytest.mark.slow
WRITE = "SPINEALIGN_WRITE_NOTEBOOKS"  # set it to store the new outputs in docs/notebooks


def run_notebook(name: str, folder: Path, environment: dict[str, str]) -> list[str]:
    """Run a notebook in a folder, and return the text that each code cell prints."""
    source = ROOT / "docs" / "notebooks" / f"{name}.ipynb"
    (folder / source.name).write_bytes(source.read_bytes())
    path = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
    command = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", "--inplace", source.name]
    variables = {**environment, "PATH": path, "PYTHONPATH": str(ROOT), "JUPYTER_PLATFORM_DIRS": "1"}
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    content = json.loads((folder / source.name).read_text())
    if os.environ.get(WRITE):
        for cell in content["cells"]:
            cell["metadata"] = {}
            if "outputs" in cell:  # without progress bars
                cell["outputs"] = [output for output in cell["outputs"] if output.get("name") != "stderr"]
        content["metadata"]["language_info"] = {"name": "python"}
        source.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    outputs = [cell["outputs"] for cell in content["cells"] if cell["cell_type"] == "code"]
    return ["".join("".join(output.get("text", "")) for output in cell) for cell in outputs]


def test_predict_and_explain(tmp_path):
    printed = run_notebook("predict", tmp_path, {**os.environ})
    assert printed[2].count("true: fracture  predicted: fracture") == 3
    assert "accepted: False" in printed[4]
    assert (tmp_path / "heat_map.png").is_file()


def test_train_evaluate_and_publish(tmp_path, local_hub, loopback):
    folder = tmp_path / "notebook"
    folder.mkdir()
    printed = run_notebook("train", folder, local_hub.environment())
    assert "40 images of 40 sources" in printed[3]
    assert "the same probabilities: True" in printed[-1]
    owner = next(iter(loopback.store.accounts.values())).name
    assert Predictor.from_pretrained(f"{owner}/spinealign-notebook", token=local_hub.token).model.startswith(owner)
