"""What is checked before a checkpoint goes to the Hub."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from spinealign.checkpoint.files import CARD_FILE, METRICS_FILE, ONNX_FILE, WEIGHTS_FILE
from spinealign.checkpoint.finding import refuse_pickles
from spinealign.errors import CheckpointError
from spinealign.hub.contents import CHECKPOINT_FILES, NEEDED, PLOTS, checkpoint_files
from spinealign.hub.model_page import card_gaps, read_card, unfinished
from spinealign.inference.predictor import Predictor
from spinealign.reading.kinds import suffix_of


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
    _check_onnx(folder)
    _check_plots(files)
    evaluations = predictor.checkpoint.evaluations
    if not evaluations:
        raise CheckpointError(f"{METRICS_FILE} of {folder} holds no evaluation; train it again.")
    gaps = card_gaps(read_card(files[CARD_FILE]), evaluations, files=files)
    if gaps:
        raise CheckpointError(f"The card {files[CARD_FILE]} has gaps: {'; '.join(gaps)}. Fill them, then try again.")


def check_before_training(folder: Path, notes: Path | None) -> None:
    """Refuse what would stop the push of a checkpoint that is still to be trained, as far as it is known by now.

    Args:
        folder: Where the checkpoint will lie.
        notes: What its card takes over; None where nothing.

    Raises:
        CheckpointError: If a pickle lies in the folder, or the notes are not finished.
    """
    if folder.is_dir():
        refuse_pickles(folder, name=str(folder))
    if notes is not None and notes.is_file():
        gaps = unfinished(read_card(notes), files=CHECKPOINT_FILES)
        if gaps:
            raise CheckpointError(f"The notes {notes} have gaps: {'; '.join(gaps)}. Fill them, then try again.")


def _check_onnx(folder: Path) -> None:
    """Refuse weights that lie in another file, which would not go up."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    content = (folder / ONNX_FILE).read_bytes()
    with TemporaryDirectory() as nothing:  # or the folder in which this process runs would be looked through
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", nothing)
        try:
            onnxruntime.InferenceSession(content, sess_options=options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime raises one class for each status code
            raise CheckpointError(
                f"{ONNX_FILE} in {folder} keeps weights in another file, or is damaged; save all of it in one file."
            ) from error


def _check_plots(files: Mapping[str, Path]) -> None:
    for name in PLOTS:
        if name in files and suffix_of(files[name].read_bytes()) != ".png":
            raise CheckpointError(f"{files[name]} is no PNG, whatever its name says; draw it again.")


def _check_tensors(folder: Path) -> None:
    from safetensors import safe_open

    try:
        with safe_open(folder / WEIGHTS_FILE, "np") as tensors:
            tensors.keys()
    except Exception as error:  # the reader raises a class of its own, which its package hides
        raise CheckpointError(f"{WEIGHTS_FILE} in {folder} is damaged; train it again or copy it anew.") from error
