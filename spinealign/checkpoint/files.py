"""Names of the files of a checkpoint."""

from __future__ import annotations

CONFIG_FILE, PREPROCESSOR_FILE = "config.json", "preprocessor_config.json"
ONNX_FILE, WEIGHTS_FILE = "model.onnx", "model.safetensors"
CARD_FILE, METRICS_FILE = "README.md", "metrics.json"
LEARNING_CURVES, SIZE_CURVE, EVALUATION_PLOT = "learning_curves.png", "sensitivity_by_size.png", "evaluation.png"
