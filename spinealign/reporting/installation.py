"""Say what runs here: versions, engine, model."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import Any

from spinealign.checkpoint.files import ONNX_FILE
from spinealign.checkpoint.finding import Checkpoint, Engine, weights_file

_PACKAGES = ("spinealign", "numpy", "Pillow", "pydicom", "onnxruntime", "huggingface_hub")


def describe(checkpoint: Checkpoint, engine: Engine) -> dict[str, Any]:
    """Describe the installation and a model without loading weights.

    Args:
        checkpoint: The model.
        engine: The engine that is wanted.

    Returns:
        Names and values for people and for JSON.

    Raises:
        CheckpointError: If the model has no weights for the engine, or its settings are damaged.
    """
    weights = weights_file(checkpoint, engine)
    config = checkpoint.settings.conditioning
    return {
        **{name: version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "model": checkpoint.model,
        "engine": "onnx" if weights == ONNX_FILE else "torch",
        "weights": f"{weights}, {(checkpoint.folder / weights).stat().st_size / 1e6:.1f} MB",
        "classes": ", ".join(checkpoint.labels),
        "calibration": _calibration(checkpoint),
        "unknown images": _abstention(checkpoint),
        "trained on": ", ".join(checkpoint.settings.training_data) or "not said",
        "input": f"{config.image_size} x {config.image_size} pixels, window "
        f"{config.window_center:g}/{config.window_width:g} HU, denoise {config.denoise}, equalize {config.equalize}",
    }


def _calibration(checkpoint: Checkpoint) -> str:
    if checkpoint.is_plain:
        return "none: the model knows nothing of spinealign, and its probabilities are those of its training"
    decision = checkpoint.settings.decision
    return f"temperature {decision.temperature:.3f}, called from {decision.operating_point:.4f}; {decision.note}"


def _abstention(checkpoint: Checkpoint) -> str:
    novelty = checkpoint.settings.novelty
    if novelty is None:
        return "not recognised: the model cannot tell them, and only poor images are not accepted"
    return f"not accepted beyond a novelty of {novelty.threshold:.2f}"
