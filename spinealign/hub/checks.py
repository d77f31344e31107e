"""Checks of a checkpoint before it is published."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from math import isclose, nan
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from spinealign.checkpoint import files
from spinealign.checkpoint.checkpoint import Checkpoint
from spinealign.checkpoint.record import ModelRecord
from spinealign.checkpoint.settings import ModelSettings
from spinealign.errors import CheckpointError
from spinealign.inference.predictor import Predictor
from spinealign.reading.kinds import PNG, kind_of
from spinealign.reporting.model_card import render_card

_DISCLAIMER = "not a medical device"
_PLACEHOLDERS = ("More Information Needed", "TODO", "TBD", "FIXME")


def check_checkpoint(folder: Path) -> Checkpoint:
    """Check that a checkpoint is complete, safe, evaluated and documented, and return it.

    Raises:
        CheckpointError: If a file is missing or damaged, a file is a pickle, there is no evaluation, or the card has
            gaps; the message lists all gaps of the card.
    """
    if not folder.is_dir():
        raise CheckpointError(f"There is no folder {folder}. Pass a checkpoint that spinealign train wrote.")
    checkpoint = Predictor.from_pretrained(folder).checkpoint  # refuses pickles
    present = files.checkpoint_files(folder)
    missing = [name for name in files.NEEDED if name not in present]
    if missing:
        remedy = files.weights_hint(folder) or " Run spinealign train, which writes all files."
        raise CheckpointError(f"{folder} has no {', '.join(missing)}.{remedy}")
    _check_weights(present)
    for name in files.PLOTS:
        if name in present and kind_of(present[name].read_bytes()) is not PNG:
            raise CheckpointError(f"{present[name]} is not a PNG file. Train the model again.")
    record = checkpoint.record
    if not record.evaluations:
        raise CheckpointError(f"{files.METRICS_FILE} of {checkpoint.name} has no evaluation. Train it again.")
    card = read_card(present[files.CARD_FILE])
    gaps = [*unfinished(f"{record.notes}\n{card}", present=present), *_metadata_gaps(card, record)]
    if checkpoint.read_json(files.SETTINGS_FILE)["format_version"] > 1:
        gaps += _record_gaps(card, record, checkpoint.settings)
    if _DISCLAIMER not in " ".join(card.split()):
        gaps.append(f"it does not say that the model is {_DISCLAIMER}")
    if gaps:
        raise CheckpointError(
            f"The card {present[files.CARD_FILE]} has gaps: {'; '.join(gaps)}. Fill them, then try again."
        )
    return checkpoint


def read_card(path: Path) -> str:
    """Read a card; raise a CheckpointError if it is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")  # some editors write a byte order mark
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{path} is not UTF-8 text; save it as UTF-8.") from error


def unfinished(text: str, *, present: Collection[str]) -> list[str]:
    """Return the gaps of a Markdown text, one phrase each: placeholders, and pictures that are not in `present`."""
    gaps = [f"it contains {word!r}" for word in _PLACEHOLDERS if re.search(rf"\b{word}\b", text)]
    shown = dict.fromkeys(re.findall(r"!\[[^\]]*\]\(([^)\s]+)\)", text))
    return gaps + [f"its picture {name} is missing" for name in shown if name not in present and "://" not in name]


def _record_gaps(card: str, record: ModelRecord, settings: ModelSettings) -> list[str]:
    """Return what a record lacks, and what a card lacks of the rendered record, one phrase each."""
    needed = {"name": record.name, "training": record.training, "collections": record.collections}
    gaps = [f"{files.METRICS_FILE} has no {name}" for name, value in needed.items() if not value]
    if gaps:
        return gaps
    body = render_card(record, settings).split("\n---\n", maxsplit=1)[-1]
    stated = re.findall(r"^[#|].*|\*\*[\d.]+\*\*", body, flags=re.MULTILINE)  # the numbers of the decision are bold
    missing = [text for text in dict.fromkeys(stated) if text not in card]
    return [f"it lacks {len(missing)} headings, table rows or numbers, such as {missing[0]!r}"] if missing else []


def _metadata_gaps(card: str, record: ModelRecord) -> list[str]:
    """Return where the metadata of a card differs from the record, one phrase each."""
    from huggingface_hub import ModelCard

    try:
        data: Any = ModelCard(card, ignore_metadata_errors=False).data
    except Exception as error:  # YAML errors and ValueErrors of several kinds
        return [f"its metadata cannot be read ({type(error).__name__})"]
    gaps = [] if "spinealign" in (data.tags or ()) else ["its tags lack spinealign"]
    if data.pipeline_tag != "image-classification":
        gaps.append("its pipeline_tag is not image-classification")
    published = {
        (row.dataset_name, row.dataset_split): row.metric_value
        for row in data.eval_results or ()
        if row.metric_type == "accuracy" and not row.dataset_config and isinstance(row.metric_value, int | float)
    }
    return gaps + [
        f"its model-index lacks the accuracy on {item.collection} ({item.split}) of {files.METRICS_FILE}"
        for item in record.evaluations
        if not isclose(published.get((item.collection, item.split), nan), item.scores["accuracy"] or 0.0, abs_tol=1e-4)
    ]


def _check_weights(present: Mapping[str, Path]) -> None:
    """Check that the weights can be read and that none of them are in other files, which would not be published."""
    import onnxruntime
    from safetensors import safe_open

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    path = present[files.WEIGHTS_FILE]
    try:
        with safe_open(path, "np") as tensors:
            tensors.keys()
        path = present[files.ONNX_FILE]
        with TemporaryDirectory() as empty:  # otherwise ONNX Runtime searches the current folder
            options.add_session_config_entry("session.model_external_initializers_file_folder_path", empty)
            onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # classes that safetensors and ONNX Runtime do not export
        raise CheckpointError(f"{path} is damaged or has weights in another file. Train the model again.") from error
