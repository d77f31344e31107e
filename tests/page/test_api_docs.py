"""Examples of `docs/api.md`."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest


@pytest.fixture
def documented(root, slices, tmp_path):
    """Return a function that extracts an example for a page, and create the files that the examples use."""
    for name, kind in (("slice.png", "eight"), ("a.png", "eight"), ("b.dcm", "dicom")):
        shutil.copy(slices[kind], tmp_path / name)
    text = (root / "docs" / "api.md").read_text()

    def example(language, page, number=0):
        found = re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)[number]
        assert "http://127.0.0.1:7860" in found
        return found.replace("http://127.0.0.1:7860", page.url)

    return example


@pytest.fixture(scope="session")
def node():
    """Path of the Node binary in the Playwright package."""
    playwright = pytest.importorskip("playwright")
    path = Path(playwright.__file__).parent / "driver" / "node"
    if not path.is_file():
        pytest.skip("this Playwright package has no Node binary")
    return path


def run_node(node, script, folder):
    (folder / "ask.mjs").write_text(script)
    return subprocess.run([node, "ask.mjs"], cwd=folder, capture_output=True, text=True, timeout=120)


def run_curl(script, folder):
    """Run a curl script and return the answer."""
    said = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, check=True).stdout
    assert said.startswith("event: complete")
    (answer,) = json.loads(said.split("data: ")[-1])
    return answer


def test_the_documented_python_runs(documented, page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(compile(documented("python", page), "docs/api.md", "exec"), {})
    assert capsys.readouterr().out.count("'label': 'fracture'") == 6, "of three predictions and their findings"


def test_the_documented_curl_runs(documented, page, tmp_path):
    assert run_curl(documented("bash", page), tmp_path)["label"] == "fracture"


def test_the_documented_curl_logs_in(documented, login_page, tmp_path):
    assert run_curl(documented("bash", login_page, 1), tmp_path)["label"] == "fracture"
    assert login_page.files() == []


def test_the_documented_javascript_runs(documented, page, node, tmp_path):
    done = run_node(node, documented("javascript", page), tmp_path)
    assert done.returncode == 0, done.stderr
    label, confidence, accepted = done.stdout.split()
    assert (label, accepted) == ("fracture", "true")
    assert 0 < float(confidence) < 1


def test_the_documented_javascript_reports_unusable_files(documented, page, slices, node, tmp_path):
    shutil.copy(slices["broken"], tmp_path / "slice.png")
    done = run_node(node, documented("javascript", page), tmp_path)
    assert done.returncode != 0
    assert "This file is damaged or truncated; copy or export it again." in done.stderr
