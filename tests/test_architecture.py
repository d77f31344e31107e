"""Structure of the package: layers, light imports, public names, errors."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import spinealign
from spinealign import errors

LAYERS = (
    ("_version", "errors", "hub_errors", "config", "labels", "serialization", "writing"),
    ("imaging", "reading", "phantoms", "privacy", "metrics", "networks"),
    ("checkpoint", "cohort", "alignment"),
    ("inference", "evaluation"),
    ("training", "reporting"),
    ("hub", "page", "demo"),
    ("cli",),
)
LAYER = {package: number for number, packages in enumerate(LAYERS) for package in packages}
# Lazy imports of a higher layer: `save*` methods load reporting, Cohort.push_to_hub loads hub, and
# Cohort.from_rsna2022 loads a module that makes cohorts.
UPWARD = {
    ("cohort.cohort", "push_to_hub", "hub"),
    ("cohort.cohort", "from_rsna2022", "cohort"),
    ("cohort.audit.findings", "save_html", "reporting"),
    ("metrics.evaluation", "save", "reporting"),
    ("metrics.evaluation", "save_plots", "reporting"),
    ("inference.occlusion", "save", "reporting"),
    ("alignment.result", "save_overlay", "reporting"),
}
# Modules that reporting may import from layers 2 and 3: types of results, and what describes a checkpoint.
RESULTS = {
    "alignment.angle_drawing", "alignment.cobb", "alignment.result", "alignment.vertebra",
    "checkpoint.checkpoint", "checkpoint.files", "checkpoint.record", "checkpoint.sagittal_record",
    "checkpoint.sagittal_settings", "checkpoint.settings",
    "checkpoint.vertebra_record", "checkpoint.vertebra_settings", "cohort.audit.findings",
    "cohort.cohort", "cohort.landmarks.auditing", "inference.occlusion", "inference.prediction",
}  # fmt: skip
HEAVY = (
    "torch", "transformers", "gradio", "datasets", "evaluate", "monai", "matplotlib", "ray", "sklearn", "skimage",
    "pydicom", "nibabel",
)  # fmt: skip
SAGITTAL = ("scipy", "contourpy")  # base dependencies that only measuring sagittal MR needs
PACKAGE = Path(spinealign.__file__).parent
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))


@dataclass(frozen=True)
class Import:
    """One import of a module: its name, the function around it, and whether only type checkers see it."""

    name: str
    function: str | None
    typing: bool

    @property
    def package(self) -> str:
        return self.name.split(".")[0]


def all_imports(path: Path) -> list[Import]:
    """Return every import of a file, also lazy ones and those by `import_module`."""
    found: list[Import] = []

    def visit(node: ast.AST, function: str | None, typing: bool) -> None:
        if isinstance(node, ast.Import):
            found.extend(Import(alias.name, function, typing) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            for alias in node.names:
                inside = f"{node.module}.{alias.name}"
                found.append(Import(inside if is_module(inside) else str(node.module), function, typing))
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("import_module", "__import__"):
                found.append(Import(str(node.args[0].value), function, typing))
        typing_block = isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        name = node.name if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else function
        for child in ast.iter_child_nodes(node):
            visit(child, name, typing or typing_block)

    visit(ast.parse(path.read_text(encoding="utf-8")), None, False)
    return found


def own_imports(path: Path) -> list[Import]:
    """Return the imports from this package, named without its name; the package itself is an empty name."""
    inside = [item for item in all_imports(path) if item.name.split(".")[0] == "spinealign"]
    return [replace(item, name=item.name.removeprefix("spinealign").removeprefix(".")) for item in inside]


def is_module(name: str) -> bool:
    path = PACKAGE.parent.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


INSIDE = {module_name(path): path for path in MODULES if module_name(path) != "__init__"}


def is_upward(module: str, item: Import) -> bool:
    """Return whether an import of a higher layer is one of the allowed ones; for annotations, any method counts."""
    if item.typing:
        return any((module, item.package) == (name, package) for name, _, package in UPWARD)
    return (module, item.function, item.package) in UPWARD


def test_every_package_has_a_layer():
    assert {module.split(".")[0] for module in INSIDE} == set(LAYER)


@pytest.mark.parametrize("module", INSIDE)
def test_no_module_imports_a_higher_layer(module):
    own = module.split(".")[0]
    for item in own_imports(INSIDE[module]):
        assert item.name, f"{module} imports the package root"
        allowed = LAYER[item.package] <= LAYER[own] or is_upward(module, item)
        assert allowed, f"{own} (layer {LAYER[own]}) imports {item.name} (layer {LAYER[item.package]})"


def test_every_allowed_upward_import_is_used():
    used = {
        (module, item.function, item.package)
        for module, path in INSIDE.items()
        for item in own_imports(path)
        if not item.typing
    }
    assert used >= UPWARD


def test_reporting_imports_only_types_of_results():
    for module, path in INSIDE.items():
        if module.startswith("reporting"):
            higher = {item.name for item in own_imports(path) if LAYER[item.package] in (2, 3)}
            assert higher <= RESULTS, module


def assert_acyclic(graph: dict[str, set[str]]) -> None:
    done: set[str] = set()
    while len(done) < len(graph):
        free = {name for name in graph if name not in done and graph[name] - {name} <= done}
        assert free, f"import cycle among {sorted(set(graph) - done)}"
        done |= free


def test_packages_import_each_other_without_a_cycle():
    graph: dict[str, set[str]] = {package: set() for package in LAYER}
    for module, path in INSIDE.items():
        graph[module.split(".")[0]] |= {item.package for item in own_imports(path) if not is_upward(module, item)}
    assert_acyclic(graph)


def test_modules_import_each_other_without_a_cycle():
    assert_acyclic(
        {
            module: {item.name for item in own_imports(path) if not is_upward(module, item)} & INSIDE.keys()
            for module, path in INSIDE.items()
        }
    )


@pytest.mark.parametrize(
    ("module", "code"),
    [
        ("imaging.filters", "from spinealign import Predictor, errors"),
        ("imaging.filters", "import importlib\nimportlib.import_module('spinealign.hub.pushing')"),
        ("metrics.evaluation", "import spinealign.reporting.tables"),
        ("metrics.evaluation", "if True:\n    from spinealign.reporting import tables"),
        ("metrics.evaluation", "def show():\n    from spinealign import reporting"),
        ("cohort.cohort", "def push_to_hub_later():\n    from spinealign.hub import space"),
    ],
)
def test_hidden_upward_imports_are_found(module, code, tmp_path):
    path = tmp_path / "module.py"
    path.write_text(code)
    own = LAYER[module.split(".")[0]]
    assert any(
        not item.name or (LAYER[item.package] > own and not is_upward(module, item)) for item in own_imports(path)
    )


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
        "import numpy, spinealign; spinealign.measure(numpy.random.default_rng(0).random((256, 128)))",
    ],
    ids=["import", "predict", "help", "info", "measure"],
)
def test_light_commands_load_no_heavy_package(code):
    assert not loaded_by(code) & {*HEAVY, *SAGITTAL}


def test_heavy_packages_are_imported_lazily():
    for module, path in INSIDE.items():
        package = module.split(".")[0]
        if package in ("training", "networks"):
            continue
        shell = {"gradio"} if package == "page" and module != "page" else set()
        eager = {item.package for item in all_imports(path) if item.function is None and not item.typing}
        sagittal = set(SAGITTAL) if module.startswith(("alignment.sagittal", "cohort.masks")) else set()
        assert not eager & ({*HEAVY, *SAGITTAL} - shell - sagittal), path


def test_the_error_tree_of_the_docstring_is_complete():
    drawn = re.findall(r"^(?:│   )?[├└]── (\w+)", inspect.getdoc(errors), flags=re.MULTILINE)
    real = {name: kind for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, Exception)}
    assert {*drawn, "SpineAlignError", "SliceError"} == set(real)  # SliceError is an alias
    parents = {name: kind.__bases__[0].__name__ for name, kind in real.items()}
    assert parents["UnreadableImageError"] == parents["UnsupportedFormatError"] == "ImageError"
    assert parents["LeakageError"] == "CohortError"
    assert issubclass(errors.MissingDependencyError, ImportError)


def test_public_functions_take_few_parameters():
    positional = {
        "apply_window",
        "compute_loss",
        "on_log",
        "on_epoch_begin",
        "on_step_begin",
        "on_step_end",
        "on_train_begin",
        "on_train_end",
        "on_save",
    }  # names and overrides of others
    of_the_hub = {"from_pretrained", "find_checkpoint"}  # their parameters follow the conventions of the Hub
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
                continue
            given = [argument.arg for argument in node.args.args if argument.arg not in ("self", "cls")]
            many = len(given) + len(node.args.kwonlyargs) > 6 and node.name not in of_the_hub
            assert not many, f"{path}:{node.name}"
            assert len(given) <= 2 or node.name in positional, f"{path}:{node.name}"


def test_no_module_has_a_vague_name():
    assert not {path.stem for path in MODULES} & {"utils", "helpers", "common", "types"}


def test_no_function_has_the_name_of_its_module():
    for path in MODULES:
        functions = {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}
        assert path.stem not in functions, path
