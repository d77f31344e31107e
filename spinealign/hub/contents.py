"""What of a checkpoint goes to the Hub: these files and no other."""

from __future__ import annotations

from pathlib import Path

from spinealign.checkpoint.files import (
    CARD_FILE,
    CONFIG_FILE,
    EVALUATION_PLOT,
    LEARNING_CURVES,
    METRICS_FILE,
    ONNX_FILE,
    PREPROCESSOR_FILE,
    SIZE_CURVE,
    WEIGHTS_FILE,
)
from spinealign.config import NOVELTY_FILE, SETTINGS_FILE

# A list of what goes, not of what stays: nothing slips through that nobody thought of, such as a Trainer's pickles,
# an optimiser's state, logs, caches, or a picture of a patient.
NEEDED = (
    CARD_FILE, CONFIG_FILE, PREPROCESSOR_FILE, SETTINGS_FILE, METRICS_FILE, NOVELTY_FILE, WEIGHTS_FILE, ONNX_FILE,
)  # fmt: skip
PLOTS = (EVALUATION_PLOT, LEARNING_CURVES, SIZE_CURVE)  # the last where sizes of findings are known
CHECKPOINT_FILES = (*NEEDED, *PLOTS)


def checkpoint_files(folder: Path) -> dict[str, Path]:
    """Return name and path of each file that goes up, in a fixed order.

    Args:
        folder: A checkpoint.
    """
    return {name: folder / name for name in CHECKPOINT_FILES if (folder / name).is_file()}
