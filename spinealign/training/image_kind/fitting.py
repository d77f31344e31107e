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
    kind_input,
    letterbox,
    vote,
)
from spinealign.checkpoint.files import ONNX_FILE, WEIGHTS_FILE
from spinealign.networks.image_kind import ImageKindConfig, ImageKindNetwork
from spinealign.serialization import to_plain
from spinealign.training.export import export_image_kind
from spinealign.training.image_kind.dataset import KindDataset, KindExample
from spinealign.training.resuming import unfinished_run
from spinealign.training.trainer import StrictTrainer

VIEWS, BATCH = 6144, 64


class KindTrainer(StrictTrainer):
    """Trainer of an `ImageKindNetwork`."""

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, Any], return_outputs: bool = False, **kwargs: Any
    ) -> torch.Tensor | tuple[torch.Tensor, Any]:
        """Return the sum of the losses of kind and orientation; each accepted orientation is right."""
        output = model(pixel_values=inputs["pixel_values"])
        kinds = functional.cross_entropy(output.kind_logits, inputs["kinds"], label_smoothing=0.02)
        shares = functional.log_softmax(output.turn_logits, dim=-1)
        turns = -torch.logsumexp(shares.masked_fill(~inputs["turns"], -torch.inf), dim=-1).mean()
        loss = kinds + turns
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
        model=ImageKindNetwork(ImageKindConfig()),
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
    """Return limits so that what is accepted in turned validation images is right."""
    settings = KindSettings(kind_limit=0, turn_limit=0)
    network = network.cpu().eval()
    wrong_kinds, wrong_turns = [0.5], [0.5]
    for number, example in enumerate(validation):
        turn = TURNS[number % len(TURNS)] if example.kind in ("sagittal_mr", "frontal_xray") else TURNS[0]
        found = _classify(network, turn.apply(example.gray), settings)
        if found.kind != example.kind:
            wrong_kinds += [found.probability] if found.kind != "other" else []
        elif found.turn is not None and (
            found.turn.quarters,
            found.turn.mirrored and example.kind == "sagittal_mr",
        ) != (turn.inverse.quarters, turn.inverse.mirrored and example.kind == "sagittal_mr"):
            wrong_turns.append(found.turn_probability)
    return replace(
        settings,
        kind_limit=round(float(np.clip(max(wrong_kinds) + 0.01, 0.5, 0.8)), 3),
        turn_limit=round(float(np.clip(max(wrong_turns) + 0.01, 0.5, 0.9)), 3),
    )


def describe_examples(examples: Sequence[KindExample]) -> dict[str, dict[str, int]]:
    """Return the number of images and groups of each source."""
    images = Counter(example.source for example in examples)
    groups = Counter(source for source, _ in {(example.source, example.group) for example in examples})
    return {source: {"images": images[source], "groups": groups[source]} for source in sorted(images)}


def _classify(network: ImageKindNetwork, gray: NDArray[np.uint8], settings: KindSettings) -> ImageKind:
    boxed = letterbox(gray, SIDE)
    copies = np.stack([copy.apply(boxed) for copy in TURNS])[:, None]
    with torch.inference_mode():
        output = network(torch.from_numpy(kind_input(copies)))
    return vote(output.kind_logits.numpy(), output.turn_logits.numpy(), settings=settings)


def _digest(examples: Sequence[KindExample]) -> str:
    digest = hashlib.sha256()
    for example in examples:
        digest.update(example.gray.tobytes() + example.kind.encode())
    return digest.hexdigest()
