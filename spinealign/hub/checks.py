"""What is checked before a checkpoint goes to the Hub."""

from __future__ import annotations

from pathlib import Path

from spinealign.errors import CheckpointError
from spinealign.hub.contents import NEEDED, checkpoint_files
from spinealign.hub.model_page import card_gaps
from spinealign.inference.files import CARD_FILE, METRICS_FILE, WEIGHTS_FILE
from spinealign.inference.predictor import Predictor


def check_checkpoint(folder: Path) -> None:
    """Refuse a checkpoint that others could not use or judge.

    Args:
        folder: The checkpoint.

    Raises:
        CheckpointError: If a file is missing or damaged, a pickle lies among them, nothing was measured, or the card
            has gaps; it names all of them.
    """
    files = checkpoint_files(folder)
    predictor = Predictor.from_pretrained(folder)  # this refuses pickles, and reads the weights that serve
    missing = [name for name in NEEDED if name not in files]
    if missing:
        raise CheckpointError(
            f"{folder} has no {', '.join(missing)}, and is not published without: train it with spinealign train, "
            "which writes all of it."
        )
    _check_tensors(folder)
    evaluations = predictor.checkpoint.evaluations
    if not evaluations:
        raise CheckpointError(f"{METRICS_FILE} of {folder} holds no evaluation; train it again.")
    gaps = card_gaps(files[CARD_FILE].read_text(encoding="utf-8"), evaluations, files=files)
    if gaps:
        raise CheckpointError(f"The card {files[CARD_FILE]} has gaps: {'; '.join(gaps)}. Fill them, then try again.")


def _check_tensors(folder: Path) -> None:
    from safetensors import safe_open

    try:
        with safe_open(folder / WEIGHTS_FILE, "np") as tensors:
            tensors.keys()
    except Exception as error:  # the reader raises a class of its own, which its package hides
        raise CheckpointError(f"{WEIGHTS_FILE} in {folder} is damaged; train it again or copy it anew.") from error
