"""Training of the network for kinds, and its export."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_model
from torch import nn
from torch.nn import functional
from transformers import TrainingArguments, set_seed

from spinealign.alignment.kinds import (
    SETTINGS_FILE,
    SIDE,
    TURNS,
    ImageKind,
    KindSettings,
    Turn,
    kind_input,
    letterbox,
    vote,
)
from spinealign.checkpoint.files import ONNX_FILE, WEIGHTS_FILE
from spinealign.networks.image_kind import ImageKindConfig, ImageKindNetwork
from spinealign.serialization import to_plain
from spinealign.training.export import export_image_kind
from spinealign.training.fold_files import digest_of_code
from spinealign.training.image_kind.dataset import KindDataset, KindExample
from spinealign.training.resuming import unfinished_run
from spinealign.training.trainer import StrictTrainer

VIEWS, BATCH = 6144, 64  # views of an epoch
WRONG_SHARE = 0.01


class KindTrainer(StrictTrainer):
    """Trainer of an `ImageKindNetwork`."""

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, Any], return_outputs: bool = False, **kwargs: Any
    ) -> torch.Tensor | tuple[torch.Tensor, Any]:
        """Return the sum of the losses of kind and orientation; each accepted orientation is right."""
        output = model(pixel_values=inputs["pixel_values"])
        kinds = functional.cross_entropy(output.kind_logits, inputs["kinds"], label_smoothing=0.02)
        shares = functional.log_softmax(output.turn_logits, dim=-1)
        turns = -torch.logsumexp(shares.masked_fill(~inputs["turns"], -torch.inf), dim=-1)
        oriented = (~inputs["turns"]).any(dim=-1).sum()
        loss = kinds + turns.sum() / oriented.clamp(min=1)
        return (loss, output) if return_outputs else loss


def fit_kind_network(examples: Sequence[KindExample], folder: Path, *, epochs: int, seed: int) -> ImageKindNetwork:
    """Train a network, or continue the unfinished run in a folder.

    Raises:
        ValueError: If the folder holds an unfinished run with other options or images.
    """
    arguments = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=epochs,
        per_device_train_batch_size=BATCH,
        learning_rate=4e-3,
        weight_decay=0.02,
        warmup_steps=100,
        max_grad_norm=5.0,
        lr_scheduler_type="cosine",
        save_strategy="epoch",
        save_total_limit=1,
        logging_steps=48,
        report_to="none",
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        use_cpu=True,
        seed=seed,
    )
    checkpoint = unfinished_run(folder, {"run": {"epochs": epochs, "seed": seed, "images": _digest(examples)}})
    set_seed(seed)
    dataset = KindDataset(examples, views=VIEWS, side=SIDE, seed=seed)
    trainer = KindTrainer(
        dataset,
        load=load_kind_network,
        model=ImageKindNetwork(ImageKindConfig()).to(memory_format=torch.channels_last),
        args=arguments,
        train_dataset=dataset,
    )
    trainer.run(checkpoint)
    network: ImageKindNetwork = trainer.trained_network()
    return network


def load_kind_network(folder: str | Path) -> ImageKindNetwork:
    """Load the network of a checkpoint of the Trainer, with every tensor."""
    network = ImageKindNetwork(ImageKindConfig())
    load_model(network, Path(folder) / WEIGHTS_FILE)
    return network


def save_kind_model(
    network: ImageKindNetwork, folder: Path, *, validation: Sequence[KindExample], training: dict[str, Any]
) -> KindSettings:
    """Write the ONNX file and the settings, with limits from validation images that were not trained on."""
    folder.mkdir(parents=True, exist_ok=True)
    export_image_kind(network, folder / ONNX_FILE, side=SIDE)
    settings = replace(fit_limits(network, validation), training=training)
    text = json.dumps(to_plain(settings), indent=2, ensure_ascii=False)
    (folder / SETTINGS_FILE).write_text(text + "\n", encoding="utf-8")
    return settings


def fit_limits(network: ImageKindNetwork, validation: Sequence[KindExample]) -> KindSettings:
    """Return limits that few validation images of other kinds reach, and few that are turned wrongly."""
    network = network.cpu().eval()
    others, turns = [0.5], []
    for example in validation:
        found = _classify(network, example.gray)
        if example.kind == "other":
            others.append(max(share for kind, share in found.probabilities.items() if kind != "other"))
        elif found.kind == example.kind and found.turn is not None:
            turns.append((found.turn_probability, found.turn != Turn()))
    kind_limit = round(float(np.clip(np.quantile(others, 1 - WRONG_SHARE), 0.5, 0.8)), 3)
    return KindSettings(kind_limit=kind_limit, turn_limit=smallest_limit(turns, share=WRONG_SHARE))


def smallest_limit(answers: Sequence[tuple[float, bool]], *, share: float) -> float:
    """Return the smallest limit of the probability in [0.5, 0.95] above which at most a share of the answers is wrong.

    Example:
        >>> smallest_limit([(0.9, False), (0.8, False), (0.7, True), (0.6, False)], share=0.1)
        0.8
    """
    answers = sorted(answers, reverse=True)
    wrong = np.cumsum([is_wrong for _, is_wrong in answers]) / np.arange(1, len(answers) + 1)
    good = np.flatnonzero(wrong <= share)
    return round(float(np.clip(answers[good[-1]][0], 0.5, 0.95)), 3) if len(good) else 0.95


def code_digest() -> str:
    """Return a digest of the code of the network and its training."""
    folder = "training/image_kind"
    return digest_of_code(
        ["networks/image_kind.py", *(f"{folder}/{name}.py" for name in ("augmentation", "dataset", "fitting"))]
    )


def describe_examples(examples: Sequence[KindExample]) -> dict[str, dict[str, int]]:
    """Return the number of images and groups of each source."""
    images = Counter(example.source for example in examples)
    groups = Counter(source for source, _ in {(example.source, example.group) for example in examples})
    return {source: {"images": images[source], "groups": groups[source]} for source in sorted(images)}


def _classify(network: ImageKindNetwork, gray: NDArray[np.uint8]) -> ImageKind:
    """Return what an image shows, without limits."""
    boxed = letterbox(gray, SIDE)
    copies = kind_input(np.stack([copy.apply(boxed) for copy in TURNS])[:, None])
    with torch.inference_mode():
        output = network(torch.from_numpy(copies))
    limits = KindSettings(kind_limit=0, turn_limit=0)
    return vote(output.kind_logits.numpy(), output.turn_logits.numpy(), settings=limits)


def _digest(examples: Sequence[KindExample]) -> str:
    digest = hashlib.sha256()
    for example in examples:
        digest.update(example.gray.tobytes() + example.kind.encode())
    return digest.hexdigest()
