"""Fixtures: real files, a real tiny checkpoint; made offline."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

os.environ["HF_HUB_OFFLINE"] = "1"  # before any Hugging Face package is imported
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

ROOT = Path(__file__).parent.parent
pytest_plugins = ["loopback.fixtures"]
DATA = Path(os.environ.get("SPINEALIGN_DATA", ROOT.parent / "shared" / "data"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = pytest.mark.skip(reason=f"the real images are not at {DATA}; set SPINEALIGN_DATA")
    for item in items:
        if item.get_closest_marker("data") and not (DATA / "cervical fracture").is_dir():
            item.add_marker(missing)


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def data() -> Path:
    return DATA


@pytest.fixture
def gray() -> np.ndarray:
    """An image with structure, 48 x 40, using all gray levels."""
    y, x = np.mgrid[0:48, 0:40]
    return ((x * 7 + y * 5) % 256).astype(np.uint8)


@pytest.fixture
def slice_png(tmp_path: Path, gray: np.ndarray) -> Path:
    path = tmp_path / "slice.png"
    Image.fromarray(gray).save(path)
    return path


@pytest.fixture(scope="session")
def phantom_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from spinealign.cohort.phantoms import write_phantoms

    folder = tmp_path_factory.mktemp("cohorts") / "phantoms"
    write_phantoms(folder, {"train": 24, "val": 8, "test": 12}, seed=2_000_000, size=64)
    return folder


@pytest.fixture(scope="session")
def tiny_backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ViT of 30,000 parameters as a folder of transformers, with a head of three classes to be replaced."""
    import torch
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessorPil

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("backbones") / "tiny-vit"
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    config = ViTConfig(image_size=64, patch_size=16, num_labels=3, **shape)
    ViTForImageClassification(config).save_pretrained(folder)
    ViTImageProcessorPil(size={"height": 64, "width": 64}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory, phantom_folder: Path, tiny_backbone: Path) -> Path:
    """What a whole training on phantoms, from random weights, writes."""
    from spinealign.modeling.arguments import parse_training_setup
    from spinealign.modeling.training import train

    folder = tmp_path_factory.mktemp("models") / "tiny"
    train(parse_training_setup(training_words(phantom_folder, tiny_backbone, folder, "--num_train_epochs", "2")))
    return folder


@pytest.fixture
def findings():
    """An audit that found something of every kind."""
    from spinealign.cohort.cohort import Cohort, Sample
    from spinealign.cohort.findings import Audit, ClassSeries, PartCount, Probe, PropertyFinding, Straddling
    from spinealign.cohort.loading import LoadedCohort
    from spinealign.config import ConditioningConfig

    samples = tuple(
        Sample("", label, source, split=split, name=f"{split}/{label}/<{source}>-{copy}.png")
        for split, label, source, copy in [
            ("train", "fracture", "A (1)", 0),
            ("val", "fracture", "A (1)", 1),
            ("train", "normal", "<b>B</b> (2)", 0),
            ("val", "normal", "C (3)", 0),
        ]
    )
    gray = np.random.default_rng(0).integers(0, 256, (4, 64, 64), np.uint8)
    return Audit(
        name="set & co",
        images=4,
        positive="fracture",
        parts=(PartCount("train", "fracture", 1, 1, 1.0), PartCount("val", "normal", 1, 1, 1.0)),
        sources=3,
        effective_sources=2.7,
        series=3,
        patients=None,
        copies=(1, 1.0, 2),
        identical=0,
        look_groups=1,
        straddling=(Straddling("source", "A (1)", {"train": 1, "val": 1}, by_looks=True),),
        contradicting=("A (1)",),
        class_series=(ClassSeries("normal", ("B", "C"), own=True),),
        properties=(
            PropertyFinding("height", "pixels", {"fracture": 512.0, "normal": 224.0}, 1.0, "fracture", alarm=True),
            PropertyFinding("width", "pixels", {"fracture": 224.0, "normal": 224.0}, 0.5, None, alarm=False),
        ),
        probes=(
            Probe("val", 0.9775, 0.5, images=2, sources=2, interval=(0.81, 0.99), alarm=True),
            Probe("5 folds over sources", note="a class has fewer than two distinct sources"),
        ),
        unreadable=("bad.png: it is damaged",),
        notes=(),
        pictures=LoadedCohort(Cohort("set & co", samples), gray, ConditioningConfig()),
        verdict=("The first sentence.", "Another one about <b>B</b>."),
    )


def training_words(data: Path, backbone: Path, output: Path, *more: str) -> list[str]:
    return [
        *("--data_dir", str(data), "--model_name_or_path", str(backbone), "--output_dir", str(output)),
        *("--from_scratch", "--per_device_train_batch_size", "8", "--use_cpu", "--disable_tqdm", "True", *more),
    ]
