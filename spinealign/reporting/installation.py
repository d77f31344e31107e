"""Description of the installation: versions, engine, model."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import Any

from spinealign.checkpoint.checkpoint import Checkpoint, Engine, weights_file
from spinealign.checkpoint.files import ONNX_FILE, file_path

_PACKAGES = ("spinealign", "numpy", "Pillow", "pydicom", "onnxruntime", "huggingface_hub")


def describe(checkpoint: Checkpoint, engine: Engine) -> dict[str, Any]:
    """Describe the installation and a model by name and value, without loading weights.

    Raises:
        CheckpointError: If the model has no weights for the engine, or its settings are damaged.
    """
    weights = weights_file(checkpoint, engine)
    config, novelty = checkpoint.settings.preprocessing, checkpoint.settings.novelty
    return {
        **{name: version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "model": checkpoint.model,
        "engine": "onnx" if weights == ONNX_FILE else "torch",
        "weights": f"{weights}, {file_path(checkpoint.folder, weights).stat().st_size / 1e6:.1f} MB",
        "problem type": checkpoint.target.problem_type,
        **_describe_labels(checkpoint),
        "unknown images": "not recognized: only images of poor quality are rejected"
        if novelty is None
        else f"not accepted beyond a novelty of {novelty.threshold:.2f}",
        "trained on": ", ".join(checkpoint.settings.training_data) or "not known",
        "input": f"{config.image_size} x {config.image_size} pixels, window "
        f"{config.window_center:g}/{config.window_width:g} HU, denoise {config.denoise}, equalize {config.equalize}",
    }


def _describe_labels(checkpoint: Checkpoint) -> dict[str, str]:
    """Return the classes and the calibration of each label."""
    described = {}
    for label in checkpoint.target.labels:
        of_label = f" of {label.name}" if checkpoint.target.has_several else ""
        note = label.kind if label.positive is None else f"positive: {label.positive}"
        described[f"classes{of_label}"] = f"{', '.join(label.classes)} ({note})"
        if not checkpoint.is_plain:
            decision = checkpoint.settings.decisions[label.name]
            point = "" if label.positive is None else f", operating point {decision.operating_point:.4f}"
            described[f"calibration{of_label}"] = f"temperature {decision.temperature:.3f}{point}; {decision.note}"
    if checkpoint.is_plain:
        described["calibration"] = "none: the model has no spinealign.json, so its probabilities are not calibrated"
    return described
