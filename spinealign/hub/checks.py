"""Checks of a checkpoint before it is published."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from math import isclose, nan
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from spinealign.alignment.aligner import Aligner
from spinealign.checkpoint import files
from spinealign.checkpoint.checkpoint import AnyRecord, AnySettings, Checkpoint
from spinealign.checkpoint.sagittal_record import SagittalRecord
from spinealign.checkpoint.vertebra_record import VertebraRecord
from spinealign.errors import CheckpointError
from spinealign.inference.predictor import Predictor
from spinealign.reading.kinds import PNG, kind_of
from spinealign.reporting.model_card import render_card
from spinealign.reporting.sagittal_card import HEADLINE, SPLIT, published_figures

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
    loader = Aligner if _finds_vertebrae(folder) else Predictor
    checkpoint = loader.from_pretrained(folder).checkpoint  # refuses pickles
    present = files.checkpoint_files(folder)
    missing = [name for name in files.NEEDED[checkpoint.task] if name not in present]
    if missing:
        remedy = files.weights_hint(folder) or " Run spinealign train, which writes all files."
        raise CheckpointError(f"{folder} has no {', '.join(missing)}.{remedy}")
    _check_weights(present)
    for name in files.PLOTS:
        if name in present and kind_of(present[name].read_bytes()) is not PNG:
            raise CheckpointError(f"{present[name]} is not a PNG file. Train the model again.")
    record, settings = checkpoint.described
    if not record.evaluations:
        raise CheckpointError(f"{files.METRICS_FILE} of {checkpoint.name} has no evaluation. Train it again.")
    card = read_card(present[files.CARD_FILE])
    gaps = [*unfinished(f"{record.notes}\n{card}", present=present), *_metadata_gaps(card, record)]
    if checkpoint.task == "vertebrae" or checkpoint.read_json(files.SETTINGS_FILE)["format_version"] > 1:
        gaps += _record_gaps(card, record, settings)
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


def _finds_vertebrae(folder: Path) -> bool:
    """Return the task that `config.json` names; a missing or damaged file is reported when the model is loaded."""
    try:
        return Checkpoint(folder, str(folder)).task == "vertebrae"
    except CheckpointError:
        return False


def _record_gaps(card: str, record: AnyRecord, settings: AnySettings) -> list[str]:
    """Return what a record lacks, and what a card lacks of the rendered record, one phrase each."""
    needed = {"name": record.name, "training": record.training, "collections": record.collections}
    gaps = [f"{files.METRICS_FILE} has no {name}" for name, value in needed.items() if not value]
    if gaps:
        return gaps
    body = render_card(record, settings).split("\n---\n", maxsplit=1)[-1]
    stated = re.findall(r"^[#|].*|\*\*[\d.]+\*\*", body, flags=re.MULTILINE)  # the numbers of the decision are bold
    missing = [text for text in dict.fromkeys(stated) if text not in card]
    return [f"it lacks {len(missing)} headings, table rows or numbers, such as {missing[0]!r}"] if missing else []


def _metadata_gaps(card: str, record: AnyRecord) -> list[str]:
    """Return where the metadata of a card differs from the record, one phrase each."""
    from huggingface_hub import ModelCard

    try:
        data: Any = ModelCard(card, ignore_metadata_errors=False).data
    except Exception as error:  # YAML errors and ValueErrors of several kinds
        return [f"its metadata cannot be read ({type(error).__name__})"]
    tag, score, measured = _headline(record)
    gaps = [] if "spinealign" in (data.tags or ()) else ["its tags lack spinealign"]
    if data.pipeline_tag != tag:
        gaps.append(f"its pipeline_tag is not {tag}")
    published = {
        (row.dataset_name, row.dataset_split): row.metric_value
        for row in data.eval_results or ()
        if row.metric_type == score and not row.dataset_config and isinstance(row.metric_value, int | float)
    }
    return gaps + [
        f"its model-index lacks the {score} on {collection} ({split}) of {files.METRICS_FILE}"
        for (collection, split), value in measured.items()
        if not isclose(published.get((collection, split), nan), value, abs_tol=1e-4)
    ]


def _headline(record: AnyRecord) -> tuple[str, str, dict[tuple[str, str], float]]:
    """Return the pipeline tag of a card, the score that its metadata must state, and its value on each set."""
    if isinstance(record, VertebraRecord):
        measured = {(item.collection, item.part): item.scores["smape"].value for item in record.evaluations}
        return "keypoint-detection", "smape", measured
    if isinstance(record, SagittalRecord):
        figures = (item for item in published_figures(record) if item.name == HEADLINE)
        return "image-segmentation", HEADLINE, {(item.part, SPLIT): item.estimate.value for item in figures}
    measured = {(item.collection, item.split): item.scores["accuracy"] or 0.0 for item in record.evaluations}
    return "image-classification", "accuracy", measured


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
        with TemporaryDirectory() as empty:  # otherwise ONNX Runtime searches the current folder
            options.add_session_config_entry("session.model_external_initializers_file_folder_path", empty)
            for path in [path for path in present.values() if path.suffix == ".onnx"]:
                onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # classes that safetensors and ONNX Runtime do not export
        raise CheckpointError(f"{path} is damaged or has weights in another file. Train the model again.") from error
