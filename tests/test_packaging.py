"""The wheel, installed without and with extras on several versions of Python."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
from packaging.requirements import Requirement


@pytest.fixture(scope="module")
def wheel(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(root)]
    subprocess.run(command, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_the_wheel_is_small_and_has_what_predicts(wheel, root):
    assert wheel.stat().st_size <= 45_000_000
    names = set(zipfile.ZipFile(wheel).namelist())
    assert not [name for name in names if name.endswith("/model.safetensors")]
    folders = [folder.relative_to(root) for folder in (root / "spinealign" / "assets").iterdir()]
    embedded = [folder for folder in folders if folder.name != "examples"]
    assert len(embedded) < len(folders)
    for name in (
        "spinealign/py.typed",
        *(f"{folder}/{file}" for folder in embedded for file in ("model.onnx", "README.md")),
        *(f"spinealign/assets/examples/{file}" for file in ("lumbar_t2.jpg", "README.md")),
        "spinealign/reporting/model_card.md.jinja",
    ):
        assert name in names
    assert not [name for name in names if name.startswith(("tests/", "build/", "benchmarks/"))]


OF_A_WHEEL = """
from spinealign import Aligner, Predictor
from spinealign.checkpoint.finding import DEFAULT_FOLDER, DEFAULT_MODEL, EMBEDDED
from spinealign.hub.pushing import plan_push
from spinealign.training.arguments import ModelArguments
from spinealign.training.backbone import create_backbone
from spinealign.labels import binary_target

target = binary_target("no", "yes")
for use in (
    lambda: Predictor.from_pretrained(engine="torch"),
    lambda: plan_push(DEFAULT_FOLDER),
    lambda: create_backbone(ModelArguments(DEFAULT_MODEL), target),
    lambda: Aligner.from_pretrained(engine="torch"),
    lambda: plan_push(EMBEDDED["frontal_xray"][1]),
):
    try:
        use()
    except Exception as error:
        print(type(error).__name__, error)
"""


@pytest.mark.slow
def test_without_a_checkout_the_place_of_weights_is_named(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path)
    done = subprocess.run([sys.executable, "-c", OF_A_WHEEL], cwd=tmp_path, env=plain(), capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert len(lines) == 5, done.stderr
    for name, line in zip(["default"] * 3 + ["xray"] * 2, lines):
        assert re.match(r"CheckpointError .* has no model\.safetensors.*Wheels do not contain it", line), line
        assert line.endswith(f"models/{name}/model.safetensors.")


@pytest.mark.slow
def test_the_source_distribution_has_the_weights(root, tmp_path):
    command = [sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", str(tmp_path), str(root)]
    subprocess.run(command, check=True, capture_output=True)
    with tarfile.open(next(tmp_path.iterdir())) as content:
        names = set(content.getnames())
    (top,) = {name.split("/")[0] for name in names}
    weights = [path.relative_to(root) for path in (root / "models").glob("*/model.safetensors")]
    assert weights
    assert {f"{top}/{path}" for path in weights} <= names


def interpreter(version: str) -> str:
    """Return a Python of a version such as `3.10`, on the path or in pyenv; skip the test without one."""
    found = [shutil.which(f"python{version}")]
    if shutil.which("pyenv"):
        prefix = subprocess.run(["pyenv", "prefix", version], capture_output=True, text=True).stdout.strip()
        found.append(f"{prefix}/bin/python" if prefix else None)
    for python in filter(None, found):  # a shim of pyenv may be on the path without an interpreter behind it
        if not subprocess.run([python, "-c", ""], capture_output=True).returncode:
            return python
    pytest.skip(f"Python {version} is not installed")


def install(folder: Path, *words: str, python: str = sys.executable) -> Path:
    """Install packages into a new environment and return the folder of its programs."""
    subprocess.run([python, "-m", "venv", "--without-pip", str(folder)], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")]
    options = ["--quiet", "--disable-pip-version-check", "--no-compile", "--only-binary", ":all:"]
    done = subprocess.run([*pip, "install", *options, *words], capture_output=True, text=True, env=plain())
    assert done.returncode == 0, done.stderr
    return folder / "bin"


def plain() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def run(*words: str | Path, cwd: Path) -> str:
    done = subprocess.run([*map(str, words)], cwd=cwd, env=plain(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def runs_the_demo(programs: Path, folder: Path) -> None:
    lines = run(programs / "spinealign", "demo", cwd=folder).splitlines()
    assert [line.split()[2] for line in lines[1:4]] == ["normal", "fracture", "CT"], lines
    assert "no: " in lines[3]
    for name in ("cobb_main", "L1 to L5"):
        assert any(name in line for line in lines), name
    assert (folder / "spinealign-demo.png").stat().st_size > 10_000


@pytest.mark.slow
@pytest.mark.parametrize("version", ["3.10", "3.13"])
def test_the_demo_runs_on_each_python(version, wheel, root, tmp_path):
    python = interpreter(version)
    programs = install(tmp_path / "env", "--constraint", str(root / "constraints.txt"), str(wheel), python=python)
    runs_the_demo(programs, tmp_path)


@pytest.mark.slow
def test_the_demo_runs_with_the_lowest_versions(wheel, tmp_path):
    """The lowest declared versions of the base dependencies, on the lowest Python."""
    with zipfile.ZipFile(wheel) as content:
        (name,) = (name for name in content.namelist() if name.endswith(".dist-info/METADATA"))
        needed = message_from_bytes(content.read(name)).get_all("Requires-Dist")
    base = [Requirement(line) for line in needed if "extra ==" not in line]
    lowest = [f"{item.name}{item.specifier}".replace(">=", "==") for item in base]
    (tmp_path / "lowest.txt").write_text("\n".join(lowest))
    python = interpreter("3.10")
    programs = install(tmp_path / "env", "--constraint", str(tmp_path / "lowest.txt"), str(wheel), python=python)
    runs_the_demo(programs, tmp_path)


@pytest.mark.slow
def test_an_evaluation_needs_no_torch(wheel, root, tmp_path, phantom_folder):
    constraints = ["--constraint", str(root / "constraints.txt")]
    programs = install(tmp_path / "env", *constraints, f"{wheel}[evaluate]")
    listed = run(sys.executable, "-m", "pip", "--python", programs / "python", "list", "--format", "json", cwd=tmp_path)
    assert not {item["name"] for item in json.loads(listed)} & {"torch", "datasets", "transformers", "gradio"}
    printed = run(programs / "spinealign", "evaluate", phantom_folder, "--output", "report", cwd=tmp_path)
    assert "12 images" in printed
    assert {path.name for path in (tmp_path / "report").iterdir()} == {
        "evaluation.json", "evaluation.png", "worst_cases.png",
    }  # fmt: skip
    content = json.loads((tmp_path / "report" / "evaluation.json").read_text())
    low, high = content["intervals"]["accuracy"]
    assert low <= content["scores"]["accuracy"] <= high
    assert run(programs / "spinealign", "audit", phantom_folder, cwd=tmp_path)
