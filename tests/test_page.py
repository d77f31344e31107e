from __future__ import annotations

import subprocess
import sys

import pytest

from spinealign import Predictor
from spinealign.page import build_demo

pytestmark = pytest.mark.filterwarnings("ignore")  # of Gradio's own dependencies


@pytest.fixture(scope="module")
def client():
    from gradio_client import Client

    page = build_demo(Predictor.from_pretrained())
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, max_file_size="32mb")
    yield Client(url, verbose=False)
    page.close()


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
