"""Fixtures: real files and a small trained checkpoint, made without network access."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"  # read by packages at their import, so set before them
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # arrays are small, so threads would wait for each other

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

ROOT = Path(__file__).parent.parent
pytest_plugins = ["loopback.fixtures"]
DATA = Path(os.environ.get("SPINEALIGN_DATA", ROOT.parent / "shared" / "data"))
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = pytest.mark.skip(reason=f"the real images are not at {DATA}; set SPINEALIGN_DATA")
    for item in items:
        if item.get_closest_marker("data") and not (DATA / "cervical fracture").is_dir():
            item.add_marker(missing)
        if item.get_closest_marker("browser") and not CHROMIUM:
            item.add_marker(pytest.mark.skip(reason="Chromium is not on the path; install it, or set CHROMIUM"))


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def data() -> Path:
    return DATA


@pytest.fixture
def gray() -> np.ndarray:
    """Image of 48 x 40 pixels with all gray levels."""
    y, x = np.mgrid[0:48, 0:40]
    return ((x * 7 + y * 5) % 256).astype(np.uint8)


@pytest.fixture
def slice_png(tmp_path: Path, gray: np.ndarray) -> Path:
    path = tmp_path / "slice.png"
    Image.fromarray(gray).save(path)
    return path


@pytest.fixture(scope="session")
def phantom_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from spinealign.phantoms.phantom_set import write_phantoms

    folder = tmp_path_factory.mktemp("cohorts") / "phantoms"
    write_phantoms(folder, {"train": 24, "val": 8, "test": 12}, seed=2_000_000, size=64)
    return folder


@pytest.fixture
def align() -> Callable[..., Any]:
    """Return a function from the tilts of a drawn frontal spine to its alignment, measured on the true corners."""
    from spinealign.alignment.measuring import ENDPLATE, measure_frontal
    from spinealign.alignment.result import Alignment
    from spinealign.alignment.vertebra import spine
    from spinealign.checkpoint.files import FRONTAL_XRAY
    from spinealign.metrics.conformal import IntervalRule
    from spinealign.phantoms.frontal_spine import draw_frontal_spine

    def align(nodes: list[float], *, height: int = 256, source: str = "film.png") -> Alignment:
        drawn = draw_frontal_spine(nodes, height=height)
        vertebrae = tuple(spine(drawn.corners))
        rules = dict.fromkeys(ENDPLATE, IntervalRule(level=0.9, base=4.0, slope=0.5, images=400))
        measured = measure_frontal(vertebrae, rules=rules, disagreements={"cobb_main": 2.0})
        gray = drawn.slice.pixels.astype(np.uint8)
        return Alignment(FRONTAL_XRAY, vertebrae, source=source, gray=gray, **measured._asdict())

    return align


@pytest.fixture(scope="session")
def untrained_vertebrae(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoint with a small untrained network that finds vertebrae; it measures what it finds."""
    import torch

    from spinealign.checkpoint.files import SETTINGS_FILE
    from spinealign.checkpoint.vertebra_settings import VertebraSettings
    from spinealign.metrics.conformal import IntervalRule
    from spinealign.networks.vertebrae import VertebraConfig, VertebraNetwork

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "vertebrae"
    VertebraNetwork(VertebraConfig(width=0.125)).save_pretrained(folder)
    rules = {"cobb_main": IntervalRule(level=0.9, base=4.0, slope=0.5, images=400)}
    settings = VertebraSettings(shapes=((256, 64), (256, 64)), min_vertebrae=2, intervals=rules)
    (folder / SETTINGS_FILE).write_text(settings.to_json())
    return folder


@pytest.fixture(scope="session")
def tiny_backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Transformers folder of a ViT with 30,000 parameters and a head for three classes."""
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
    """Checkpoint of a training on phantoms, from random weights; trained by the first worker that needs it."""
    from spinealign import train

    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "tiny checkpoint" / "tiny"
    folder.parent.mkdir(exist_ok=True)
    with FileLock(folder.with_name("lock")):
        if not (folder / "config.json").exists():
            train(phantom_folder, folder, num_train_epochs=2, **training_options(tiny_backbone))
    return folder


@pytest.fixture
def noise():
    """Six random training images of 64 x 64 pixels, of which two have the finding."""
    from spinealign.cohort.cohort import Cohort, Sample
    from spinealign.cohort.loading import LoadedCohort
    from spinealign.config import PreprocessingConfig

    labels = ["fracture" if number % 3 == 0 else "normal" for number in range(6)]
    samples = tuple(Sample("", label, str(n), split="train", name=str(n)) for n, label in enumerate(labels))
    gray = np.random.default_rng(0).integers(0, 256, (6, 64, 64), np.uint8)
    return LoadedCohort(Cohort("noise", samples), gray, PreprocessingConfig(image_size=64))


@pytest.fixture
def findings():
    """Audit with a finding of every kind."""
    from spinealign.cohort.audit.findings import (
        Audit,
        ClassSeries,
        PartCount,
        Probe,
        PropertyFinding,
        Straddling,
        Suspect,
    )
    from spinealign.cohort.cohort import Cohort, Sample
    from spinealign.cohort.loading import LoadedCohort
    from spinealign.config import PreprocessingConfig

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
            Probe(
                "val", 0.9775, 0.9775, 0.5, 2, 2, (0.81, 0.99), (0.8, 0.98), alarm=True, classes=("fracture", "normal")
            ),
            Probe("5 folds over sources", note="a class has fewer than two distinct sources"),
        ),
        unreadable=("bad.png: it is damaged",),
        notes=(),
        pictures=LoadedCohort(Cohort("set & co", samples), gray, PreprocessingConfig()),
        wrong_labels=(Suspect("val/normal/<C (3)>-0.png", "label", "normal", "fracture", 0.93),),
        off_topic=(Suspect("val/fracture/<A (1)>-1.png", distance=4.2),),
        verdict=("The first sentence.", "Another one about <b>B</b>."),
    )


def training_options(backbone: Path) -> dict[str, object]:
    """Return keyword arguments of `spinealign.train`, equivalent to `training_words`."""
    return {
        "backbone": backbone,
        "from_scratch": True,
        "per_device_train_batch_size": 8,
        "use_cpu": True,
        "disable_tqdm": True,
    }


def training_words(data: Path, backbone: Path, output: Path, *more: str) -> list[str]:
    return [
        *("--data_dir", str(data), "--model_name_or_path", str(backbone), "--output_dir", str(output)),
        *("--from_scratch", "--per_device_train_batch_size", "8", "--use_cpu", "--disable_tqdm", "True", *more),
    ]


@dataclass(frozen=True)
class ServedPage:
    """Page in a separate process."""

    url: str
    process: subprocess.Popen[bytes]
    folder: Path
    log: Path

    def files(self) -> list[str]:
        """Return the names of the files in the upload folder."""
        return sorted(path.name for path in self.folder.glob("spinealign-page-*/**/*") if path.is_file())


def free_port() -> int:
    """Return a port below those that the system gives to connections, so that no test takes it in between."""
    while True:
        port = secrets.choice(range(20_000, 32_000))  # not `random`, which trainings seed
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


@contextlib.contextmanager
def serve_page(
    folder: Path, *words: str, script: str | None = None, cwd: Path | None = None, **changes: str
) -> Iterator[ServedPage]:
    """Run `spinealign app`, or a script, until the block ends."""
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    own = {"TMPDIR": str(folder), "GRADIO_SERVER_PORT": str(port), "PYTHONPATH": str(ROOT), **changes}
    log, url = folder.parent / f"{folder.name}.log", f"http://127.0.0.1:{port}"
    program = [script] if script else ["-c", "import sys; from spinealign.cli import main; sys.exit(main())", "app"]
    start = [sys.executable, *program, *words]
    with log.open("wb") as stream:
        process = subprocess.Popen(start, cwd=cwd, env={**os.environ, **own}, stdout=stream, stderr=stream)
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(f"{url}/health").close()
                break
            except OSError:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.2)
        yield ServedPage(url, process, folder, log)
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="session")
def toy_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fast checkpoint that predicts a fracture if the center of the image is bright."""
    import json

    from onnx import TensorProto, checker, helper, numpy_helper

    from spinealign.checkpoint.finding import DEFAULT_FOLDER
    from spinealign.checkpoint.settings import ModelSettings
    from spinealign.config import DecisionConfig, PreprocessingConfig
    from spinealign.labels import binary_target

    folder = tmp_path_factory.mktemp("models") / "toy"
    folder.mkdir()
    middle = np.zeros((1, 3, 64, 64), np.float32)
    middle[..., 24:40, 24:40] = 1 / (3 * 16 * 16)
    values = {"middle": middle, "axes": np.array([1, 2, 3]), "weights": np.array([[-100.0, 100.0]], np.float32),
              "bias": np.array([97.8, 0.0], np.float32)}  # fmt: skip
    nodes = [
        helper.make_node("Mul", ["pixel_values", "middle"], ["bright"]),
        helper.make_node("ReduceSum", ["bright", "axes"], ["sum"], keepdims=0),
        helper.make_node("Unsqueeze", ["sum", "last"], ["column"]),
        helper.make_node("Gemm", ["column", "weights", "bias"], ["logits"]),
    ]
    values["last"] = np.array([1])
    graph = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, ["batch", 3, 64, 64])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    checker.check_model(model)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    (folder / "config.json").write_text(json.dumps({"id2label": {"0": "normal", "1": "fracture"}}))
    settings = ModelSettings(
        target=binary_target("normal", "fracture"),
        preprocessing=PreprocessingConfig(image_size=64, image_mean=(0.0,) * 3, image_std=(1.0,) * 3),
        decisions={"label": DecisionConfig(operating_point=0.6, note="Chosen by hand.")},
    )
    (folder / "spinealign.json").write_text(settings.to_json())
    shutil.copy(DEFAULT_FOLDER / "metrics.json", folder)
    return folder


@pytest.fixture(scope="session")
def models_of_every_kind(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Checkpoint of each problem type: one untrained network with five outputs, which mean something else in each."""
    import json

    import torch
    from transformers import ViTConfig, ViTForImageClassification

    from spinealign.checkpoint.settings import ModelSettings
    from spinealign.config import DecisionConfig, PreprocessingConfig
    from spinealign.labels import Label, Target
    from spinealign.training.saving import save_network

    findings = tuple(Label(name, "binary", ("no", "yes"), "yes") for name in ("narrowing", "bulging"))
    several = tuple(Label(f"finding {number}", "binary", ("0", "1"), "1") for number in range(5))
    targets = [
        Target("multi_class", (Label("label", "multi_class", ("a", "b", "c", "d", "e")),)),
        Target("ordinal", (Label("label", "ordinal", ("1", "2", "3", "4", "5")),)),
        Target("multi_label", several),
        Target("mixed", (Label("pfirrmann", "ordinal", ("1", "2", "3")), *findings)),
    ]
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    network = ViTForImageClassification(ViTConfig(image_size=64, patch_size=16, num_labels=5, **shape))
    network.classifier.weight.data *= 20  # so that images differ
    network.classifier.bias.data = torch.tensor([-3.0, 0.0, 1.0, 4.0, -4.0])
    made: dict[str, Path] = {}
    for target in targets:
        folder = tmp_path_factory.mktemp("kinds") / target.problem_type
        decisions = {label.name: DecisionConfig(1.5, 0.3) for label in target.labels}
        settings = ModelSettings(target=target, preprocessing=PreprocessingConfig(image_size=64), decisions=decisions)
        if made:
            shutil.copytree(next(iter(made.values())), folder)
            (folder / "spinealign.json").write_text(settings.to_json())
        else:
            folder.mkdir()
            save_network(folder, network, settings=settings)
        config = json.loads((folder / "config.json").read_text())
        names = dict(enumerate(target.outputs))
        kind = "multi_label_classification" if target.has_several else "single_label_classification"
        config |= {"id2label": names, "label2id": {name: place for place, name in names.items()}, "problem_type": kind}
        (folder / "config.json").write_text(json.dumps(config))
        made[target.problem_type] = folder
    return made


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory, toy_model: Path) -> Iterator[ServedPage]:
    """Page with every option, for all tests that do not need a page of their own."""
    words = ("--model", str(toy_model), "--allow_models", "--mcp", "--hostnames", "neck.example.org")
    with serve_page(tmp_path_factory.mktemp("page") / "uploads", *words) as served:
        yield served


@pytest.fixture(scope="session")
def login_page(tmp_path_factory: pytest.TempPathFactory, toy_model: Path) -> Iterator[ServedPage]:
    """Page with a login."""
    folder = tmp_path_factory.mktemp("login") / "uploads"
    with serve_page(folder, "--model", str(toy_model), SPINEALIGN_AUTH="user:password,ann:one:two") as served:
        yield served


@pytest.fixture(scope="module")
def chromium():
    playwright = pytest.importorskip("playwright.sync_api").sync_playwright().start()
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
    yield browser
    browser.close()
    playwright.stop()


@pytest.fixture(scope="session")
def slices(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One fractured phantom as each kind of file, a rejected image, and a damaged file."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    from spinealign.imaging.preprocessing import render
    from spinealign.phantoms.axial_neck import draw_phantom

    folder = tmp_path_factory.mktemp("slices")
    drawn = draw_phantom(3_000_001, fractured=True, break_mm=5.0, size=256).slice
    gray = Image.fromarray(render(drawn))
    gray.save(folder / "eight.png")
    gray.save(folder / "photo.jpg", quality=95)
    Image.fromarray(np.asarray(gray).astype(np.uint16) * 257).save(folder / "sixteen.png")
    gray.resize((100, 100)).save(folder / "small.png")
    (folder / "broken.png").write_bytes((folder / "eight.png").read_bytes()[:2000])
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.PatientName, dataset.PatientID, dataset.Modality = "Smith^Jane", "12345", "CT"
    dataset.Rows, dataset.Columns = drawn.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 1
    dataset.RescaleSlope, dataset.RescaleIntercept, dataset.PixelSpacing = 1, 0, [0.5, 0.5]
    dataset.PixelData = drawn.pixels.astype("<i2").tobytes()
    dataset.save_as(folder / "slice.dcm", enforce_file_format=True)
    return {path.stem if path.suffix != ".dcm" else "dicom": path for path in folder.iterdir()}


def evaluate_finding(
    positive: Any, probability: Any, *, evidence: Any, threshold: float = 0.5, draws: int = 1000
) -> Any:
    """Return the evaluation of a finding and its absence, which are `fracture` and `normal`."""
    from spinealign.labels import binary_target
    from spinealign.metrics.measuring import evaluate_predictions

    target, probability = binary_target("normal", "fracture"), np.asarray(probability, float)
    both, codes = np.stack([1 - probability, probability], axis=1), np.asarray(positive).astype(int)
    return evaluate_predictions([codes], [both], target=target, evidence=evidence, thresholds=[threshold], draws=draws)


def predictions_of_finding(evaluation: Any, positive: Any, probability: Any, sources: Any, **changes: Any) -> Any:
    """Return the evaluation of a finding with its predictions; names are the sources and images are black."""
    from spinealign.metrics.evidence import Predictions
    from spinealign.metrics.failures import worst_cases

    positive, probability = np.asarray(positive).astype(int), np.asarray(probability, float)
    found = Predictions(
        codes=positive,
        probabilities=np.stack([1 - probability, probability], axis=1),
        called=(probability >= evaluation.threshold).astype(int),
        sources=tuple(sources),
        names=tuple(sources),
        gray={},
    )
    images = changes.pop("images", np.zeros((len(positive), 8, 8), np.uint8))
    margin = np.abs(probability - evaluation.threshold)
    worst = worst_cases(positive, found.probabilities, called=found.called, margin=margin, sources=found.sources)
    changes["gray"] = {index: images[index] for index in worst.tolist()}
    return replace(evaluation, predictions=replace(found, **changes))


def evaluate_kind(kind: str, *, count: int = 40, labels: int = 3, missing: float = 0.1) -> tuple[Any, Any]:
    """Return a target of a kind, and the evaluation of random predictions of it, with them and a weak baseline."""
    from spinealign.labels import Label, Target
    from spinealign.metrics.evidence import Evidence, Predictions
    from spinealign.metrics.measuring import evaluate_predictions

    finding = Label("label", "binary", ("normal", "fracture"), "fracture")
    types = Label("label", "multi_class", ("bulging", "narrowing", "slipping of a vertebra"))
    grades = Label("pfirrmann", "ordinal", ("1", "2", "3", "4", "5"))
    findings = tuple(Label(f"finding {number}", "binary", ("0", "1"), "1") for number in range(labels))
    given = {"binary": (finding,), "multi_class": (types,), "ordinal": (grades,), "multi_label": findings}
    target = Target(kind, given.get(kind, (grades, findings[0], replace(types, name="type"))))  # type: ignore[arg-type]
    rng, sources = np.random.default_rng(0), tuple(f"s{number // 2}" for number in range(count))
    codes = [
        np.where(rng.random(count) < missing * target.has_several, -1, np.arange(count) % len(label.classes))
        for label in target.labels
    ]
    probabilities = [rng.dirichlet(np.ones(len(label.classes)), count) for label in target.labels]
    evidence = Evidence("lumbar set", "test", sources, ridge=[np.zeros(count, int)] * len(codes))
    measured = evaluate_predictions(codes, probabilities, target=target, evidence=evidence, draws=20)
    found = []
    for part, truth, predicted in zip(measured.labels, codes, probabilities):
        known = np.flatnonzero(truth >= 0)
        named = tuple(f"{place}.png" for place in known)
        gray = {place: np.full((32, 32), 5 * place, np.uint8) for place in range(20)}
        of_label = Predictions(truth[known], predicted[known], predicted[known].argmax(axis=1), named, named, gray)
        found.append(replace(part, predictions=of_label))
    return target, replace(measured, parts=tuple(found)) if measured.has_several else found[0]
