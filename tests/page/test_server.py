from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import urllib.error
import urllib.request
from types import SimpleNamespace

import pytest
from conftest import ROOT, serve_page

from spinealign import Predictor
from spinealign._version import __version__
from spinealign.cli import main
from spinealign.page.login import read_accounts


def test_app_py_serves_the_embedded_model_and_leaves_no_files(tmp_path, slices):
    from gradio_client import Client, handle_file

    with serve_page(tmp_path / "uploads", script=str(ROOT / "app.py")) as served:
        with urllib.request.urlopen(f"{served.url}/health") as answer:
            assert json.load(answer) == {"status": "ok", "model": "spinealign/default", "version": __version__}
        with pytest.raises(urllib.error.HTTPError, match="421"):
            urllib.request.urlopen(urllib.request.Request(served.url, headers={"Host": "neck.example.org"}))
        given = Client(served.url, verbose=False).predict(handle_file(str(slices["dicom"])), api_name="/predict")
        expected = Predictor.from_pretrained()(slices["dicom"])
        assert given["label"] == expected.label
        assert given["confidence"] == pytest.approx(expected.confidence, abs=1e-6)
        assert served.files() == []
    assert list((tmp_path / "uploads").iterdir()) == []


def test_accounts_are_read_and_passwords_may_contain_colons(monkeypatch):
    monkeypatch.setenv("SPINEALIGN_AUTH", "ann:one:two, bob:three")
    assert read_accounts() == [("ann", "one:two"), ("bob", "three")]
    monkeypatch.delenv("SPINEALIGN_AUTH")
    assert read_accounts() == []


@pytest.mark.parametrize("text", ["", "  ", "ann", "ann:", ":secret", "ann:secret,"])
def test_malformed_accounts_are_refused_without_repeating_them(text, monkeypatch):
    monkeypatch.setenv("SPINEALIGN_AUTH", text)
    with pytest.raises(ValueError, match="must be user:password") as caught:
        read_accounts()
    assert "secret" not in str(caught.value)


def test_a_server_with_a_stopped_queue_is_unhealthy():
    from spinealign.page.routes import own_routes

    for stopped, status in ((False, 200), (True, 503)):
        health, _ = own_routes("toy", SimpleNamespace(is_stopped=stopped))
        assert asyncio.run(health.endpoint(None)).status_code == status


def test_without_gradio_the_error_names_the_pip_command():
    script = "import sys; sys.modules['gradio'] = None\nfrom spinealign.page import build_demo\nbuild_demo(None)"
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert 'pip install "spinealign[app]"' in finished.stderr


def test_a_missing_model_is_an_error_of_one_line(capsys):
    assert main(["app", "--model", "no/such/folder"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert "no/such/folder" in line


def test_malformed_accounts_are_an_error_before_serving(capsys, monkeypatch, toy_model):
    monkeypatch.setenv("SPINEALIGN_AUTH", "nobody")
    assert main(["app", "--model", str(toy_model)]) == 1
    assert "SPINEALIGN_AUTH must be user:password" in capsys.readouterr().err


def test_a_login_together_with_mcp_is_refused(capsys, monkeypatch, toy_model):
    monkeypatch.setenv("SPINEALIGN_AUTH", "ann:secret")
    assert main(["app", "--model", str(toy_model), "--mcp"]) == 1
    assert "leave out either --mcp or SPINEALIGN_AUTH" in capsys.readouterr().err
