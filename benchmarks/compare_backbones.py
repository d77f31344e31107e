"""Comparison of all backbones on the real images and on phantoms; writes `docs/results.md`.

    python benchmarks/compare_backbones.py --data "cervical fracture" --epochs 2 --phantoms 1000

A backbone is a name from `spinealign.networks.catalog` or a folder of transformers. Networks from the catalog start
from random weights, or with `--pretrained` from ImageNet weights of the Hub; folders start from their own weights.
`--preprocessing` adds a second table with the effect of each preprocessing step on phantoms, for one backbone. (On the
real images a pretrained backbone has no errors after one epoch, so no effect would be visible.) Finished runs are kept
below `--work`, without their PyTorch weights, and are not repeated; interrupted runs resume from the last epoch. At the
end the speed of all networks is measured. The page shows all finished runs.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from results_page import NUMBERS_FILE, read_rows, write_page

from spinealign import Predictor
from spinealign.networks.catalog import BACKBONES
from spinealign.phantoms.axial_neck import draw_phantom
from spinealign.phantoms.phantom_set import write_phantoms
from spinealign.writing import new_file

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
STILL = ("--rotation_deg", "0", "--shift", "0", "--zoom", "0", "--shear", "0", "--noise", "0", "--contrast", "0")
STEPS = {
    "baseline": (),
    "denoise: gaussian": ("--denoise", "gaussian"),
    "denoise: median": ("--denoise", "median"),
    "denoise: wavelet": ("--denoise", "wavelet"),
    "equalize: histogram": ("--equalize", "histogram"),
    "equalize: CLAHE": ("--equalize", "clahe"),
    "no augmentation": (*STILL, "--flip", "False"),
    "no balancing": ("--balance", "False"),
}
RARE = 6  # in the reduced training split, one image in RARE shows a fracture
LATENCY_REPEATS = 50


@dataclass(frozen=True)
class Run:
    """One training of the comparison.

    Attributes:
        table: `backbones` or `preprocessing`.
        name: Name of the row.
        backbone: Name from the catalog, or folder.
        data: Folder or manifest of the collection.
        epochs: Number of epochs.
        words: Further arguments of `train.py`.
    """

    table: str
    name: str
    backbone: str
    data: Path
    epochs: float
    words: tuple[str, ...]

    @property
    def start(self) -> str:
        """Origin of the initial weights, in the second table with the name of the backbone."""
        weights = "random" if "--from_scratch" in self.words else "pretrained"
        return weights if self.table == "backbones" else f"{Path(self.backbone).name}, {weights}"

    def folder(self, work: Path) -> Path:
        """Return the folder of the results."""
        words = f"{'' if self.table == 'backbones' else 'preprocessing-'}{self.name}-{self.data.stem}"
        return work / "".join(letter if letter.isalnum() or letter in "_-." else "_" for letter in words)

    def command(self, folder: Path) -> list[str]:
        """Return the command of the training."""
        model = ["--model_name_or_path", self.backbone, "--output_dir", str(folder / "model")]
        length = ["--num_train_epochs", f"{self.epochs:g}"]
        return [sys.executable, str(ROOT / "train.py"), "--data_dir", str(self.data), *model, *length, *self.words]


def main() -> None:
    options = _parse()
    work = options.work.resolve()
    phantoms = _phantoms(work, options.phantoms)
    runs = [*_backbone_runs(options, phantoms), *_preprocessing_runs(options, phantoms)]
    for number, run in enumerate(runs, start=1):
        folder = run.folder(work)
        _forget_other_command(run, folder)
        if not (folder / NUMBERS_FILE).is_file():
            print(f"[{number}/{len(runs)}] {run.name} on {run.data.stem}", flush=True)
            _execute(run, folder)
    rows = read_rows(work, order=[*BACKBONES, *STEPS])
    write_page(options.output, rows, latencies=_latencies(work))
    print(f"Wrote {options.output}")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the 'cervical fracture' set")
    parser.add_argument("--backbones", nargs="*", default=list(BACKBONES), help="names or folders (default: all names)")
    parser.add_argument("--pretrained", action="store_true", help="start from ImageNet weights of the Hub")
    parser.add_argument("--preprocessing", metavar="BACKBONE", help="backbone of the second table, as name or folder")
    parser.add_argument("--epochs", type=float, default=2, help="epochs of each training (default: %(default)s)")
    parser.add_argument(
        "--phantoms", type=int, default=1000, metavar="N", help="training phantoms (default: %(default)s)"
    )
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "results.md", help="page to write")
    parser.add_argument(
        "--work",
        type=Path,
        default=ROOT / "build" / "comparison",
        help="folder of the finished runs",
    )
    return parser.parse_args()


def _backbone_runs(options: argparse.Namespace, phantoms: Path) -> Iterator[Run]:
    for data in (options.data.resolve(), phantoms):
        for backbone in options.backbones:
            yield Run("backbones", Path(backbone).name, backbone, data, options.epochs, _words(options, backbone))


def _preprocessing_runs(options: argparse.Namespace, phantoms: Path) -> Iterator[Run]:
    if not options.preprocessing:
        return
    words = _words(options, options.preprocessing)
    for name, step in STEPS.items():
        yield Run("preprocessing", name, options.preprocessing, phantoms, options.epochs, (*words, *step))
    reduced = _reduced(phantoms)
    for name in ("baseline", "no balancing"):
        yield Run("preprocessing", name, options.preprocessing, reduced, options.epochs, (*words, *STEPS[name]))


def _words(options: argparse.Namespace, backbone: str) -> tuple[str, ...]:
    words = ["--report_to", "none", "--disable_tqdm", "True"]
    if backbone in BACKBONES:
        words += [] if options.pretrained else ["--from_scratch"]
        words += ["--learning_rate", str(LEARNING_RATES[backbone])] if backbone in LEARNING_RATES else []
    return tuple(words)


def _phantoms(work: Path, count: int) -> Path:
    """Return the folder of the phantoms, and draw them if it does not exist."""
    folder = work / f"phantoms-{count}"
    if not folder.is_dir():
        write_phantoms(folder, {"train": count, "val": count // 4, "test": min(count // 2, 1000)}, seed=FIRST_SEED)
    return folder


def _reduced(phantoms: Path) -> Path:
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


def _forget_other_command(run: Run, folder: Path) -> None:
    """Delete the results of a run with other options."""
    stored = folder / "command.json"
    command = run.command(folder)[1:]
    if folder.is_dir() and (not stored.is_file() or json.loads(stored.read_text(encoding="utf-8")) != command):
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    stored.write_text(json.dumps(command), encoding="utf-8")


def _execute(run: Run, folder: Path) -> None:
    """Train, store the results, and delete the PyTorch weights."""
    spent = folder / "seconds.txt"
    before, start = float(spent.read_text()) if spent.is_file() else 0.0, time.monotonic()
    try:
        subprocess.run(run.command(folder), check=True, env={**os.environ, "HF_HUB_DISABLE_TELEMETRY": "1"})
    finally:  # for resumed runs, add the time of the earlier part
        seconds = before + time.monotonic() - start
        spent.write_text(str(seconds))
    numbers = {
        "table": run.table,
        "name": run.name,
        "start": run.start,
        "epochs": run.epochs,
        "seconds": seconds,
        **_measure(folder / "model"),
    }
    with new_file(folder / NUMBERS_FILE) as staging:
        staging.write_text(json.dumps(numbers, indent=2), encoding="utf-8")
        (folder / "model" / "model.safetensors").unlink()


def _measure(checkpoint: Path) -> dict[str, Any]:
    metrics = json.loads((checkpoint / "metrics.json").read_text(encoding="utf-8"))
    (evaluation,) = metrics["evaluations"]
    return {
        "evaluation": evaluation,
        "parameters": metrics["training"]["parameters"],
        "onnx_mb": (checkpoint / "model.onnx").stat().st_size / 1e6,
        "cores": int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1)),
    }


def _latencies(work: Path) -> dict[str, tuple[float, float]]:
    """Measure the speed of each backbone of the first table, all in turn.

    Returns:
        For each name, the median time of the network for one image and the time of one heat map, in milliseconds.
    """
    predictors = {}
    for file in sorted(work.glob(f"*/{NUMBERS_FILE}")):
        numbers = json.loads(file.read_text(encoding="utf-8"))
        if numbers["table"] == "backbones":
            predictors[numbers["name"]] = Predictor.from_pretrained(file.parent / "model")
    random = np.random.default_rng(0)
    times: dict[str, list[float]] = {name: [] for name in predictors}
    for _ in range(LATENCY_REPEATS + 5):
        for name, predictor in predictors.items():
            side = predictor.preprocessing.image_size
            pixel_values = random.normal(size=(1, 3, side, side)).astype(np.float32)
            start = time.perf_counter()
            predictor.engine(pixel_values)
            times[name].append(time.perf_counter() - start)
    maps = {name: _heat_map_ms(predictor) for name, predictor in predictors.items()}
    return {name: (float(np.median(measured[5:])) * 1e3, maps[name]) for name, measured in times.items()}


def _heat_map_ms(predictor: Predictor) -> float:
    image = draw_phantom(FIRST_SEED - 1, fractured=True).slice
    start = time.perf_counter()
    predictor.explain(image)
    return (time.perf_counter() - start) * 1e3


if __name__ == "__main__":
    main()
