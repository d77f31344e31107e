"""Named endpoints, called with Gradio's client."""

from __future__ import annotations

import base64
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from spinealign import Predictor


@pytest.fixture(scope="module")
def client(page):
    from gradio_client import Client

    return Client(page.url, verbose=False)


@pytest.fixture(scope="module")
def predictor(toy_model):
    return Predictor.from_pretrained(toy_model)


def upload(path):
    from gradio_client import handle_file

    return handle_file(str(path))


def picture(data_url):
    return np.asarray(Image.open(BytesIO(base64.b64decode(data_url.removeprefix("data:image/png;base64,")))))


@pytest.mark.parametrize("kind", ["eight", "sixteen", "photo", "dicom"])
def test_each_kind_of_file_gives_the_result_of_the_predictor(client, page, predictor, slices, kind):
    given = client.predict(upload(slices[kind]), api_name="/predict")
    expected = {**predictor(slices[kind]).to_dict(), "model": "toy"}
    assert given.pop("confidence") == pytest.approx(expected.pop("confidence"), abs=1e-6)
    assert given.pop("probabilities") == pytest.approx(expected.pop("probabilities"), abs=1e-6)
    assert given == expected
    assert page.files() == []


def test_an_unusable_file_gives_a_message_without_a_path(client, page, slices):
    from gradio_client.exceptions import AppError

    with pytest.raises(AppError, match="This file is damaged or truncated; copy or export it again") as caught:
        client.predict(upload(slices["broken"]), api_name="/predict")
    assert str(page.folder) not in str(caught.value)
    assert page.files() == []


def test_a_call_without_a_file_asks_for_one(client):
    from gradio_client.exceptions import AppError

    with pytest.raises(AppError, match="Send a PNG, JPEG or DICOM file"):
        client.predict(None, api_name="/predict")


def test_an_unusable_file_does_not_stop_a_batch(client, page, slices):
    files = [upload(slices[kind]) for kind in ("broken", "eight", "small", "eight")]
    broken, eight, small, again = client.predict(files, api_name="/predict_batch")
    assert broken == {"file": "broken.png", "error": "This file is damaged or truncated; copy or export it again."}
    assert eight["file"] == "eight.png"
    assert eight["label"] == "fracture"
    assert eight["accepted"]
    assert not small["accepted"]
    assert again == eight
    assert page.files() == []


def test_explain_returns_the_heat_map_and_both_pictures(client, page, predictor, slices):
    given = client.predict(upload(slices["eight"]), api_name="/explain")
    expected = predictor.explain(slices["eight"])
    assert given["label"] == "fracture"
    assert tuple(given["hottest"]) == expected.hottest
    assert picture(given["image"]).tolist() == expected.gray.tolist()
    np.testing.assert_allclose(picture(given["heat"]) / 255, expected.heat, atol=0.01)
    assert picture(given["picture"]).shape == (*expected.gray.shape, 3)
    assert page.files() == []


def test_only_three_endpoints_are_public(client):
    offered = client.view_api(return_format="dict")["named_endpoints"]
    assert sorted(offered) == ["/explain", "/predict", "/predict_batch"]
    for name, parameter in (("/predict", "image"), ("/predict_batch", "images"), ("/explain", "image")):
        assert [item["parameter_name"] for item in offered[name]["parameters"]] == [parameter]
