"""Training and export of the network for kinds."""

from __future__ import annotations

import json

import numpy as np
import onnxruntime
import pytest
import torch

from spinealign.alignment.kinds import KINDS, SETTINGS_FILE
from spinealign.training.image_kind import fitting
from spinealign.training.image_kind.dataset import KindExample
from spinealign.training.image_kind.fitting import fit_kind_network, save_kind_model, smallest_limit


@pytest.fixture(scope="module")
def examples():
    rng = np.random.default_rng(0)
    return [KindExample(rng.integers(0, 255, (90, 60), np.uint8), kind, kind, "a") for kind in KINDS]


@pytest.fixture(scope="module")
def network(examples, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "VIEWS", 32)
        return fit_kind_network(examples, tmp_path_factory.mktemp("run"), epochs=2, seed=0)


def test_a_saved_model_gives_the_logits_of_torch(network, examples, tmp_path):
    settings = save_kind_model(network, tmp_path, validation=examples, training={"seed": 0})
    assert json.loads((tmp_path / SETTINGS_FILE).read_text())["training"] == {"seed": 0}
    assert 0.5 <= settings.kind_limit <= 0.95
    pixel_values = np.random.default_rng(1).normal(size=(8, 1, 80, 80)).astype(np.float32)
    kinds, turns = onnxruntime.InferenceSession(tmp_path / "model.onnx").run(None, {"pixel_values": pixel_values})
    with torch.inference_mode():
        expected = network.eval()(torch.from_numpy(pixel_values))
    np.testing.assert_allclose(kinds, expected.kind_logits.numpy(), atol=1e-4)
    np.testing.assert_allclose(turns, expected.turn_logits.numpy(), atol=1e-4)


def test_an_unfinished_run_with_another_seed_is_not_continued(network, examples, tmp_path, monkeypatch):
    monkeypatch.setattr(fitting, "VIEWS", 32)
    fit_kind_network(examples, tmp_path, epochs=1, seed=0)
    with pytest.raises(ValueError, match="seed was 0 and is 1"):
        fit_kind_network(examples, tmp_path, epochs=1, seed=1)


def test_a_limit_lets_few_wrong_answers_pass():
    answers = [(0.99, False), (0.9, False), (0.85, True), (0.7, False), (0.6, True)]
    assert smallest_limit(answers, share=0) == 0.9
    assert smallest_limit(answers, share=0.25) == 0.7
    assert smallest_limit(answers, share=1) == 0.6
    assert smallest_limit([(0.99, True)], share=0.1) == 0.95
