"""Predictions of models of every kind."""

from __future__ import annotations

import json
import pickle
import shutil

import numpy as np
import pytest
from PIL import Image

from spinealign import Predictor
from spinealign.phantoms.axial_neck import draw_phantom

KINDS = ("multi_class", "ordinal", "multi_label", "mixed")


@pytest.fixture(scope="module")
def image():
    return draw_phantom(3, fractured=True, size=96).slice


@pytest.fixture(scope="module")
def predictors(models_of_every_kind):
    return {kind: Predictor.from_pretrained(folder) for kind, folder in models_of_every_kind.items()}


def softmax(logits):
    odds = np.exp(logits - logits.max())
    return odds / odds.sum()


@pytest.fixture(scope="module")
def logits(predictors, image):
    """Raw outputs of the network, which all kinds share."""
    from spinealign.imaging.preprocessing import normalize
    from spinealign.inference.prepared import prepare

    predictor = predictors["mixed"]
    gray = prepare(image, predictor.preprocessing).gray
    return predictor.run(normalize(gray / np.float32(255), predictor.preprocessing)[None]).logits[0].astype(float)


@pytest.mark.parametrize("kind", KINDS)
def test_both_engines_and_a_pickled_copy_agree(predictors, models_of_every_kind, image, kind):
    predictor = predictors[kind]
    torch = Predictor.from_pretrained(models_of_every_kind[kind], engine="torch")
    found, other = predictor(image), torch(image)
    assert found.probabilities == pytest.approx(other.probabilities, abs=1e-5)
    assert [item.label for item in found.findings] == [item.label for item in other.findings]
    assert pickle.loads(pickle.dumps(predictor))(image) == found
    assert f"'{kind}'" in repr(predictor)


def test_one_of_many_classes_is_the_most_probable(predictors, image, logits):
    found = predictors["multi_class"](image)
    expected = softmax(logits / 1.5)
    assert list(found.probabilities.values()) == pytest.approx(expected.tolist(), abs=1e-5)
    assert found.label == "abcde"[int(logits.argmax())]
    assert found.confidence == max(found.probabilities.values())
    assert (found.expected_grade, found.findings[0].is_positive) == (None, None)


def test_a_grade_has_an_expected_grade(predictors, image, logits):
    found = predictors["ordinal"](image)
    assert found.label == "12345"[int(logits.argmax())]
    assert found.expected_grade == pytest.approx(softmax(logits / 1.5) @ [1, 2, 3, 4, 5], abs=1e-5)


def test_each_of_several_labels_has_its_own_sigmoid(predictors, image, logits):
    found = predictors["multi_label"](image)
    shares = 1 / (1 + np.exp(-logits / 1.5))
    assert list(found.probabilities.values()) == pytest.approx(shares.tolist(), abs=1e-5)
    positive = [f"finding {number}" for number, share in enumerate(shares) if share >= 0.3]
    assert 0 < len(positive) < 5
    assert found.label == ", ".join(positive)
    assert found.confidence == min(finding.confidence for finding in found.findings)
    assert found.expected_grade is None


def test_a_mixed_prediction_names_grades_and_positive_labels(predictors, image, logits):
    found = predictors["mixed"](image)
    grade, *others = found.findings
    shares = softmax(logits[:3] / 1.5)
    assert list(grade.probabilities.values()) == pytest.approx(shares.tolist(), abs=1e-5)
    assert grade.expected_grade == pytest.approx(shares @ [1, 2, 3], abs=1e-5)
    assert list(found.probabilities) == ["pfirrmann=1", "pfirrmann=2", "pfirrmann=3", "narrowing", "bulging"]
    assert found.probabilities["bulging"] == others[1].probabilities["yes"]
    assert found.label == ", ".join([f"pfirrmann {grade.label}", *(item.name for item in others if item.is_positive)])


def test_no_positive_label_is_no_finding(models_of_every_kind, tmp_path, image):
    folder = shutil.copytree(models_of_every_kind["multi_label"], tmp_path / "strict")
    settings = json.loads((folder / "spinealign.json").read_text())
    for decision in settings["decisions"].values():
        decision["operating_point"] = 0.999999
    (folder / "spinealign.json").write_text(json.dumps(settings))
    found = Predictor.from_pretrained(folder)(image)
    assert found.label == "no finding"
    assert {finding.label for finding in found.findings} == {"0"}


@pytest.mark.parametrize("kind", KINDS)
def test_each_label_gets_a_heat_map(predictors, image, kind):
    predictor = predictors[kind]
    (found,) = predictor.predict_many([image], errors="raise", explain=True)
    assert len(found.heat_maps) == len(found.findings)
    for heat_map in found.heat_maps:
        assert heat_map.confidence == found.probabilities[heat_map.label]
        np.testing.assert_array_equal(heat_map.heat, predictor.explain(image, label=heat_map.label).heat)


def test_the_heat_of_a_label_ignores_the_other_labels(predictors, image, monkeypatch):
    predictor = predictors["mixed"]
    before = [predictor.explain(image, label=name).heat for name in ("pfirrmann=2", "narrowing")]
    run = type(predictor).run

    def shifted(self, pixel_values):
        output = run(self, pixel_values)
        noise = pixel_values.mean(axis=(1, 2, 3), keepdims=True)[:, 0, 0] * 50
        return output._replace(logits=output.logits + np.hstack([0 * noise] * 3 + [0 * noise, noise]))

    monkeypatch.setattr(type(predictor), "run", shifted)
    for heat, name in zip(before, ("pfirrmann=2", "narrowing")):
        np.testing.assert_array_equal(predictor.explain(image, label=name).heat, heat)
    assert not np.array_equal(predictor.explain(image, label="bulging").heat, before[1])


def test_the_name_of_a_label_explains_its_predicted_class(predictors, image):
    found = predictors["mixed"](image)
    explained = predictors["mixed"].explain(image, label="pfirrmann")
    assert explained.label == f"pfirrmann={found.findings[0].label}"


def test_a_model_with_several_labels_asks_which_to_explain(predictors, image):
    with pytest.raises(ValueError, match=r"pfirrmann=1, .*, bulging; got None"):
        predictors["mixed"].explain(image)


@pytest.mark.parametrize("kind", ["multi_class", "ordinal", "multi_label"])
def test_a_plain_checkpoint_predicts_what_its_pipeline_does(models_of_every_kind, tmp_path, kind):
    from transformers import pipeline

    folder = shutil.copytree(models_of_every_kind[kind], tmp_path / "plain")
    (folder / "spinealign.json").unlink()
    gray = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    classify = pipeline("image-classification", model=str(folder), device="cpu")
    expected = {item["label"]: item["score"] for item in classify(Image.fromarray(gray).convert("RGB"), top_k=5)}
    found = Predictor.from_pretrained(folder)(gray)
    assert found.probabilities == pytest.approx(expected, abs=1e-5)
    assert found.findings[0].kind == ("binary" if kind == "multi_label" else "multi_class")
