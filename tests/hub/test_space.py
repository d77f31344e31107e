from __future__ import annotations

import json
import re
import shutil
import sys

import pytest
from huggingface_hub import HfApi, SpaceCard
from loopback.store import File, Repo

from spinealign.checkpoint.finding import DEFAULT_FOLDER
from spinealign.cli import main
from spinealign.errors import CheckpointError
from spinealign.hub.pushing import push_to_hub
from spinealign.hub.space import build_space, push_space, space_files


def requirements_of(folder):
    return [re.split(r"[=<>~!]", line)[0] for line in (folder / "requirements.txt").read_text().split()]


def test_a_space_requires_no_torch_and_pins_gradio(tmp_path):
    folder = build_space(tmp_path / "space")
    names = requirements_of(folder)
    assert "jinja2" in [name.lower() for name in names]
    assert {"onnxruntime", "numpy", "gradio", "pydicom"} <= set(names)
    assert not {"torch", "transformers", "spinealign", "scikit-image"} & set(names)
    card = SpaceCard.load(folder / "README.md").data
    assert f"gradio=={card.sdk_version}" in (folder / "requirements.txt").read_text()
    assert card.python_version == ".".join(map(str, sys.version_info[:2]))
    assert (card.sdk, card.app_file, card.license) == ("gradio", "app.py", "apache-2.0")
    assert len(card.short_description) <= 60


def test_a_space_stores_the_embedded_model_without_torch_weights(tmp_path):
    folder = build_space(tmp_path / "space")
    (embedded,) = (folder / "spinealign" / "assets").iterdir()  # the page measures no x-rays
    names = {path.name for path in embedded.iterdir()}
    assert {"model.onnx", "metrics.json", "novelty.safetensors"} <= names
    assert "model.safetensors" not in names
    assert not list(folder.rglob("__pycache__"))


def test_a_checkpoint_folder_is_stored_and_loaded(tmp_path, any_checkpoint):
    folder = build_space(tmp_path / "space", model=str(any_checkpoint), title="neck")
    assert (folder / "checkpoints" / "tiny" / "model.onnx").is_file()
    assert not list(folder.rglob("model.safetensors"))
    assert not (folder / "spinealign" / "assets" / "default").exists()
    assert 'Path(__file__).parent / "checkpoints/tiny"' in (folder / "app.py").read_text()
    assert str(any_checkpoint.parent) not in "".join(
        (folder / name).read_text() for name in ("README.md", "app.py", "requirements.txt")
    )


def test_a_model_that_the_page_cannot_show_is_refused(tmp_path, models_of_every_kind):
    with pytest.raises(CheckpointError, match="The page only shows binary models, and ordinal is ordinal"):
        build_space(tmp_path / "space", model=str(models_of_every_kind["ordinal"]))
    assert not (tmp_path / "space").exists()


@pytest.mark.parametrize("name", ['my"+__import__("os").getcwd()+"x', ".git"])
def test_the_name_of_a_folder_is_not_code(tmp_path, tiny_checkpoint, name):
    folder = build_space(tmp_path / "space", model=str(shutil.copytree(tiny_checkpoint, tmp_path / name)))
    place = re.search(r'parent / "([^"]*)"\)', (folder / "app.py").read_text())[1]
    assert (folder / place / "model.onnx").is_file()
    assert "/." not in place


def test_only_files_of_the_package_are_stored():
    kept = {".py", ".typed", ".css", ".js", ".json", ".jinja", ".onnx", ".safetensors", ".md", ".png", ".txt"}
    assert {name[name.rindex(".") :] for name in space_files()} == kept


@pytest.mark.parametrize(("step", "how"), [("denoise", "median"), ("equalize", "clahe")])
def test_a_model_with_filters_requires_scikit_image(tmp_path, tiny_checkpoint, step, how):
    model = shutil.copytree(tiny_checkpoint, tmp_path / "model")
    settings = json.loads((model / "spinealign.json").read_text())
    settings["preprocessing"][step] = how
    (model / "spinealign.json").write_text(json.dumps(settings))
    assert "scikit-image" in requirements_of(build_space(tmp_path / "space", model=str(model)))


def test_a_model_of_the_hub_without_onnx_is_refused(local_hub, loopback, tiny_checkpoint):
    repo = loopback.store.repos["model", "hospital/model"] = Repo("hospital")
    names = ("config.json", "preprocessor_config.json", "model.safetensors")
    repo.commit("main", "by hand", {name: File((tiny_checkpoint / name).read_bytes(), False) for name in names})
    with pytest.raises(CheckpointError, match=r"no model\.onnx.*without torch"):
        space_files("hospital/model")


def no_evaluation(folder):
    (folder / "metrics.json").write_text('{"evaluations": []}')


def no_warning(folder):
    card = folder / "README.md"
    card.write_text(card.read_text().replace("not a medical device", "a device"))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: (folder / "model.onnx").unlink(), r"no model\.onnx"),
        (lambda folder: (folder / "training_args.bin").write_bytes(b"x"), "a Python pickle"),
        (no_evaluation, "has no evaluation"),
        (no_warning, "not a medical device"),
    ],
    ids=["no ONNX", "a pickle", "no evaluation", "no disclaimer"],
)
def test_a_space_refuses_the_folders_that_push_refuses(local_hub, loopback, tmp_path, tiny_checkpoint, spoil, words):
    model = shutil.copytree(tiny_checkpoint, tmp_path / "model")
    spoil(model)
    with pytest.raises(CheckpointError, match=words):
        push_space("hospital/space", model=str(model))
    with pytest.raises(CheckpointError, match=words):
        build_space(tmp_path / "space", model=str(model))
    assert not loopback.requests
    assert not (tmp_path / "space").exists()


def test_private_and_output_exclude_each_other(tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["space", "me/demo", "--output", str(tmp_path / "space"), "--private"])
    assert caught.value.code == 2
    assert "not allowed with argument" in capsys.readouterr().err
    assert not (tmp_path / "space").exists()


def test_a_folder_that_is_not_empty_is_not_changed(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine")
    assert main(["space", "me/demo", "--output", str(tmp_path)]) == 1
    assert "not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_space_pins_the_commit_of_its_model(hub, any_checkpoint):
    model, space = hub.new_id(), hub.new_id()
    pushed = push_to_hub(any_checkpoint, model, private=True)
    commit = push_space(space, model=model, private=True)
    api = HfApi(token=hub.token, endpoint=hub.endpoint)
    found = api.space_info(space)
    assert (found.private, found.sdk) == (True, "gradio")
    newest, *_ = api.list_repo_commits(space, repo_type="space")
    assert newest.title == "Build with spinealign"
    assert commit.oid in commit.url
    app = api.hf_hub_download(space, "app.py", repo_type="space", cache_dir=hub.cache)
    with open(app) as stream:
        assert f'"{model}", revision="{pushed.oid}"' in stream.read()
    push_space(space, private=True)
    assert "checkpoints" not in "".join(api.list_repo_files(space, repo_type="space"))
    push_space(space, model=str(any_checkpoint), private=True)
    names = api.list_repo_files(space, repo_type="space")
    assert "checkpoints/tiny/model.onnx" in names
    assert not [name for name in names if "assets/default" in name], "files of an earlier Space are deleted"
    push_space(space, model=model, private=True)
    assert "checkpoints" not in "".join(api.list_repo_files(space, repo_type="space"))
    card = api.hf_hub_download(space, "README.md", repo_type="space", cache_dir=hub.cache)
    assert SpaceCard.load(card).data.models == [model]


def test_a_space_uses_the_requested_revision(local_hub, loopback, tmp_path, tiny_checkpoint):
    trial = push_to_hub(tiny_checkpoint, "hospital/model", revision="trial")
    push_to_hub(DEFAULT_FOLDER, "hospital/model")
    assert f'revision="{trial.oid}"' in space_files("hospital/model", revision="trial")["app.py"].decode()
    assert main(["space", "neck", "--model", "hospital/model", "--revision", "trial"]) == 0
    app = loopback.store.repos["space", "ada/neck"].at("main").files["app.py"].content
    assert f'revision="{trial.oid}"' in app.decode()


def test_an_invalid_name_writes_no_folder(local_hub, loopback, tmp_path, capsys):
    assert main(["space", "bad id!!", "--output", str(tmp_path / "space")]) == 1
    assert "not a repository name" in capsys.readouterr().err
    assert not (tmp_path / "space").exists()
    assert not loopback.requests
