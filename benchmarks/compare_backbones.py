"""Comparison of all backbones on the real images and on phantoms: tables of docs/results.md.

    python benchmarks/compare_backbones.py --data "cervical fracture" --epochs 2 --phantoms 1000

A backbone is a name from `spinealign.networks.catalog` or a folder of transformers. Networks from the catalog start
from random weights, or with `--pretrained` from ImageNet weights of the Hub; folders start from their own weights.
`--preprocessing` adds tables with the effect of each preprocessing step on phantoms, for one backbone. (On the real
images a pretrained backbone has no errors after one epoch, so no effect would be visible.) Checkpoints are kept below
`--work`, without their PyTorch weights: finished runs are not repeated, and interrupted ones continue.
"""

from __future__ import annotations

import argparse
import csv
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from spinealign import Predictor
from spinealign.checkpoint.files import ONNX_FILE, WEIGHTS_FILE
from spinealign.checkpoint.finding import find_checkpoint
from spinealign.metrics.registry import format_interval, format_score, percent
from spinealign.networks.catalog import BACKBONES
from spinealign.phantoms.axial_neck import draw_phantom
from spinealign.phantoms.phantom_set import write_phantoms
from spinealign.reporting.tables import Table

ROOT = Path(__file__).parent.parent
FIRST_SEED = 30_000_000  # seed of the first phantom; the embedded model was not trained on these
LEARNING_RATES = {  # for training from random weights; the default is for fine-tuning
    "thumbnail_ridge": 1e-2,
    "cnn": 1e-4,
    "vgg16": 1e-4,
    "densenet121": 1e-3,
    "resnet18": 1e-3,
    "resnet50": 1e-3,
    "mobilenet_v2": 1e-3,
}
STILL = "--rotation_deg 0 --shift 0 --zoom 0 --shear 0 --noise 0 --contrast 0 --flip False"
STEPS = {
    "baseline": "",
    "denoise: gaussian": "--denoise gaussian",
    "denoise: median": "--denoise median",
    "denoise: wavelet": "--denoise wavelet",
    "equalize: histogram": "--equalize histogram",
    "equalize: CLAHE": "--equalize clahe",
    "no augmentation": STILL,
    "no balancing": "--balance False",
}
RARE = 6  # in the reduced training split, one image in RARE shows a fracture
SECONDS_FILE = "seconds.txt"  # of the training, in its checkpoint
LATENCY_REPEATS, WARM_UP = 50, 5


def main() -> None:
    options = _parse()
    phantoms = options.work / f"phantoms-{options.phantoms}"
    if not phantoms.is_dir():
        counts = {"train": options.phantoms, "val": options.phantoms // 4, "test": min(options.phantoms // 2, 1000)}
        write_phantoms(phantoms, counts, seed=FIRST_SEED)
    backbones = {Path(backbone).name: _words(options, backbone) for backbone in options.backbones}
    checkpoints: dict[str, Path] = {}
    for data in (options.data, phantoms):
        checkpoints |= compare("backbones", data, backbones, work=options.work)
    if options.preprocessing:
        words = _words(options, options.preprocessing)
        steps = {name: [*words, *step.split()] for name, step in STEPS.items()}
        compare("preprocessing", phantoms, steps, work=options.work)
        few = {name: steps[name] for name in ("baseline", "no balancing")}
        compare("preprocessing", _with_few_fractures(phantoms), few, work=options.work)
    print(f"\nsize and speed\n\n{costs(checkpoints).markdown()}")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the 'cervical fracture' set")
    parser.add_argument("--backbones", nargs="*", default=list(BACKBONES), help="names or folders (default: all names)")
    parser.add_argument("--pretrained", action="store_true", help="start from ImageNet weights of the Hub")
    parser.add_argument("--preprocessing", metavar="BACKBONE", help="backbone for the steps, as name or folder")
    parser.add_argument("--epochs", type=float, default=2, help="epochs of each training (default: %(default)s)")
    parser.add_argument("--phantoms", type=int, default=1000, metavar="N", help="for training (default: %(default)s)")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "comparison", help="folder of the checkpoints")
    return parser.parse_args()


def _words(options: argparse.Namespace, backbone: str) -> list[str]:
    """Return the options of a training with a backbone."""
    words = ["--backbone", backbone, "--num_train_epochs", f"{options.epochs:g}", "--report_to", "none"]
    if backbone in BACKBONES:
        words += [] if options.pretrained else ["--from_scratch"]
        words += ["--learning_rate", str(LEARNING_RATES[backbone])] if backbone in LEARNING_RATES else []
    return [*words, "--disable_tqdm", "True"]


def _with_few_fractures(phantoms: Path) -> Path:
    """Write a manifest of the same phantoms with few fractures in the training split, to test balancing."""
    with (phantoms / "manifest.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    fractures = [row for row in rows if row["split"] == "train" and row["label"] == "fracture"]
    dropped = {row["path"] for index, row in enumerate(fractures) if index % (RARE - 1)}
    path = phantoms / f"{phantoms.name}-1-fracture-in-{RARE}.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, rows[0].keys())
        writer.writeheader()
        writer.writerows(row for row in rows if row["path"] not in dropped)
    return path


def compare(table: str, data: Path, runs: Mapping[str, Sequence[str]], *, work: Path) -> dict[str, Path]:
    """Train what is not finished, print the scores of all runs, and return their checkpoints by name."""
    checkpoints = {name: work / re.sub(r"[^\w.-]", "_", f"{table}-{name}-{data.stem}") for name in runs}
    for name, folder in checkpoints.items():
        if not (folder / SECONDS_FILE).is_file():
            print(f"{table}: {name} on {data.stem}", file=sys.stderr)
            start = time.monotonic()
            command = [sys.executable, ROOT / "train.py", "--data_dir", data, "--output_dir", folder, *runs[name]]
            subprocess.run(command, check=True)
            (folder / WEIGHTS_FILE).unlink()
            (folder / SECONDS_FILE).write_text(str(time.monotonic() - start))
    head = ("model", "initial weights", "accuracy", "naive 95 %", "95 % over sources", "thumbnail ridge", "AUROC",
            "sensitivity", "specificity", "epochs", "training")  # fmt: skip
    rows = [(name, *_scores(folder)) for name, folder in checkpoints.items()]
    print(f"\n{table}: {data.stem}\n\n{Table(head, rows).markdown()}")
    return checkpoints


def _scores(folder: Path) -> tuple[str, ...]:
    record = find_checkpoint(folder).record
    (item,), training = record.evaluations, record.training
    assert training is not None
    return (
        "random" if training.from_scratch else "pretrained",
        percent(item.scores["accuracy"]),
        format_interval("accuracy", item.naive_intervals["accuracy"]),
        format_interval("accuracy", item.intervals["accuracy"]),
        percent(item.thumbnail_ridge_accuracy),
        format_score("auroc", item.scores["auroc"]),
        percent(item.scores["sensitivity"]),
        percent(item.scores["specificity"]),
        f"{training.epochs:g}",
        f"{float((folder / SECONDS_FILE).read_text()) / 60:.1f} min",
    )


def costs(checkpoints: Mapping[str, Path]) -> Table:
    """Measure the median time of each network for one image, all in turn, and the time of one heat map."""
    predictors = {name: Predictor.from_pretrained(folder) for name, folder in checkpoints.items()}
    times: dict[str, list[float]] = {name: [] for name in predictors}
    for _ in range(WARM_UP + LATENCY_REPEATS):
        for name, predictor in predictors.items():
            side = predictor.preprocessing.image_size
            times[name].append(_seconds(predictor.engine, np.zeros((1, 3, side, side), np.float32)))
    image_ms = {name: 1e3 * float(np.median(measured[WARM_UP:])) for name, measured in times.items()}
    phantom, rows = draw_phantom(FIRST_SEED - 1, fractured=True).slice, []
    for name, predictor in predictors.items():
        training = predictor.checkpoint.record.training
        assert training is not None
        size = f"{(checkpoints[name] / ONNX_FILE).stat().st_size / 1e6:.1f} MB"
        relative, heat_map = image_ms[name] / min(image_ms.values()), _seconds(predictor.explain, phantom)
        parameters = (f"{number:,}" for number in training.parameters)
        rows.append((name, *parameters, size, f"{image_ms[name]:.1f} ms", f"{relative:.1f}", f"{heat_map:.1f} s"))
    head = ("model", "parameters", "trained parameters", "model.onnx", "one image", "relative time", "one heat map")
    return Table(head, rows)


def _seconds(work: object, argument: object) -> float:
    start = time.perf_counter()
    work(argument)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
