"""Write the page of results from what lies in the work folder of `compare_backbones.py`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinealign.metrics.evaluation import Evaluation, percent
from spinealign.reporting.evaluation_text import format_interval, format_score

NUMBERS_FILE = "numbers.json"
PUBLISHED = (  # what else is known of the "cervical fracture" set; CONTRIBUTING.md tells why none of it means much
    ("Keras CNN, InceptionV3, ResNet50V2, Xception", "72.5 to 94.6 %", "images"),
    ("ViT-tiny", "93.5 %", "images"),
    ("MobileNetV2", "99.75 %", "not verifiable"),
)
HEAD = """# Results

Written by `benchmarks/compare_backbones.py`; each row is one whole `spinealign train` with its defaults, except for the
learning rates that the script names for networks from random weights.

*Naive* intervals take each image for a trial of its own. The interval *over sources* draws distinct source slices,
because the copies of one slice say little that is new; rows whose intervals over sources overlap may not differ at
all. The *thumbnail ridge* is a linear model on 16x16 pixels, too few for any fracture: where it does as well as a
network, the split says nothing about fractures. Where a collection has no test part, the epoch was chosen on the very
images that are scored, so the numbers there are optimistic.

*First weights*: `random`, or `pretrained` ones of ImageNet. Pretrained weights of most networks could not be fetched
where this page was written; the script takes them with `--pretrained`, and then freezes the convolutions of VGG16 as
the original system did. From random weights all its parameters are trained."""
PUBLISHED_NOTE = """The split of MobileNetV2 cannot be verified; the others are splits by image. In the whole set each
source slice stands 21 times, turned and sharpened, so a split by image gives nearly every test image a copy of itself
in the training part. In the third of the set that could be had, every fracture shows the head and every normal image
the neck. The figures say how well a model recognises slices that it has seen, and tells a head from a neck; they say
nothing about how well it finds fractures."""
PHANTOM_NOTE = """The positive control: drawn necks, half of them with a break of 1 to 8 mm, in which nothing else gives
the label away. A model that does well here can find a real finding; the thumbnail ridge cannot. It takes time: after
one epoch of 800 no network calls breaks better than guessing, and only the pretrained one begins to rank them, while
those that are right on the real images got there in the same time without a fracture to see. The embedded model saw
6,000 in each of five epochs; `model_card.md` has its numbers. A network that is missing here was too slow to train."""

STEPS_NOTE = """Each row trains the same network for the same time with one step changed. `default` is the embedded
model, which never saw the steps before: a row says what a step costs or brings within this time, not what it would be
worth from the start. "No balancing" is meant for the collection in which one training image in six is a fracture."""


@dataclass(frozen=True)
class Row:
    """One finished run.

    Attributes:
        table: `backbones` or `preprocessing`.
        name: What the row is called.
        start: Where the weights came from.
        evaluation: What was measured on the held-out part.
        parameters: All parameters of the network, and those that were trained.
        onnx_mb: Size of `model.onnx` in 10^6 bytes.
        seconds: Wall time of the training with everything around it.
        cores: CPU cores that trained it.
        epochs: Of the training.
    """

    table: str
    name: str
    start: str
    evaluation: Evaluation
    parameters: dict[str, int]
    onnx_mb: float
    seconds: float
    cores: int
    epochs: float

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Row:
        """Rebuild a row from JSON."""
        return cls(**{**content, "evaluation": Evaluation.from_dict(content["evaluation"])})


def read_rows(work: Path, *, order: Sequence[str]) -> list[Row]:
    """Return the rows of all finished runs, real images before phantoms, names in the given order and then others."""
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
    """Write the page beside its place, and rename it.

    Args:
        path: The page.
        rows: The finished runs.
        latencies: For each name the milliseconds of one image and of one heat map.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    staging = path.with_name(f".{path.name}.part")
    staging.write_text(_page(rows, latencies), encoding="utf-8")
    os.replace(staging, path)


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
    header = ("model", "first weights", "accuracy", "naive 95 %", "95 % over sources", "thumbnail ridge", "AUROC")
    header += ("sensitivity", "specificity", "epochs", "training")
    return _table(header, [_accuracy_cells(row) for row in rows])


def _accuracy_cells(row: Row) -> tuple[str, ...]:
    item = row.evaluation
    return (
        row.name,
        row.start,
        percent(item.scores.accuracy),
        format_interval("accuracy", item.naive_intervals["accuracy"]),
        format_interval("accuracy", item.intervals["accuracy"]),
        percent(item.thumbnail_ridge_accuracy),
        format_score("auroc", item.scores.auroc),
        percent(item.scores.sensitivity),
        percent(item.scores.specificity),
        f"{row.epochs:g}",
        f"{row.seconds / 60:.1f} min",
    )


def _published() -> str:
    return "Published elsewhere for this set:\n\n" + _table(("model", "accuracy", "split by"), PUBLISHED)


def _costs(rows: Sequence[Row], latencies: Mapping[str, tuple[float, float]]) -> str:
    fastest = min(image for image, _ in latencies.values())
    newest = {row.name: row for row in rows}
    cells = [
        (
            row.name,
            f"{row.parameters['all']:,}",
            f"{row.parameters['trained']:,}",
            f"{row.onnx_mb:.1f} MB",
            f"{latencies[row.name][0]:.1f} ms",
            f"{latencies[row.name][0] / fastest:.1f}",
            f"{latencies[row.name][1] / 1e3:.1f} s",
        )
        for row in newest.values()
    ]
    table = _table(
        ("model", "parameters", "of them trained", "model.onnx", "one image", "times the fastest", "one heat map"),
        cells,
    )
    cores = " or ".join(str(count) for count in sorted({row.cores for row in rows}))
    return (
        f"{table}\n\nOne image: through ONNX Runtime, warm, batch 1, the median of 50, all networks in turn in one "
        f"run on {os.cpu_count()} CPU cores.\nTraining times above are wall times of the whole command, audit, "
        f"evaluation and export included, with {cores} threads on CPU."
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
