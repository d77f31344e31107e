from __future__ import annotations

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from spinealign import Predictor
from spinealign.checkpoint.engines import OnnxEngine, TorchEngine, execution_provider, load_engine
from spinealign.checkpoint.finding import find_checkpoint
from spinealign.errors import CheckpointError


def test_both_engines_agree_for_any_batch_size(tiny_checkpoint):
    onnx, torch = (load_engine(find_checkpoint(tiny_checkpoint), engine) for engine in ("onnx", "torch"))
    assert isinstance(onnx, OnnxEngine)
    assert isinstance(torch, TorchEngine)
    for count in (1, 2, 5):
        pixel_values = np.random.default_rng(count).normal(size=(count, 3, 64, 64)).astype(np.float32)
        for left, right in zip(onnx(pixel_values), torch(pixel_values)):
            np.testing.assert_allclose(left, right, atol=1e-4)
        assert onnx(pixel_values).features.shape == (count, 32), "the width of the network"


def test_both_engines_agree_on_the_embedded_model():
    onnx, torch = (load_engine(find_checkpoint(), engine) for engine in ("onnx", "torch"))
    pixel_values = np.random.default_rng(0).normal(size=(3, 3, 224, 224)).astype(np.float32)
    for left, right in zip(onnx(pixel_values), torch(pixel_values)):
        np.testing.assert_allclose(left, right, atol=1e-4)


def test_a_checkpoint_without_onnx_runs_through_torch(tmp_path, tiny_checkpoint, gray):
    folder = shutil.copytree(tiny_checkpoint, tmp_path / "model", ignore=shutil.ignore_patterns("*.onnx", "training"))
    predictor = Predictor.from_pretrained(folder)
    assert predictor.engine.name == "torch"
    expected = Predictor.from_pretrained(tiny_checkpoint)(gray).probabilities
    assert predictor(gray).probabilities == pytest.approx(expected, abs=1e-4)


CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
INSTALLED = [f"{name}ExecutionProvider" for name in ("CUDA", "Tensorrt", "OpenVINO", "Dml", "CoreML", "Azure", "CPU")]


@pytest.mark.parametrize(
    ("device", "provider", "options"),
    [
        (None, CPU, {}),
        ("cpu", CPU, {}),
        ("cpu:0", CPU, {}),
        ("cuda", CUDA, {}),
        ("CUDA:1", CUDA, {"device_id": "1"}),
        ("tensorrt", "TensorrtExecutionProvider", {}),
        ("openvino", "OpenVINOExecutionProvider", {}),
        ("coreml", "CoreMLExecutionProvider", {}),
        ("directml:2", "DmlExecutionProvider", {"device_id": "2"}),
    ],
)
def test_a_device_names_an_execution_provider(device, provider, options):
    assert execution_provider(device, INSTALLED) == (provider, options)


@pytest.mark.parametrize("device", ["rocm", "azure", "cuda:", "cuda:x", "cuda:-1", "", " "])
def test_a_device_that_is_not_installed_is_refused(device):
    with pytest.raises(ValueError, match="installed: cuda, tensorrt, openvino, dml, coreml, cpu"):
        execution_provider(device, INSTALLED)


@pytest.mark.filterwarnings("ignore:Specified provider:UserWarning")
def test_a_provider_that_does_not_start_is_an_error(monkeypatch):
    import onnxruntime

    if CUDA in onnxruntime.get_available_providers():
        pytest.skip("ONNX Runtime has CUDA here")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    with pytest.raises(ValueError, match="cannot start device 'cuda'"):
        OnnxEngine(find_checkpoint(), device="cuda")


def test_the_installed_cpu_provider_is_found_by_name(tiny_checkpoint, gray):
    named, default = (Predictor.from_pretrained(tiny_checkpoint, device=device) for device in ("cpu", None))
    assert named(gray) == default(gray)
    with pytest.raises(ValueError, match=r"no device 'nothing'.*cpu"):
        Predictor.from_pretrained(tiny_checkpoint, device="nothing")


def test_torch_takes_a_device_of_torch(tiny_checkpoint, gray):
    predictor = Predictor.from_pretrained(tiny_checkpoint, engine="torch", device="cpu")
    assert predictor(gray).label in predictor.labels
    for device in ("nothing", "cuda:99", ""):
        with pytest.raises(ValueError, match="torch has no device"):
            Predictor.from_pretrained(tiny_checkpoint, engine="torch", device=device)


@pytest.mark.gpu
def test_the_graphics_card_gives_the_numbers_of_the_cpu(tiny_checkpoint, gray):
    import onnxruntime

    if CUDA not in onnxruntime.get_available_providers():
        pytest.skip("ONNX Runtime has no CUDA here")
    cuda, cpu = (Predictor.from_pretrained(tiny_checkpoint, device=device)(gray) for device in ("cuda:0", "cpu"))
    assert cuda.probabilities == pytest.approx(cpu.probabilities, abs=1e-3)


def test_an_unknown_engine_is_refused(tiny_checkpoint):
    with pytest.raises(ValueError, match="engine"):
        Predictor.from_pretrained(tiny_checkpoint, engine="tensorflow")


def test_torch_needs_its_own_weights(tmp_path, tiny_checkpoint):
    ignored = shutil.ignore_patterns("model.safetensors", "training")
    folder = shutil.copytree(tiny_checkpoint, tmp_path / "model", ignore=ignored)
    with pytest.raises(CheckpointError, match="engine='onnx'"):
        Predictor.from_pretrained(folder, engine="torch")


def test_a_missing_tensor_is_an_error_and_not_a_random_number(tmp_path, tiny_checkpoint):
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(tiny_checkpoint, tmp_path / "model", ignore=shutil.ignore_patterns("training"))
    tensors = load_file(folder / "model.safetensors")
    gone = next(name for name in tensors if name.endswith("cls_token"))
    del tensors[gone]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"does not fit its configuration.*cls_token"):
        Predictor.from_pretrained(folder, engine="torch")


def test_damaged_torch_weights_are_a_typed_error(tmp_path, tiny_checkpoint):
    folder = shutil.copytree(tiny_checkpoint, tmp_path / "model", ignore=shutil.ignore_patterns("training"))
    (folder / "model.safetensors").write_bytes(b"nonsense")
    with pytest.raises(CheckpointError, match="transformers cannot load"):
        Predictor.from_pretrained(folder, engine="torch")


def test_a_prediction_leaves_no_record_of_its_use(tmp_path):
    script = "import numpy, spinealign; spinealign.predict(numpy.zeros((64, 64), 'uint8'))"
    places = {name: str(tmp_path) for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME")}
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    subprocess.run([sys.executable, "-c", script], env={**environment, **places}, check=True)
    assert list(tmp_path.rglob("*")) == []
