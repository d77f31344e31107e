"""Names of the files of a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

Task = Literal["classification", "vertebrae"]
FRONTAL_XRAY, SAGITTAL_MR = "frontal_xray", "sagittal_mr"  # kinds of images that models measure

ASSETS = Path(__file__).resolve().parent.parent / "assets"  # embedded models
CONFIG_FILE, PREPROCESSOR_FILE = "config.json", "preprocessor_config.json"
ONNX_FILE, WEIGHTS_FILE = "model.onnx", "model.safetensors"
REFINER_FILE = "refiner.onnx"  # only of models that find vertebrae
CARD_FILE, METRICS_FILE = "README.md", "metrics.json"
SETTINGS_FILE, NOVELTY_FILE = "spinealign.json", "novelty.safetensors"
TRAINING_IMAGES_FILE = "training_images.safetensors"  # digests; checkpoints of earlier releases lack it
LEARNING_CURVES, SIZE_CURVE, EVALUATION_PLOT = "learning_curves.png", "sensitivity_by_size.png", "evaluation.png"
SMALL_FILES = (CONFIG_FILE, PREPROCESSOR_FILE, SETTINGS_FILE, NOVELTY_FILE, TRAINING_IMAGES_FILE, METRICS_FILE)

# Only these files are published, not pickles of the Trainer, states of the optimizer, logs, or pictures of patients.
NEEDED: dict[Task, tuple[str, ...]] = {
    "classification": (
        CARD_FILE, CONFIG_FILE, PREPROCESSOR_FILE, SETTINGS_FILE, METRICS_FILE, NOVELTY_FILE, WEIGHTS_FILE, ONNX_FILE,
    ),
    "vertebrae": (CARD_FILE, CONFIG_FILE, SETTINGS_FILE, METRICS_FILE, WEIGHTS_FILE, ONNX_FILE, REFINER_FILE),
}  # fmt: skip
PLOTS = (EVALUATION_PLOT, LEARNING_CURVES, SIZE_CURVE)  # the last only if sizes of findings are known
CHECKPOINT_FILES = tuple(dict.fromkeys((*NEEDED["classification"], TRAINING_IMAGES_FILE, *NEEDED["vertebrae"], *PLOTS)))


def file_path(folder: Path, name: str) -> Path:
    """Return the path of a file of a checkpoint, which may not exist.

    The weights of an embedded model for torch are not in the package, so that wheels do not contain them, but in
    `models/` of the repository.
    """
    if name == WEIGHTS_FILE and is_embedded(folder):
        return ASSETS.parent.parent / "models" / folder.resolve().name / name
    return folder / name


def is_embedded(folder: Path) -> bool:
    """Return whether a folder is that of an embedded model."""
    return folder.resolve().parent == ASSETS


def weights_hint(folder: Path) -> str:
    """Return where the weights of an embedded model for torch are, as a sentence; empty for other models."""
    if not is_embedded(folder):
        return ""
    place = f"models/{folder.resolve().name}/{WEIGHTS_FILE}"
    return f" Wheels do not contain it: run from the repository or the source distribution of spinealign, with {place}."


def checkpoint_files(folder: Path) -> dict[str, Path]:
    """Return the published files of a checkpoint that exist, by name and in a fixed order."""
    return {name: path for name in CHECKPOINT_FILES if (path := file_path(folder, name)).is_file()}
