from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from conftest import ROOT

from spinealign import Predictor


@pytest.fixture(scope="module")
def client():
    """The page as `python app.py` serves it: a real server in a process of its own."""
    from gradio_client import Client

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "GRADIO_SERVER_PORT": str(port), "GRADIO_SERVER_NAME": "127.0.0.1"}
    server = subprocess.Popen([sys.executable, str(ROOT / "app.py")], env=environment, stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}/"
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(url).close()
                break
            except OSError:
                assert server.poll() is None, "the page did not start"
                assert time.monotonic() < deadline
                time.sleep(0.2)
        yield Client(url, verbose=False)
    finally:
        server.terminate()
        server.wait(30)


def test_an_uploaded_slice_gives_a_finding_with_its_confidence(client, slice_png):
    from gradio_client import handle_file

    picture, bars, sentence = client.predict(handle_file(str(slice_png)), api_name="/predict")
    expected = Predictor.from_pretrained()(slice_png)
    assert picture
    assert bars["label"] == expected.label
    assert f"{expected.confidence:.1%}" in sentence


def test_a_broken_file_gives_a_clear_message_without_a_path(client, tmp_path):
    from gradio_client import handle_file
    from gradio_client.exceptions import AppError

    bad = tmp_path / "bad.png"
    bad.write_text("no image")
    with pytest.raises(AppError, match="This file is no PNG, JPEG or DICOM image") as caught:
        client.predict(handle_file(str(bad)), api_name="/predict")
    assert "/tmp" not in str(caught.value)


def test_without_gradio_the_error_is_the_pip_command():
    script = "import sys; sys.modules['gradio'] = None\nfrom spinealign.page import build_demo\nbuild_demo(None)"
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert 'pip install "spinealign[app]"' in finished.stderr
