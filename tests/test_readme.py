"""Code and commands of README."""

from __future__ import annotations

import re
import shlex
import shutil

import pytest

from spinealign.cli import main
from spinealign.cli.program import build_parser


@pytest.fixture(scope="module")
def readme(root):
    return (root / "README.md").read_text()


@pytest.fixture
def examples_folder(tmp_path, monkeypatch, phantom_folder, tiny_checkpoint):
    """Folder with the files that the examples of README name."""
    shutil.copytree(phantom_folder, tmp_path / "cervical fracture")
    shutil.copytree(phantom_folder, tmp_path / "other hospital")
    shutil.copytree(tiny_checkpoint, tmp_path / "my-model")
    shutil.copy(next((phantom_folder / "test").iterdir()), tmp_path / "slice.png")
    (tmp_path / "settings.yaml").write_text("data_dir: cervical fracture\noutput_dir: my-model\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def blocks(text, language):
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def test_python_blocks_run_in_order(readme, examples_folder, tiny_backbone, local_hub, capsys):
    """Run them with a tiny local backbone and the Hub on loopback."""
    shutil.rmtree("my-model")
    found = blocks(readme, "python")
    assert len(found) == 3
    names = {}
    for block in found:
        code = block.replace("facebook/deit-tiny-patch16-224", str(tiny_backbone)).replace(
            '"you/', f'"{local_hub.owner}/'
        )
        exec(compile(code, "README.md", "exec"), names)
    out = capsys.readouterr().out
    assert "44 images of 44 source slices" in out
    assert "missing.png" in out
    assert {"audit.html", "evaluation.png", "heat_map.png"} <= {path.name for path in examples_folder.iterdir()}
    assert names["items"][0].model.startswith(f"{local_hub.owner}/my-model@")
    assert list(names["table"]["source"]) == ["slice.png", "missing.png"]


def test_readme_is_short(readme):
    assert len(readme.splitlines()) <= 120


def test_shell_commands_run_or_parse(readme, examples_folder, root, capsys):
    from spinealign.training.setup import parse_training_setup

    makefile = (root / "Makefile").read_text()
    extras = {*re.findall(r"^(\w+) = \[", (root / "pyproject.toml").read_text(), flags=re.MULTILINE), "spinealign"}
    lines = [line.split("#")[0].strip() for block in blocks(readme, "bash") for line in block.splitlines()]
    for line in filter(None, lines):
        words = shlex.split(line)
        if words[0] == "make":
            assert f"\n{words[1]}:" in makefile, line
        elif words[:2] == ["pip", "install"]:
            assert words[2].removeprefix("spinealign[").removesuffix("]") in extras, line
        elif words[:2] == ["spinealign", "train"]:  # the backbone is on the Hub
            assert parse_training_setup(words[2:]).data.data_dir == ["cervical fracture"]
        elif words[:2] == ["spinealign", "app"]:  # it would serve until stopped
            assert build_parser().parse_args(words[1:]).port == 7860
        elif "you/my-model" in words and "--dry_run" not in words:  # tested in tests/hub
            assert callable(build_parser().parse_args(words[1:]).run)
        else:
            assert words[0] == "spinealign", line
            assert main(words[1:]) == 0, line


def test_links_lead_to_files(readme, root):
    for target in re.findall(r"\]\(([^)#]+)\)", readme):
        assert target.startswith("http") or (root / target).exists(), target
