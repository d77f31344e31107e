"""Errors: check of optional packages against installed distributions."""

from __future__ import annotations

import subprocess
import sys

import pytest

CALL = "import sys\nfrom spinealign.errors import require\nrequire(*sys.argv[2:], extra=sys.argv[1])"
REQUIRED = """Requires-Dist: numpy
Requires-Dist: gradio>=6.31; extra == "app"
Requires-Dist: mcp<2,>=1.30; extra == "mcp"
Requires-Dist: mcp<2,>=1.30; extra == "train"
Requires-Dist: scikit-learn>=99; python_version < "3" and extra == "train"
Requires-Dist: scikit-learn>=1.5; python_version >= "3" and extra == "train"
"""


@pytest.fixture
def required(tmp_path, root):
    """A function that calls `require` in a new process with only the given distributions."""

    def install(name, version, *, module=None, lines=""):
        (tmp_path / f"{module or name}.py").write_text("raise ImportError('it was imported')")
        folder = tmp_path / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n{lines}")

    def call(extra, *packages, metadata=True, **versions):
        if metadata:
            install("spinealign", "9.9", module="unused", lines=REQUIRED)
        for name, version in versions.items():
            module = {"scikit_learn": "sklearn"}.get(name)
            install(name.replace("_", "-"), version, module=module)
        import packaging

        (tmp_path / "packaging").symlink_to(packaging.__path__[0])
        process = subprocess.run(
            [sys.executable, "-S", "-c", CALL, extra, *packages], env={"PYTHONPATH": f"{tmp_path}:{root}"}, text=True,
            capture_output=True,
        )  # fmt: skip
        return process.stderr.strip().rpartition("\n")[2].rpartition("MissingDependencyError: ")[2]

    return call


def test_an_old_version_is_named_with_the_needed_one(required):
    assert required("app", "gradio", gradio="6.20") == (
        'gradio 6.20 is installed, spinealign[app] needs gradio>=6.31. Run: pip install "spinealign[app]"'
    )


def test_missing_and_too_new_packages_are_named_together(required):
    assert required("train", "torch", "mcp", "sklearn", mcp="2.0", scikit_learn="1.5") == (
        "not installed: torch; mcp 2.0 is installed, spinealign[train] needs mcp<2,>=1.30. "
        'Run: pip install "spinealign[train]"'
    )


@pytest.mark.parametrize("version", ["1.5", "1.6.dev0", "2.0+local"])
def test_versions_in_range_are_accepted(required, version):
    assert required("train", "sklearn", scikit_learn=version) == ""


def test_the_marker_of_a_requirement_is_evaluated(required):
    assert "scikit-learn 1.4 is installed, spinealign[train] needs scikit-learn>=1.5." in required(
        "train", "sklearn", scikit_learn="1.4"
    )


def test_without_metadata_only_the_import_is_checked(required):
    assert required("app", "gradio", metadata=False, gradio="1.0") == ""


def test_a_package_that_no_extra_names_needs_no_version(required):
    assert required("train", "pandas", pandas="0.1") == ""
