"""Training and figures of the embedded model of image kinds.

    make kind-model
    make kind-figures

The network tells the kinds and the orientation of the collections of this project. It is trained here and not with
`spinealign train`, because what is an image of another kind is a list of sources, not an option.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Literal, get_args
from zlib import crc32

import numpy as np
from PIL import Image
from tqdm import tqdm

from spinealign.alignment.kinds import FOLDER, KINDS, TURNS, Kind, classify_kind, kind_gray
from spinealign.errors import ImageError
from spinealign.imaging.slice import Slice
from spinealign.imaging.volume import Volume
from spinealign.metrics.intervals import wilson_interval
from spinealign.phantoms.axial_neck import draw_phantom
from spinealign.phantoms.frontal_spine import draw_frontal_spine, random_curve
from spinealign.phantoms.lateral_spine import draw_lateral_spine
from spinealign.phantoms.other_regions import OTHER_REGIONS
from spinealign.phantoms.sagittal_spine import draw_sagittal_spine
from spinealign.reading.slices import read_slice
from spinealign.reading.volumes import read_volume
from spinealign.reporting.tables import Table
from spinealign.training.image_kind.dataset import KindExample, stored_gray
from spinealign.training.image_kind.fitting import code_digest, describe_examples, fit_kind_network, save_kind_model

Role = Literal["train", "validation", "test"]
ROLES: tuple[Role, ...] = get_args(Role)
SEED, EPOCHS, PHANTOMS = 0, 14, 80
FIRST_TEST_SEED = 30_000_000  # of phantoms
HELD_OUT_NECK = "CSFDV1B11"  # series
PLANES = (2, 6, 10, 14, 18)  # of the 21 sagittal planes of a volume
LEAST_SHOWN = 0.35  # share of a slice of the numbered set that is not black; others show no spine
ORIENTED = ("sagittal_mr", "frontal_xray")
ANSWERS = ("right", "wrong", "asks")
CARD = Path("docs/kind_model.md")


@dataclass(frozen=True)
class Entry:
    """An image of a collection that is not read yet."""

    kind: Kind
    source: str
    group: str
    role: Role
    load: Callable[[], Slice]

    def example(self) -> KindExample:
        """Read the image."""
        return KindExample(stored_gray(kind_gray(self.load())), self.kind, self.source, self.group)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the collections")
    parser.add_argument("--train", type=Path, metavar="FOLDER", help="train in this folder, and replace the model")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="epochs of the training (default: %(default)s)")
    options = parser.parse_args()
    entries = list(collections(options.data))
    if options.train:
        train(entries, options.train, options.epochs)
    tables, seconds = measure([entry for entry in entries if entry.role == "test"])
    print(*(table.text() for table in tables), f"Median of {1000 * seconds:.1f} ms an image.", sep="\n\n")
    if options.train:
        text = "\n\n".join([CARD.read_text(encoding="utf-8").strip(), *(table.markdown() for table in tables)])
        (FOLDER / "README.md").write_text(f"{text}\n", encoding="utf-8")
        shutil.rmtree(options.train)


def train(entries: Sequence[Entry], folder: Path, epochs: int) -> None:
    """Train on the training part, and embed the model."""
    chosen = [entry for entry in entries if entry.role != "test"]
    images = [entry.example() for entry in tqdm(chosen, desc="reading", unit="image", disable=None)]
    parts = {role: [image for image, entry in zip(images, chosen) if entry.role == role] for role in ROLES}
    network = fit_kind_network(parts["train"], folder, epochs=epochs, seed=SEED)
    facts = {"code": code_digest(), "seed": SEED, "epochs": epochs, "sources": describe_examples(parts["train"])}
    print(save_kind_model(network, FOLDER, validation=parts["validation"], training=facts))


def collections(data: Path) -> Iterator[Entry]:
    """Yield the images of all collections and drawn ones."""
    yield from spider(data / "spider")
    yield from lumbar_volumes(data / "lumbar_mri")
    yield from necks(data)
    for path in sorted((data / "scoliosis_xray").glob("*/*.webp")):
        role: Role = "test" if path.name.startswith("te_") else training_role(path.name)
        yield Entry("frontal_xray", "scoliosis_xray", path.name, role, partial(read_slice, path))
    for folder in sorted((data / "out_of_distribution").iterdir()):
        for number, path in enumerate(sorted(folder.iterdir())):
            role = "test" if number % 2 else training_role(path.name)
            yield Entry("other", folder.name, path.name, role, partial(read_slice, path))
    yield from conformance_images(data / "dicom_conformance")
    yield from drawn_images()


def spider(data: Path) -> Iterator[Entry]:
    """Yield the slices of SPIDER; patient numbers agree across its folders."""
    patients: dict[tuple[str, str], str] = {}
    for table in data.glob("numbered/*/patients.csv"):
        with table.open(encoding="utf-8") as stream:
            patients |= {(table.parent.name, row["file"]): row["patient"] for row in csv.DictReader(stream)}
    for path in sorted([*data.glob("sagittal/*.jpg"), *data.glob("t2_space/images/*.jpg")]):
        patient = path.name.split("_")[0]
        part = "sagittal" if path.parent.name == "sagittal" else "t2_space"
        yield Entry("sagittal_mr", f"spider {part}", patient, role_of(patient), partial(read_slice, path))
    for path in sorted(data.glob("numbered/*/images/*.jpg")):
        shown = np.asarray(Image.open(path).convert("L"))
        if (shown > 8).mean() > LEAST_SHOWN:
            patient = patients[path.parent.parent.name, path.stem]
            yield Entry("sagittal_mr", "spider numbered", patient, role_of(patient), partial(read_slice, path))


def lumbar_volumes(data: Path) -> Iterator[Entry]:
    """Yield sagittal planes of volumes, and reformatted planes, which are images of another kind."""
    for path in sorted(data.glob("*_image.nii.gz")):
        patient, role = path.name.removesuffix("_image.nii.gz"), role_of(path.name)
        for index in PLANES:
            yield Entry("sagittal_mr", "lumbar_mri", patient, role, partial(sagittal_plane, path, index))
        for index in range(3):
            yield Entry("other", "lumbar_mri across", patient, role, partial(other_plane, path, index))


def necks(data: Path) -> Iterator[Entry]:
    """Yield neck CT; one series and two studies are held out."""
    with (data / "cervical fracture.manifest.csv").open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            role: Role = "test" if row["series"] == HELD_OUT_NECK else training_role(row["series"] + row["slice"])
            load = partial(read_slice, data / row["path"])
            yield Entry("neck_ct", "cervical fracture", f"{row['series']} {row['slice']}", role, load)
    studies = sorted((data / "rsna2022" / "train_images").iterdir())
    for number, study in enumerate(studies):
        for path in sorted(study.iterdir()):
            yield Entry("neck_ct", "rsna2022", study.name, "test" if number < 2 else "train", partial(read_slice, path))


def conformance_images(data: Path) -> Iterator[Entry]:
    """Yield different images of other kinds, none of which is trained on."""
    seen = set()
    with (data / "index.csv").open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            try:
                image = read_slice(data / row["path"])
            except ImageError:
                continue
            gray = kind_gray(image)
            small = np.asarray(Image.fromarray(gray).resize((8, 8))) // 32
            if small.tobytes() not in seen and min(gray.shape) >= 32:
                seen.add(small.tobytes())
                yield Entry("other", "dicom_conformance", row["path"], "test", partial(read_slice, data / row["path"]))


def drawn_images() -> Iterator[Entry]:
    """Yield drawn images of the known kinds, and of regions that the training does not see."""
    parts: tuple[tuple[Role, int, int], ...] = (
        ("train", 0, PHANTOMS), ("validation", 5_000, 10), ("test", FIRST_TEST_SEED, 40),
    )  # fmt: skip
    sources: tuple[tuple[Kind, str, Callable[[int], Slice]], ...] = (
        ("neck_ct", "drawn necks", draw_neck),
        ("frontal_xray", "drawn frontal x-rays", draw_frontal),
        ("sagittal_mr", "drawn sagittal MR", draw_sagittal),
        ("other", "drawn lateral x-rays", draw_lateral),
    )
    for role, first, count in parts:
        for seed in range(first, first + count):
            for kind, source, draw in sources:
                yield Entry(kind, source, str(seed), role, partial(draw, seed))
    for name, draw in OTHER_REGIONS.items():  # a test with anatomy that the training has not seen
        for seed in range(20):
            yield Entry("other", f"drawn sagittal MR of a {name}", str(seed), "test", partial(draw, seed))


def draw_neck(seed: int) -> Slice:
    return draw_phantom(seed, size=160).slice


def draw_frontal(seed: int) -> Slice:
    nodes, places = random_curve(np.random.default_rng([seed, 1]))
    return draw_frontal_spine(nodes, places=places, seed=seed, height=256).slice


def draw_sagittal(seed: int) -> Slice:
    return draw_sagittal_spine(sequence="T1" if seed % 2 else "T2", seed=seed).slice


def draw_lateral(seed: int) -> Slice:
    rng = np.random.default_rng([seed, 1])
    facing: Literal["left", "right"] = "left" if rng.random() < 0.5 else "right"
    return draw_lateral_spine(rng.normal(42, 12), rng.normal(52, 12), facing=facing, seed=seed, height=256).slice


def sagittal_plane(path: Path, index: int) -> Slice:
    volume = scan(path)
    return volume.sagittal(center_mm(volume)[0] + index - len(volume) / 2)


def other_plane(path: Path, index: int) -> Slice:
    """Return an axial plane, or for index 2 a coronal one, stretched to a square: the volumes are thin."""
    volume = scan(path)
    if index < 2:
        pixels = volume.axial(center_mm(volume)[2] + 40 * index).pixels
    else:
        axis = int(np.abs(volume.affine[1, :3]).argmax())
        pixels = np.ascontiguousarray(np.take(volume.array, volume.shape[axis] // 2, axis=axis))
    side = max(pixels.shape)
    return Slice(np.asarray(Image.fromarray(pixels).resize((side, side))))


@lru_cache(maxsize=2)
def scan(path: Path) -> Volume:
    return read_volume(path)


def center_mm(volume: Volume) -> list[float]:
    center: list[float] = (volume.affine[:3] @ (*(np.array(volume.shape) - 1) / 2, 1.0)).tolist()
    return center


def role_of(patient: str) -> Role:
    """Return the part of a patient; three of ten are held out."""
    return "test" if crc32(patient.encode()) % 10 < 3 else training_role(patient)


def training_role(group: str) -> Role:
    return "validation" if crc32(f"v{group}".encode()) % 8 == 0 else "train"


def measure(entries: Sequence[Entry]) -> tuple[tuple[Table, Table], float]:
    """Return tables of the kinds and orientations found in held-out images, and the median time in seconds."""
    called: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    groups: dict[tuple[str, str], set[str]] = defaultdict(set)
    turned: dict[str, Counter[str]] = defaultdict(Counter)
    seconds = []
    for number, entry in enumerate(tqdm(entries, desc="measuring", unit="image", disable=None)):
        turn = TURNS[number % (8 if entry.kind == "sagittal_mr" else 4)]
        image = turn.apply_to_slice(entry.load()) if entry.kind in ORIENTED else entry.load()
        started = time.perf_counter()
        found = classify_kind(image)
        seconds.append(time.perf_counter() - started)
        called[entry.kind, entry.source][found.kind] += 1
        groups[entry.kind, entry.source].add(entry.group)
        if entry.kind in ORIENTED and found.kind == entry.kind:
            answer = "asks" if found.turn is None else "right" if found.turn == turn.inverse else "wrong"
            turned[entry.source][answer] += 1
    kinds = [
        (kind, source, len(groups[kind, source]), with_interval(counts, kind), *(counts[name] for name in KINDS))
        for (kind, source), counts in called.items()
    ]
    turns = [(name, with_interval(counts, "right"), *(counts[a] for a in ANSWERS)) for name, counts in turned.items()]
    return (
        Table(("kind", "source", "groups", "right (95 % interval)", *KINDS), kinds, numbers=(2, 4, 5, 6, 7)),
        Table(("orientation of", "right (95 % interval)", *ANSWERS), turns, numbers=(2, 3, 4)),
    ), float(np.median(seconds))


def with_interval(counts: Counter[str], name: str) -> str:
    share = counts[name] / counts.total()
    low, high = wilson_interval(share, counts.total())
    return f"{share:.1%} ({low:.1%} to {high:.1%})"


if __name__ == "__main__":
    main()
