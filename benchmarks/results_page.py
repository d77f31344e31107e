"""Page of results, from the finished runs of `compare_backbones.py`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinealign.metrics.evaluation import Evaluation
from spinealign.metrics.registry import format_interval, format_score, percent
from spinealign.reporting.tables import Table
from spinealign.writing import new_file

NUMBERS_FILE = "numbers.json"
PUBLISHED = (  # other published results on the "cervical fracture" set; PUBLISHED_NOTE explains their limits
    ("Keras CNN, InceptionV3, ResNet50V2, Xception", "72.5 to 94.6 %", "images"),
    ("ViT-tiny", "93.5 %", "images"),
    ("MobileNetV2", "99.75 %", "not verifiable"),
)
HEAD = """# Results

Written by `benchmarks/compare_backbones.py`. Each row is one run of `spinealign train` with its defaults, except for
the learning rates of networks with random initial weights, which are listed in the script.

*Naive* intervals treat each image as an independent sample. The interval *over sources* resamples distinct source
slices, because copies of one slice add little information; rows with overlapping intervals over sources may not differ.
The *thumbnail ridge* is a linear model on 16x16 pixels, too few to show a fracture: where it is as accurate as a
network, the split says nothing about fractures. If a collection has no test split, the epoch was selected on the
evaluated images, so these scores are optimistic.

*Initial weights*: `random`, or `pretrained` on ImageNet. Pretrained weights of most networks were not available for
this comparison. The script downloads them with `--pretrained`, and then freezes the convolutions of VGG16 as in the
original system. From random weights, all parameters of VGG16 are trained."""
PUBLISHED_NOTE = """The split of MobileNetV2 cannot be verified; the others are splits by image. The whole set has 21
rotated or sharpened copies of each source slice, so with a split by image nearly every test image has a copy in the
training split. In the available third of the set, every image labeled fracture shows the head and every normal image
the neck. These scores measure how well a model recognizes slices from the training and distinguishes head from neck,
not how well it finds fractures."""
PHANTOM_NOTE = """The positive control: drawn necks, 50 % of them with a break of 1 to 8 mm, in which nothing else is
correlated with the label. A model with high scores here can detect a real finding; the thumbnail ridge cannot. This
needs more training: after one epoch of 800 images no network is more accurate than chance, and only the pretrained one
begins to rank the images, while the networks that are accurate on the real images reached this in the same time without
seeing a fracture. The embedded model was trained on 6,000 phantoms for five epochs; `model_card.md` has its scores.
Networks that are missing here were too slow to train."""

STEPS_NOTE = """Each row trains the same network for the same time with one step changed. `default` is the embedded
model, which was trained without these steps: a row shows the effect of a step after this short training, not of a full
training with it. "No balancing" is relevant for the collection in which one training image in six shows a fracture."""


@dataclass(frozen=True)
class Row:
    """One finished run.

    Attributes:
        table: `backbones` or `preprocessing`.
        name: Name of the row.
        start: Origin of the initial weights.
        evaluation: Scores on the held-out split.
        parameters: Number of all parameters and of the trained ones.
        onnx_mb: Size of `model.onnx` in 10^6 bytes.
        seconds: Wall time of the whole command in seconds.
        cores: CPU threads of the training.
        epochs: Epochs of the training.
    """

    table: str
    name: str
    start: str
    evaluation: Evaluation
    parameters: tuple[int, int]
    onnx_mb: float
    seconds: float
    cores: int
    epochs: float

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Row:
        """Rebuild a row from JSON."""
        return cls(**{**content, "evaluation": Evaluation.from_dict(content["evaluation"])})


def read_rows(work: Path, *, order: Sequence[str]) -> list[Row]:
    """Read all finished runs, real images before phantoms, in the given order of names with other names last."""
    files = work.glob(f"*/{NUMBERS_FILE}")
    rows = [Row.from_dict(json.loads(file.read_text(encoding="utf-8"))) for file in files]
    place = {name: index for index, name in enumerate(order)}
    return sorted(
        rows,
        key=lambda row: (
            row.evaluation.collection.startswith("phantoms"),
            row.evaluation.collection,
            place.get(row.name, len(place)),
            row.name,
        ),
    )


def write_page(path: Path, rows: Sequence[Row], *, latencies: Mapping[str, tuple[float, float]]) -> None:
    """Write the page.

    Args:
        path: File to write; an existing file is replaced.
        rows: Finished runs.
        latencies: Times in milliseconds for one image and for one heat map, by name.
    """
    with new_file(path) as staging:
        staging.write_text(_page(rows, latencies), encoding="utf-8")


def _page(rows: Sequence[Row], latencies: Mapping[str, tuple[float, float]]) -> str:
    sections = [HEAD]
    for table, title in (("backbones", "Backbones"), ("preprocessing", "Preprocessing")):
        chosen = [row for row in rows if row.table == table]
        for collection in dict.fromkeys(row.evaluation.collection for row in chosen):
            part = [row for row in chosen if row.evaluation.collection == collection]
            sections += [f"## {title}: {_where(part)}", _accuracies(part)]
            if table == "backbones":
                sections += [PHANTOM_NOTE] if collection.startswith("phantoms") else [_published(), PUBLISHED_NOTE]
        if chosen and table == "preprocessing":
            sections.append(STEPS_NOTE)
        if chosen and table == "backbones":
            sections += ["## Size and speed", _costs(chosen, latencies)]
    return "\n\n".join(sections) + "\n"


def _where(rows: Sequence[Row]) -> str:
    item = rows[0].evaluation
    return f"{item.collection}, {item.split} ({item.images:,} images of {item.sources:,} sources)"


def _accuracies(rows: Sequence[Row]) -> str:
    header = ("model", "initial weights", "accuracy", "naive 95 %", "95 % over sources", "thumbnail ridge", "AUROC")
    header += ("sensitivity", "specificity", "epochs", "training")
    return Table(header, [_accuracy_cells(row) for row in rows]).markdown()


def _accuracy_cells(row: Row) -> tuple[str, ...]:
    item = row.evaluation
    return (
        row.name,
        row.start,
        percent(item.scores["accuracy"]),
        format_interval("accuracy", item.naive_intervals["accuracy"]),
        format_interval("accuracy", item.intervals["accuracy"]),
        percent(item.thumbnail_ridge_accuracy),
        format_score("auroc", item.scores["auroc"]),
        percent(item.scores["sensitivity"]),
        percent(item.scores["specificity"]),
        f"{row.epochs:g}",
        f"{row.seconds / 60:.1f} min",
    )


def _published() -> str:
    return "Published elsewhere for this set:\n\n" + Table(("model", "accuracy", "split by"), PUBLISHED).markdown()


def _costs(rows: Sequence[Row], latencies: Mapping[str, tuple[float, float]]) -> str:
    fastest = min(image for image, _ in latencies.values())
    newest = {row.name: row for row in rows}
    cells = [
        (
            row.name,
            f"{row.parameters[0]:,}",
            f"{row.parameters[1]:,}",
            f"{row.onnx_mb:.1f} MB",
            f"{latencies[row.name][0]:.1f} ms",
            f"{latencies[row.name][0] / fastest:.1f}",
            f"{latencies[row.name][1] / 1e3:.1f} s",
        )
        for row in newest.values()
    ]
    head = ("model", "parameters", "trained parameters", "model.onnx", "one image", "relative time", "one heat map")
    table = Table(head, cells).markdown()
    cores = " or ".join(str(count) for count in sorted({row.cores for row in rows}))
    return (
        f"{table}\n\nOne image: ONNX Runtime after warm-up, batch size 1, median of 50 runs, all networks in turn in "
        f"one process on {os.cpu_count()} CPU cores.\nTraining times above are wall times of the whole command, "
        f"including audit, evaluation and export, with {cores} CPU threads."
    )
