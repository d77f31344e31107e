"""What README promises runs."""

from __future__ import annotations

import re
import shlex
import shutil

import numpy as np
import pytest
from PIL import Image

from spinealign.cli import main
from spinealign.cli.program import build_parser


@pytest.fixture(scope="module")
def readme(root):
    return (root / "README.md").read_text()


@pytest.fixture
def examples_folder(tmp_path, monkeypatch, phantom_folder, tiny_checkpoint):
    """A folder with the files that README's examples name."""
    shutil.copytree(phantom_folder, tmp_path / "cervical fracture")
    shutil.copytree(tiny_checkpoint, tmp_path / "my-model")
    Image.fromarray(np.tile(np.arange(64, dtype=np.uint8) * 4, (64, 1))).save(tmp_path / "slice.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def blocks(text, language):
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def test_python_blocks_run_in_their_order(readme, examples_folder, capsys):
    names = {}
    found = blocks(readme, "python")
    assert len(found) >= 3
    for block in found:
        exec(compile(block, "README.md", "exec"), names)
    assert "fracture" in capsys.readouterr().out


def test_shell_commands_run_or_parse(readme, examples_folder, root, capsys):
    from spinealign.training.arguments import parse_training_setup

    makefile = (root / "Makefile").read_text()
    extras = {*re.findall(r"^(\w+) = \[", (root / "pyproject.toml").read_text(), flags=re.MULTILINE), "spinealign"}
    lines = [line.split("#")[0].strip() for block in blocks(readme, "bash") for line in block.splitlines()]
    for line in filter(None, lines):
        words = shlex.split(line)
        if words[0] == "make":
            assert f"\n{words[1]}:" in makefile, line
        elif words[:2] == ["pip", "install"]:
            assert words[2].removeprefix("spinealign[").removesuffix("]") in extras, line
        elif words[:2] == ["spinealign", "train"]:  # its backbone comes from the Hub
            assert parse_training_setup(words[2:]).data.data_dir == ["cervical fracture"]
        elif words[:2] == ["spinealign", "app"]:  # it would serve until it is stopped
            assert build_parser().parse_args(words[1:]).port == 7860
        elif "you/my-model" in words and "--dry_run" not in words:  # it would ask the Hub; tests/hub does so
            assert callable(build_parser().parse_args(words[1:]).run)
        else:
            assert words[0] == "spinealign", line
            assert main(words[1:]) == 0, line


def test_links_lead_to_files(readme, root):
    for target in re.findall(r"\]\(([^)#]+)\)", readme):
        assert target.startswith("http") or (root / target).exists(), target
