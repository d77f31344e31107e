"""The two laws of CONTRIBUTING.md, and what else keeps the house in order."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import spinealign
from spinealign import errors

LAYERS = (
    ("_version", "errors", "hub_errors", "config", "serialization", "writing"),
    ("imaging", "reading", "phantoms", "privacy", "metrics", "networks"),
    ("checkpoint", "cohort"),
    ("inference", "evaluation"),
    ("training", "reporting"),
    ("hub", "page", "demo"),
    ("cli",),
)
LAYER = {package: number for number, packages in enumerate(LAYERS) for package in packages}
# Methods that load a higher layer when they are called: (module, package).
UPWARD = {("cohort.cohort", "hub"), ("evaluation.scoring", "reporting")}
CARD = (None, None)
HEAVY = ("torch", "transformers", "gradio", "datasets", "evaluate", "monai", "matplotlib", "ray", "sklearn", "skimage")
PACKAGE = Path(spinealign.__file__).parent
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))



def imports_of(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found.add(node.module or "")
    return {name for name in found if name.split(".")[0] == "spinealign"}


def package_of(name: str) -> str:
    return name.split(".")[1]


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


def test_every_package_has_a_layer():
    assert {module_name(path).split(".")[0] for path in MODULES} - {"__init__"} == set(LAYER)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_imports_a_higher_layer(path):
    module = module_name(path)
    if module == "__init__":
        return
    own = module.split(".")[0]
    for name in imports_of(path):
        assert name != "spinealign", "no module imports the package root"
        other = package_of(name)
        allowed = LAYER[other] <= LAYER[own] or (module, other) in UPWARD
        assert allowed, f"{own} (layer {LAYER[own]}) imports {name} (layer {LAYER[other]})"


def assert_acyclic(graph: dict[str, set[str]]) -> None:
    done: set[str] = set()
    while len(done) < len(graph):
        free = {name for name in graph if name not in done and graph[name] - {name} <= done}
        assert free, f"import cycle among {sorted(set(graph) - done)}"
        done |= free


def test_packages_of_one_layer_import_each_other_without_a_cycle():
    graph: dict[str, set[str]] = {package: set() for package in LAYER}
    for path in MODULES:
        module = module_name(path)
        own = module.split(".")[0]
        if module != "__init__":
            found = {package_of(name) for name in imports_of(path)}
            graph[own] |= {other for other in found if (module, other) not in UPWARD | {CARD}}
    assert_acyclic(graph)


def test_modules_import_each_other_without_a_cycle():
    modules = {module_name(path): path for path in MODULES if module_name(path) != "__init__"}
    graph = {
        module: {
            name.removeprefix("spinealign.")
            for name in imports_of(path)
            if name.removeprefix("spinealign.") in modules and (module, package_of(name)) not in UPWARD
        }
        for module, path in modules.items()
    }
    assert_acyclic(graph)


def loaded_by(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint('loaded:', *sorted({{name.split('.')[0] for name in sys.modules}}))"
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    return set(output.rsplit("loaded:", 1)[1].split())


@pytest.mark.parametrize(
    "code",
    [
        "import spinealign",
        "import numpy, spinealign; spinealign.predict(numpy.zeros((64, 64), 'uint8'))",
        "from spinealign.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass",
        "from spinealign.cli import main; main(['info'])",
    ],
    ids=["import", "predict", "help", "info"],
)
def test_the_shell_stays_out_of_the_core(code):
    assert not loaded_by(code) & set(HEAVY)


def test_only_the_shell_imports_torch_when_it_is_imported():
    for path in MODULES:
        if {"training", "networks"} & set(path.parts):
            continue
        shell = {"gradio"} if "page" in path.parts and path.name != "__init__.py" else set()
        tree = ast.parse(path.read_text(encoding="utf-8"))
        top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        names = {alias.name for node in top if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module or "" for node in top if isinstance(node, ast.ImportFrom)}
        assert not {name.split(".")[0] for name in names} & (set(HEAVY) - shell), path


def test_the_drawn_tree_of_errors_is_the_real_one():
    drawn = re.findall(r"^(?:│   )?[├└]── (\w+)", inspect.getdoc(errors), flags=re.MULTILINE)
    real = {name: kind for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, Exception)}
    assert set(drawn) | {"SpineAlignError"} == set(real)
    parents = {name: kind.__bases__[0].__name__ for name, kind in real.items()}
    assert parents["UnreadableSliceError"] == parents["UnsupportedFormatError"] == "SliceError"
    assert parents["LeakageError"] == "CohortError"
    assert issubclass(errors.MissingDependencyError, ImportError)


def test_exported_names_exist_and_come_from_the_package():
    promised = {"Prediction", "Predictor", "Slice", "SpineAlignError", "__version__", "predict", "read_slice"}
    assert set(spinealign.__all__) == promised
    for name in promised - {"__version__"}:
        assert getattr(spinealign, name).__module__.startswith("spinealign.")


def test_every_public_function_takes_at_most_six_parameters_and_two_by_position():
    own = {"apply_window", "from_pretrained"}  # known by others in this order
    by_position = own | {"compute_loss", "on_log", "on_epoch_begin"}  # overrides of transformers
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
                continue
            given = [argument.arg for argument in node.args.args if argument.arg not in ("self", "cls")]
            assert len(given) + len(node.args.kwonlyargs) <= 6, f"{path}:{node.name}"
            assert len(given) <= 2 or node.name in by_position, f"{path}:{node.name}"


def test_no_module_has_an_empty_name():
    assert not {path.stem for path in MODULES} & {"utils", "helpers", "common", "types"}
