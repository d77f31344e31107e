from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys

import numpy as np
import pytest
from huggingface_hub import HfApi
from loopback.connection import Cut
from loopback.store import File, Repo
from loopback.versions import as_version_1

from spinealign import Predictor
from spinealign.checkpoint.finding import find_checkpoint
from spinealign.errors import CheckpointError
from spinealign.hub.pushing import push_to_hub
from spinealign.reporting.installation import describe


@pytest.fixture
def pushed(hub, tiny_checkpoint):
    repo_id = hub.new_id()
    return repo_id, push_to_hub(tiny_checkpoint, repo_id, private=True)


@pytest.fixture
def kept(loopback, local_hub, tiny_checkpoint):
    """A function that adds a repository to the loopback Hub without a client."""

    def put(repo_id="hospital/model", *, folder=tiny_checkpoint, leave_out=(), **rights):
        repo = loopback.store.repos["model", repo_id] = Repo("hospital", **rights)
        files = {
            path.name: File(path.read_bytes(), path.suffix in (".onnx", ".safetensors"))
            for path in folder.iterdir()
            if path.is_file() and path.name not in leave_out
        }
        loopback.store.large_files |= {file.sha256: file.content for file in files.values() if file.large}
        repo.commit("main", "by hand", files)
        return repo

    return put


@pytest.fixture
def unplugged(loopback):
    def unplug():
        loopback.shutdown()
        loopback.server_close()

    return unplug


def log_in(monkeypatch, token):
    monkeypatch.setenv("HF_TOKEN", token)


def log_out(monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))


def test_a_prediction_of_a_hub_model_names_its_commit(pushed, tiny_checkpoint, gray):
    repo_id, commit = pushed
    predictor = Predictor.from_pretrained(repo_id)
    assert predictor.model == predictor(gray).model == f"{repo_id}@{commit.oid}"
    assert predictor(gray).probabilities == Predictor.from_pretrained(tiny_checkpoint)(gray).probabilities


def test_a_branch_and_a_commit_are_loaded(hub, pushed, gray):
    repo_id, first = pushed
    api = HfApi(token=hub.token, endpoint=hub.endpoint)
    api.upload_file(path_or_fileobj=b"new", path_in_repo="NEWS.md", repo_id=repo_id)
    newest = api.model_info(repo_id).sha
    assert Predictor.from_pretrained(repo_id, revision="main").model == f"{repo_id}@{newest}"
    assert Predictor.from_pretrained(repo_id, revision=first.oid).model == f"{repo_id}@{first.oid}"


@pytest.mark.parametrize(("engine", "weights"), [("onnx", "model.onnx"), ("torch", "model.safetensors")])
def test_only_the_files_of_the_engine_are_downloaded(hub, pushed, engine, weights):
    checkpoint = find_checkpoint(pushed[0], engine=engine)
    small = {"config.json", "preprocessor_config.json", "spinealign.json", "novelty.safetensors", "metrics.json"}
    small |= {"training_images.safetensors"}
    wanted = {*small, weights}
    assert {path.name for path in checkpoint.folder.iterdir()} == wanted


def test_without_onnx_the_torch_weights_are_downloaded(kept, gray):
    kept(leave_out=("model.onnx",))
    predictor = Predictor.from_pretrained("hospital/model")
    assert predictor.engine.name == "torch"
    assert predictor(gray).label in predictor.labels


def test_a_cached_model_works_in_offline_mode(hub, pushed, slice_png):
    repo_id, commit = pushed
    online = hub.start("predict", str(slice_png), "--json", "--model", repo_id)
    first, said = online.communicate(timeout=120)
    assert online.returncode == 0, said
    offline = hub.start("predict", str(slice_png), "--json", "--model", repo_id, HF_HUB_OFFLINE="1", HF_TOKEN="")
    assert offline.communicate(timeout=120)[0] == first
    assert json.loads(first)["model"] == f"{repo_id}@{commit.oid}"


def test_a_cached_model_works_without_the_hub(kept, unplugged, gray):
    kept()
    first = Predictor.from_pretrained("hospital/model")(gray)
    unplugged()
    assert Predictor.from_pretrained("hospital/model")(gray) == first


def test_a_token_is_passed_to_the_hub(kept, monkeypatch, tmp_path, gray):
    kept(private=True)
    log_out(monkeypatch, tmp_path)
    assert Predictor.from_pretrained("hospital/model", token="hf_owner")(gray).label
    log_in(monkeypatch, "hf_owner")
    with pytest.raises(CheckpointError, match="hf auth login"):
        Predictor.from_pretrained("hospital/model", token=False, cache_dir=tmp_path / "other")


def test_cache_dir_is_the_folder_of_the_download(kept, tmp_path, local_hub):
    kept()
    checkpoint = find_checkpoint("hospital/model", cache_dir=tmp_path / "cache")
    assert (tmp_path / "cache") in checkpoint.folder.parents
    assert not local_hub.cache.exists()


def test_local_files_only_never_connects(kept, loopback, gray):
    kept()
    with pytest.raises(CheckpointError, match=r"hospital/model: .*local"):
        find_checkpoint("hospital/model", local_files_only=True)
    assert loopback.requests == []
    expected = Predictor.from_pretrained("hospital/model")(gray)
    loopback.requests.clear()
    assert Predictor.from_pretrained("hospital/model", local_files_only=True)(gray) == expected
    assert loopback.requests == []


def test_both_formats_load_from_the_hub(kept, tiny_checkpoint, tmp_path, gray):
    kept("hospital/new")
    folder = shutil.copytree(tiny_checkpoint, tmp_path / "old", ignore=shutil.ignore_patterns("training"))
    kept("hospital/old", folder=as_version_1(folder))
    new, old = (Predictor.from_pretrained(f"hospital/{name}")(gray) for name in ("new", "old"))
    assert new.probabilities == old.probabilities


def refused(repo_id="hospital/model", *, revision=None):
    with pytest.raises(CheckpointError) as caught:
        Predictor.from_pretrained(repo_id, revision=revision)
    assert str(caught.value).startswith(repo_id)
    return str(caught.value).removeprefix(f"{repo_id}: ")


def test_a_wrong_token_is_an_error(kept, monkeypatch):
    kept()
    log_in(monkeypatch, "hf_wrong")
    assert "does not accept your token" in refused()


def test_a_private_model_opens_with_a_login(kept, loopback, monkeypatch, tmp_path, gray):
    kept(private=True)
    log_out(monkeypatch, tmp_path)
    assert "log in (hf auth login)" in refused()
    log_in(monkeypatch, "hf_stranger")
    assert "your account" in refused()
    log_in(monkeypatch, "hf_owner")
    assert Predictor.from_pretrained("hospital/model")(gray).label
    stored = [authorized for _, path, authorized in loopback.requests if path.startswith("/storage/")]
    assert stored
    assert not any(stored), "the token stays with the Hub"


def test_a_gated_model_says_how_to_get_access(kept, monkeypatch, tmp_path, gray):
    repo = kept(gated=True)
    log_out(monkeypatch, tmp_path)
    assert "gated: accept its conditions" in refused()
    log_in(monkeypatch, "hf_stranger")
    assert "ask for access" in refused()
    repo.readers.add("eve")
    assert Predictor.from_pretrained("hospital/model")(gray).label


def test_a_missing_model_is_an_error(hub):
    repo_id = hub.new_id()
    assert "your account" in refused(repo_id)


def test_a_missing_revision_is_an_error(pushed):
    repo_id, _ = pushed
    assert "no revision 'v9'" in refused(repo_id, revision="v9")


def test_a_repository_without_a_commit_has_no_revision(loopback, local_hub):
    loopback.store.repos["model", "hospital/model"] = Repo("hospital")
    assert "no revision 'main'" in refused()


def test_a_wrong_address_of_the_hub_is_named(hub, slice_png):
    process = hub.start("predict", str(slice_png), "--model", "hospital/model", HF_ENDPOINT="hub.example.org")
    assert "hospital/model: HF_ENDPOINT" in process.communicate()[1]


def test_an_unwritable_cache_is_named_by_its_variables(kept, local_hub, slice_png):
    kept()
    nowhere = {"HF_HOME": str(slice_png / "home"), "HF_HUB_CACHE": str(slice_png / "home" / "hub")}
    process = local_hub.start("predict", str(slice_png), "--model", "hospital/model", **nowhere)
    assert "HF_HUB_CACHE" in process.communicate()[1]


@pytest.mark.parametrize(
    "name", ["model.onnx", "novelty.safetensors", "config.json", "spinealign.json", "model.safetensors"]
)
def test_a_truncated_file_in_the_cache_is_an_error(kept, name):
    kept()
    engine = "torch" if name == "model.safetensors" else "onnx"
    folder = Predictor.from_pretrained("hospital/model", engine=engine).checkpoint.folder
    with (folder / name).resolve().open("r+b") as stream:
        stream.truncate(10)
    with pytest.raises(CheckpointError, match=r"\(hf cache rm model/hospital/model\)"):
        Predictor.from_pretrained("hospital/model", engine=engine)


def test_the_told_command_lets_a_damaged_model_be_replaced(kept, local_hub):
    kept()
    find_checkpoint("hospital/model").folder.joinpath("config.json").resolve().write_text("{")
    with pytest.raises(CheckpointError, match=r"\(hf cache rm model/hospital/model\)"):
        find_checkpoint("hospital/model")
    command = [sys.executable, "-m", "huggingface_hub.cli.hf", "cache", "rm", "model/hospital/model", "--yes"]
    subprocess.run([*command, "--cache-dir", local_hub.cache], check=True, capture_output=True)
    assert Predictor.from_pretrained("hospital/model").labels


def test_without_network_and_cache_the_hub_is_unreachable(kept, unplugged):
    kept()
    unplugged()
    assert "cannot be reached" in refused()


def test_a_server_error_is_not_a_missing_model(kept, loopback):
    kept()
    loopback.trouble = 503
    assert "try again later" in refused()


def test_an_interrupted_download_is_resumed(kept, loopback, gray):
    kept()
    loopback.cuts = [Cut("GET", "/storage/", share=0.3)]
    assert Predictor.from_pretrained("hospital/model")(gray).label
    assert loopback.cuts[0].times == 0


def test_half_a_download_is_never_used(kept, loopback, unplugged, gray):
    repo = kept()
    weights = repo.at("main").files["model.onnx"].sha256
    loopback.cuts = [Cut("GET", f"/storage/{weights}", hard=True)]
    assert "connection" in refused()
    assert Predictor.from_pretrained("hospital/model")(gray).label
    assert loopback.cuts[0].times == 0


def test_half_a_download_is_an_error_in_offline_mode(kept, loopback, monkeypatch):
    from huggingface_hub import constants

    repo = kept()
    weights = repo.at("main").files["model.onnx"].sha256
    loopback.cuts = [Cut("GET", f"/storage/{weights}", hard=True)]
    refused()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert refused().startswith("HF_HUB_OFFLINE is set and the cache is incomplete")


def test_another_kind_of_model_is_refused_before_its_weights(kept, loopback):
    repo = kept()
    files = dict(repo.at("main").files)
    content = json.loads(files["config.json"].content)
    content["architectures"] = ["LlamaForCausalLM"]
    files["config.json"] = File(json.dumps(content).encode(), False)
    repo.commit("main", "another", files)
    assert "is not an image classifier: its config.json names LlamaForCausalLM" in refused()
    weights = {files[name].sha256 for name in ("model.onnx", "model.safetensors")}
    assert not [path for _, path, _ in loopback.requests if path.rpartition("/")[2] in weights]


def test_a_repository_without_a_model_is_refused(kept):
    kept(leave_out=("config.json",))
    assert "has no config.json; it is not an image classifier" in refused()


def test_pickles_are_refused_and_not_downloaded(kept, loopback):
    repo = kept(leave_out=("model.onnx", "model.safetensors"))
    repo.commit("main", "a pickle", {**repo.at("main").files, "pytorch_model.bin": File(b"pickle", False)})
    assert "has neither model.onnx nor model.safetensors, and other weights are not read" in refused()
    assert not [path for _, path, _ in loopback.requests if path.endswith(".bin")]


@pytest.mark.parametrize(("engine", "weights"), [("onnx", "model.onnx"), ("torch", "model.safetensors")])
def test_damaged_weights_on_the_hub_are_named_without_folder(kept, loopback, local_hub, engine, weights):
    repo = kept()
    repo.commit("main", "damage", {**repo.at("main").files, weights: File(b"nonsense", False)})
    with pytest.raises(CheckpointError, match="hospital/model@") as caught:
        Predictor.from_pretrained("hospital/model", engine=engine)
    assert str(local_hub.cache) not in str(caught.value)


@pytest.fixture
def plain(kept):
    kept("hospital/plain", leave_out=("spinealign.json", "novelty.safetensors", "model.onnx", "metrics.json"))
    return "hospital/plain"


def test_a_plain_classifier_loads_with_a_warning(plain, gray, caplog):
    with caplog.at_level(logging.WARNING):
        predictor = Predictor.from_pretrained(plain)
    assert "has no spinealign.json: its probabilities are not calibrated" in caplog.text
    assert sum(predictor(gray).probabilities.values()) == pytest.approx(1)
    content = describe(predictor.checkpoint, "onnx")
    assert content["calibration"].startswith("none: ")
    assert content["unknown images"].startswith("not recognized")


def test_a_model_of_spinealign_describes_its_calibration(tiny_checkpoint, caplog):
    content = describe(find_checkpoint(tiny_checkpoint), "onnx")
    assert content["calibration"].startswith("temperature 1.000")
    assert content["unknown images"].startswith("not accepted beyond a novelty of ")
    Predictor.from_pretrained(tiny_checkpoint)
    assert "no spinealign.json" not in caplog.text


def test_of_three_classes_the_most_probable_is_predicted(kept, tiny_backbone, loopback):
    repo = loopback.store.repos["model", "hospital/three"] = Repo("hospital")
    files = {path.name: File(path.read_bytes(), path.suffix == ".safetensors") for path in tiny_backbone.iterdir()}
    content = json.loads(files["config.json"].content)
    content |= {"id2label": {"0": "cat", "1": "dog", "2": "owl"}, "label2id": {"cat": 0, "dog": 1, "owl": 2}}
    files["config.json"] = File(json.dumps(content).encode(), False)
    loopback.store.large_files |= {file.sha256: file.content for file in files.values() if file.large}
    repo.commit("main", "by hand", files)
    prediction = Predictor.from_pretrained("hospital/three")(np.zeros((64, 64), np.uint8))
    assert prediction.label == max(prediction.probabilities, key=prediction.probabilities.get)
    assert set(prediction.probabilities) == {"cat", "dog", "owl"}
