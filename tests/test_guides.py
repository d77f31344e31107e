"""Code, commands and links of README and of the guides in docs/."""

from __future__ import annotations

import re
import shlex
import shutil

import pytest
from conftest import serve_page
from PIL import Image

from spinealign.cli import main
from spinealign.cli.program import build_parser
from spinealign.phantoms.frontal_spine import draw_frontal_spine

SLOW = pytest.mark.slow
PYTHON = ["README.md", "docs/predict.md", "docs/images.md", "docs/audit.md", "docs/evaluate.md", "docs/hub.md",
          "docs/cobb.md", "docs/masks.md", pytest.param("docs/quickstart.md", marks=SLOW),
          pytest.param("docs/train.md", marks=SLOW)]  # fmt: skip
COMMANDS = [
    "README.md",
    *(
        f"docs/{name}.md"
        for name in ("quickstart", "predict", "train", "audit", "evaluate", "hub", "serve", "hosting", "cobb", "films")
    ),
]
NOT_OURS = {"docker", "hf"}


@pytest.fixture
def examples_folder(tmp_path, monkeypatch, phantom_folder, tiny_checkpoint):
    """Folder with the files that the examples name."""
    for name in ("cervical fracture", "other hospital", "phantoms"):
        shutil.copytree(phantom_folder, tmp_path / name)
    shutil.copytree(tiny_checkpoint, tmp_path / "my-model")
    shutil.copy(next((phantom_folder / "test").iterdir()), tmp_path / "slice.png")
    Image.fromarray(draw_frontal_spine([-20, 20]).slice.pixels.astype("uint8")).save(tmp_path / "spine.png")
    (tmp_path / "settings.yaml").write_text("data_dir: cervical fracture\noutput_dir: my-model\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), flags=re.DOTALL)


@pytest.mark.parametrize("page", PYTHON)
def test_python_blocks_run_in_order(page, root, examples_folder, tiny_backbone, local_hub, capsys):
    """Run them with a tiny local backbone and the Hub on loopback."""
    found = blocks(root / page, "python")
    assert found
    if "docs/hub" in page:
        assert main(["push", "my-model", f"{local_hub.owner}/my-model"]) == 0
    elif any("spinealign.train(" in block for block in found):
        shutil.rmtree("my-model")
    names = {}
    for block in found:
        code = block.replace('"you/', f'"{local_hub.owner}/').replace(
            "facebook/deit-tiny-patch16-224", str(tiny_backbone)
        )
        if "backbone=" not in code:
            code = code.replace("spinealign.train(", f"spinealign.train(backbone={str(tiny_backbone)!r}, data=")
            code = code.replace('data="phantoms", "my-model"', 'data="phantoms", output_dir="my-model"')
        exec(compile(code, page, "exec"), names)
    if page == "README.md":
        assert "44 images of 44 source slices" in capsys.readouterr().out
        assert {"audit.html", "evaluation.png", "heat_map.png"} <= {path.name for path in examples_folder.iterdir()}
        assert names["items"][0].model.startswith(f"{local_hub.owner}/my-model@")
        assert list(names["table"]["source"]) == ["slice.png", "missing.png"]


@SLOW
def test_the_page_is_served_from_python(root, examples_folder):
    (block,) = blocks(root / "docs" / "serve.md", "python")
    (examples_folder / "serve.py").write_text(block.replace(", port=7860", ""))
    with serve_page(examples_folder / "uploads", script="serve.py", cwd=examples_folder) as page:
        assert page.process.poll() is None


def test_readme_is_short(root):
    assert len((root / "README.md").read_text().splitlines()) <= 120


@pytest.mark.parametrize("page", COMMANDS)
def test_shell_commands_run_or_parse(page, root, examples_folder, monkeypatch, capsys):
    for block in blocks(root / page, "bash"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words and "=" in words[0]:  # a variable
                words = words[1:]
            if words and words[0] not in NOT_OURS:
                check_command(words, root)


def check_command(words, root):
    from spinealign.training.setup import parse_training_setup

    if words[:2] == ["pip", "install"]:
        extras = {*re.findall(r"^(\w+) = \[", (root / "pyproject.toml").read_text(), flags=re.MULTILINE), "spinealign"}
        assert words[-1].removeprefix("spinealign[").removesuffix("]") in extras, words
    elif words[0] == "make":
        assert f"\n{words[1]}:" in (root / "Makefile").read_text(), words
    elif words[0] == "python":
        assert (root / words[1]).is_file(), words
    elif "train" in words[:2] or words[:2] == ["accelerate", "launch"]:  # the backbone is on the Hub
        options = words[words.index("train" if "train" in words else "train.py") + 1 :]
        assert parse_training_setup(options).data.data_dir
    elif words[1] in ("app", "measure", "phantoms", "space") or ("you/my-model" in words and "--dry_run" not in words):
        assert callable(build_parser().parse_args(words[1:]).run)  # tested elsewhere
    else:
        assert words[0] == "spinealign", words
        assert main(words[1:]) == 0, words


def test_links_of_readme_lead_to_files(root):
    for target in re.findall(r"\]\(([^)#]+)\)", (root / "README.md").read_text()):
        assert target.startswith("http") or (root / target).exists(), target
