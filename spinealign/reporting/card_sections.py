"""The sections of the model card, each written from what was measured."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import MISSING, Field, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

from transformers import TrainingArguments

from spinealign.checkpoint.record import PACKAGES, TrainingRecord
from spinealign.cohort.cohort import Cohort
from spinealign.cohort.splitting import find_leaks
from spinealign.metrics.evaluation import Evaluation, percent
from spinealign.metrics.scores import SizeBin
from spinealign.networks.catalog import BACKBONES
from spinealign.training.arguments import DEFAULTS, TrainingSetup

_UNTOLD = re.compile(
    "output_dir|disable_tqdm|report_to|run_name|push_to_hub|hub_|log|local_rank|trackio|do_eval|accelerator_config"
)


def intended_use_section() -> str:
    """Return what the model is for and what it is not for."""
    return (
        "## Intended use and misuse\n\n"
        "For research and teaching: to compare methods on the collections below, to test software that serves slice "
        "classifiers, to learn what such numbers are worth. Its users are engineers and researchers.\n\n"
        "Not for diagnosis, triage, second reading or any other decision about a person; not for other parts of the "
        "body, other modalities, whole studies, or scanners and patients that are not in the table above. It sees one "
        "slice and says one of two words; it names no vertebra, no type and no severity, and an absent finding is no "
        "sign of health."
    )


def decision_section(record: TrainingRecord) -> str:
    """Return how probabilities were calibrated and where a slice is called a fracture."""
    decision = record.decision
    wanted = (
        ""
        if decision.target_sensitivity is None
        else f" It calls at least {decision.target_sensitivity:.0%} of the fractures there, and as little else as that "
        "allows."
    )
    return (
        "## Calibration and operating point\n\n"
        f"Logits are divided by a temperature of **{decision.temperature:.3f}**; a slice is called a fracture from a "
        f"calibrated probability of **{decision.operating_point:.4f}** on.{wanted} {decision.note} "
        f"Distinct sources used: {decision.sources}. Both numbers lie in `spinealign.json`; plain transformers knows "
        "neither, so its probabilities are not calibrated."
    )


def abstention_section(record: TrainingRecord) -> str:
    """Return when an image is rejected as unknown."""
    novelty = record.novelty
    shares = "; ".join(f"{percent(share)} of {name}" for name, share in novelty.rejected.items())
    unseen = "; ".join(f"{percent(share)} of {name}" for name, share in novelty.rejected_unseen.items())
    return (
        "## What it does not know\n\n"
        f"An image whose Mahalanobis distance from the training images exceeds **{novelty.threshold:.2f}** is not "
        "accepted, and its probabilities are not to be relied on. The distance is taken in the features of the middle "
        "of the network, to the nearest class of a collection. The threshold was chosen so that at most 5 % of the "
        f"held-out images of each collection are rejected, each source counting alike ({novelty.sources} sources: "
        f"{shares}), so these shares are no measurement. Limits that are chosen on four fifths of these sources reject "
        f"of the last fifth: {unseen}. Images that are too small, dark, bright, blurred, empty, coloured or oblong are "
        "rejected before."
    )


def failure_section(record: TrainingRecord, size_curve: str) -> str:
    """Return where the model fails."""
    lines = [
        f"- **{item.collection} ({item.split})**: {item.confusion.fn} of {item.confusion.fn + item.confusion.tp} "
        f"fractures were missed, {item.confusion.fp} of {item.confusion.fp + item.confusion.tn} normal images called a "
        "fracture."
        for item in record.evaluations
    ]
    sizes = [_size_table(item) for item in record.evaluations if item.sensitivity_by_size]
    picture = [f"![Sensitivity over size]({size_curve})"] if sizes else []
    return "\n\n".join(["## Failure cases", "\n".join(lines), *sizes, *picture])


def _size_table(item: Evaluation) -> str:
    rows = "\n".join(
        f"| {_range(entry)} | {entry.count} | {percent(entry.sensitivity)} |" for entry in item.sensitivity_by_size
    )
    return (
        f"### Sensitivity over the size of the finding, {item.collection} ({item.split})\n\n"
        f"| size in mm | findings | sensitivity |\n|---|---|---|\n{rows}\n| **3 and more** | | "
        f"**{percent(item.sensitivity_from(3.0))}** |"
    )


def _range(entry: SizeBin) -> str:
    return f"{entry.from_mm:.0f} and more" if entry.to_mm is None else f"{entry.from_mm:.0f} to {entry.to_mm:.0f}"


def data_section(record: TrainingRecord, cohorts: Sequence[Cohort], *, on_leakage: str) -> str:
    """Return what the model was trained on, and what the audit says of it."""
    return "## Data\n\n" + "\n".join(line for cohort in cohorts for line in _data_lines(record, cohort, on_leakage))


def _data_lines(record: TrainingRecord, cohort: Cohort, on_leakage: str) -> list[str]:
    parts = [
        f"{split}: {len(cohort.part(split))} images of {len(cohort.part(split).sources)} sources"
        for split in cohort.splits
    ]
    lines = [f"- **{cohort.name}**: {'; '.join(parts)}."]
    shared = find_leaks(cohort)
    if shared:
        lines.append(
            f"  - **Leakage was kept** (`--on_leakage {on_leakage}`): {len(shared)} sources stand in more than one "
            "split, so the numbers above are not those of unseen slices."
        )
    if cohort.dropped:
        lines.append(f"  - Copies left out because their source slice stands in a later split too: {cohort.dropped}.")
    return lines + [f"  - audit: {sentence}" for sentence in record.audits.get(cohort.name, ())]


def training_section(setup: TrainingSetup, record: TrainingRecord, *, learning_curves: str) -> str:
    """Return how the model was trained, and how to do it again."""
    training = setup.training
    start = "random weights in the shape of" if setup.model.from_scratch else "the pretrained weights of"
    everything, trained = record.parameters
    return "\n\n".join([
        "## Training",
        f"Trained from {start} `{backbone_name(setup)}` ({everything:,} parameters, {trained:,} of them trained) for "
        f"up to {training.num_train_epochs:g} epochs, learning rate {training.learning_rate:g}, batch "
        f"{training.per_device_train_batch_size}, seed {training.seed}; "
        f"{'class-weighted' if setup.data.balance else 'unweighted'} loss; {_kept_epoch(training)} is kept. Weights "
        f"are stored as {setup.model.weights_dtype}.",
        f"![Learning curves]({learning_curves})",
        "### How to reproduce",
        f"```bash\n{command_line(setup)}\n```",
        "The same seed on the same machine gives the same metrics. Environment: "
        + ", ".join(f"{name} {version(name)}" for name in PACKAGES)
        + ".",
    ])  # fmt: skip


def backbone_name(setup: TrainingSetup) -> str:
    """Return the Hub id of the backbone, or the name of its folder without the path."""
    path = Path(setup.model.model_name_or_path)
    return path.resolve().name if path.is_dir() else setup.model.model_name_or_path


def _kept_epoch(training: TrainingArguments) -> str:
    if not training.load_best_model_at_end:
        return "the last epoch"
    return (
        f"the epoch with the {'highest' if training.greater_is_better else 'lowest'} {training.metric_for_best_model}"
    )


def command_line(setup: TrainingSetup) -> str:
    """Return the command that trains such a model again; of folders it knows the names alone."""
    words = ["spinealign", "train", "--data_dir", *(_name(data) for data in setup.data.data_dir)]
    words += ["--model_name_or_path", backbone_name(setup)]
    for group in (setup.data, setup.model, setup.augmentation, setup.enhancement):
        for item in fields(group):
            value = getattr(group, item.name)
            if item.name not in ("data_dir", "model_name_or_path", "card_notes") and value != item.default:
                words += _option(item.name, value)
    for item in fields(TrainingArguments):
        value, standard = getattr(setup.training, item.name), _standard(item)
        told = value != standard and (value or standard)  # transformers makes False of None, and a list of nothing
        if item.init and told and not _UNTOLD.match(item.name):
            words += _option(item.name, value)
    return shlex.join(words)


def _standard(item: Field[Any]) -> Any:
    """Return the default of a training argument; making them all would end the group of processes that trains."""
    default = item.default if item.default_factory is MISSING else item.default_factory()
    return DEFAULTS.get(item.name, default)


def _name(data: str) -> str:
    return Path(data).resolve().name if Path(data).exists() else data


def _option(name: str, value: Any) -> list[str]:
    if value is True:
        return [f"--{name}"]
    if isinstance(value, list):
        return [f"--{name}", *map(str, value)]
    if isinstance(value, dict):
        return [f"--{name}", json.dumps(value)]
    return [f"--{name}", str(getattr(value, "value", value))]


def usage_section(name: str, setup: TrainingSetup) -> str:
    """Return how to load the model."""
    folder = f"path/to/{name.rsplit('/', maxsplit=1)[-1]}"
    ours = f'## How to use\n\n```python\nimport spinealign\n\nspinealign.predict("slice.png", model="{folder}")\n```'
    backbone = BACKBONES.get(setup.model.model_name_or_path)
    if backbone is not None and backbone.is_own:
        return (
            f"{ours}\n\ntransformers does not have this architecture; `import spinealign.networks` makes it known to "
            "its auto classes."
        )
    return (
        f"{ours}\n\nor, without calibration and without the right to abstain, with plain transformers:\n\n"
        f'```python\nfrom transformers import pipeline\n\npipeline("image-classification", model="{folder}")'
        '("slice.png")\n```'
    )
