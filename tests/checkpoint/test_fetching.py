from __future__ import annotations

import json
import logging
import subprocess
import sys

import numpy as np
import pytest
from huggingface_hub import HfApi
from loopback.connection import Cut
from loopback.store import File, Repo

from spinealign import Predictor
from spinealign.checkpoint.finding import DEFAULT_FOLDER, find_checkpoint
from spinealign.errors import CheckpointError
from spinealign.hub import push_to_hub
from spinealign.reporting.installation import describe


@pytest.fixture
def pushed(hub, tiny_checkpoint):
    repo_id = hub.new_id()
    return repo_id, push_to_hub(tiny_checkpoint, repo_id, private=True)


@pytest.fixture
def kept(loopback, local_hub, tiny_checkpoint):
    """A repository on the Hub on loopback, put there without a client."""

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


def test_a_model_is_loaded_by_its_id_and_every_prediction_names_its_commit(pushed, tiny_checkpoint, gray):
    repo_id, commit = pushed
    predictor = Predictor.from_pretrained(repo_id)
    assert predictor.model == predictor(gray).model == f"{repo_id}@{commit.oid}"
    assert predictor(gray).probabilities == Predictor.from_pretrained(tiny_checkpoint)(gray).probabilities


def test_a_branch_and_a_commit_are_loaded_as_they_were(hub, pushed, gray):
    repo_id, first = pushed
    api = HfApi(token=hub.token, endpoint=hub.endpoint)
    api.upload_file(path_or_fileobj=b"new", path_in_repo="NEWS.md", repo_id=repo_id)
    newest = api.model_info(repo_id).sha
    assert Predictor.from_pretrained(repo_id, "main").model == f"{repo_id}@{newest}"
    assert Predictor.from_pretrained(repo_id, first.oid).model == f"{repo_id}@{first.oid}"


@pytest.mark.parametrize(("engine", "weights"), [("onnx", "model.onnx"), ("torch", "model.safetensors")])
def test_only_what_the_engine_needs_is_fetched(hub, pushed, engine, weights):
    checkpoint = find_checkpoint(pushed[0], engine=engine)
    small = {"config.json", "preprocessor_config.json", "spinealign.json", "novelty.safetensors", "metrics.json"}
    wanted = {*small, weights}
    assert {path.name for path in checkpoint.folder.iterdir()} == wanted


def test_without_onnx_the_torch_weights_are_fetched(kept, gray):
    kept(leave_out=("model.onnx",))
    predictor = Predictor.from_pretrained("hospital/model")
    assert predictor.engine.name == "torch"
    assert predictor(gray).label in predictor.labels


def test_what_was_fetched_serves_without_the_network(hub, pushed, slice_png):
    repo_id, commit = pushed
    online = hub.start("predict", str(slice_png), "--json", "--model", repo_id)
    first, said = online.communicate(timeout=120)
    assert online.returncode == 0, said
    offline = hub.start("predict", str(slice_png), "--json", "--model", repo_id, HF_HUB_OFFLINE="1", HF_TOKEN="")
    assert offline.communicate(timeout=120)[0] == first
    assert json.loads(first)["model"] == f"{repo_id}@{commit.oid}"


def test_what_was_fetched_serves_when_the_hub_is_gone(kept, unplugged, gray):
    kept()
    first = Predictor.from_pretrained("hospital/model")(gray)
    unplugged()
    assert Predictor.from_pretrained("hospital/model")(gray) == first


def refused(repo_id="hospital/model", *, revision=None):
    with pytest.raises(CheckpointError) as caught:
        Predictor.from_pretrained(repo_id, revision)
    assert str(caught.value).startswith(repo_id)
    return str(caught.value).removeprefix(f"{repo_id}: ")


def test_a_token_that_is_not_accepted_says_so(kept, monkeypatch):
    kept()
    log_in(monkeypatch, "hf_wrong")
    assert refused().startswith("the Hub does not accept your token")


def test_a_private_model_asks_for_a_login_and_opens_with_it(kept, loopback, monkeypatch, tmp_path, gray):
    kept(private=True)
    log_out(monkeypatch, tmp_path)
    assert "without a login: check the name; if it is private, log in (hf auth login)" in refused()
    log_in(monkeypatch, "hf_stranger")
    assert "none of this name that your account may see" in refused()
    log_in(monkeypatch, "hf_owner")
    assert Predictor.from_pretrained("hospital/model")(gray).label
    stored = [authorized for _, path, authorized in loopback.requests if path.startswith("/storage/")]
    assert stored
    assert not any(stored), "the token stays with the Hub"


def test_a_gated_model_says_how_to_get_in_and_opens_for_those_who_are(kept, monkeypatch, tmp_path, gray):
    repo = kept(gated=True)
    log_out(monkeypatch, tmp_path)
    assert refused().startswith("it is gated: accept its conditions on its page, then log in")
    log_in(monkeypatch, "hf_stranger")
    assert refused().startswith("it is gated, and your account was not let in: ask for access on its page")
    repo.readers.add("eve")
    assert Predictor.from_pretrained("hospital/model")(gray).label


def test_a_model_that_is_not_there_says_so(hub):
    repo_id = hub.new_id()
    assert "none of this name that your account may see" in refused(repo_id)


def test_a_revision_that_is_not_there_says_so(pushed):
    repo_id, _ = pushed
    assert refused(repo_id, revision="v9") == "it has no revision 'v9': check the branch, tag or commit."


def test_a_repository_without_a_commit_is_not_asked_for_none(loopback, local_hub):
    loopback.store.repos["model", "hospital/model"] = Repo("hospital")
    assert refused() == "it has no revision 'main': check the branch, tag or commit."


def test_an_address_of_the_hub_that_is_none_is_named(hub, slice_png):
    process = hub.start("predict", str(slice_png), "--model", "hospital/model", HF_ENDPOINT="hub.example.org")
    assert "hospital/model: HF_ENDPOINT is no address of a Hub: it begins with https://." in process.communicate()[1]


def test_a_cache_that_cannot_be_written_is_named_by_its_variables(kept, local_hub, slice_png):
    kept()
    nowhere = {"HF_HOME": str(slice_png / "home"), "HF_HUB_CACHE": str(slice_png / "home" / "hub")}
    process = local_hub.start("predict", str(slice_png), "--model", "hospital/model", **nowhere)
    assert "Not a directory; the cache lies where HF_HOME or HF_HUB_CACHE say." in process.communicate()[1]


@pytest.mark.parametrize(
    "name", ["model.onnx", "novelty.safetensors", "config.json", "spinealign.json", "model.safetensors"]
)
def test_a_file_that_was_cut_in_the_cache_can_be_fetched_anew(kept, name):
    kept()
    engine = "torch" if name == "model.safetensors" else "onnx"
    folder = Predictor.from_pretrained("hospital/model", engine=engine).checkpoint.folder
    with (folder / name).resolve().open("r+b") as stream:
        stream.truncate(10)
    with pytest.raises(CheckpointError, match=r"\(hf cache rm model/hospital/model\)"):
        Predictor.from_pretrained("hospital/model", engine=engine)
    subprocess.run(
        [sys.executable, "-m", "huggingface_hub.cli.hf", "cache", "rm", "model/hospital/model", "--yes",
         "--cache-dir", folder.parents[2]], check=True, capture_output=True,
    )  # fmt: skip
    assert Predictor.from_pretrained("hospital/model", engine=engine).labels


def test_without_the_network_and_without_a_copy_it_says_so(kept, unplugged):
    kept()
    unplugged()
    assert refused() == "the Hub cannot be reached: check the network, the proxy and HF_ENDPOINT."


def test_a_hub_in_trouble_is_not_taken_for_a_missing_model(kept, loopback):
    kept()
    loopback.trouble = 503
    assert refused() == "the Hub has trouble of its own: try again later."


def test_a_download_that_is_cut_goes_on_by_itself(kept, loopback, gray):
    kept()
    loopback.cuts = [Cut("GET", "/storage/", share=0.3)]
    assert Predictor.from_pretrained("hospital/model")(gray).label
    assert loopback.cuts[0].times == 0


def test_a_large_download_that_is_cut_goes_on_where_it_stopped(kept, loopback):
    kept(folder=DEFAULT_FOLDER)
    weights = loopback.store.repos["model", "hospital/model"].at("main").files["model.onnx"].sha256
    loopback.cuts = [Cut("GET", f"/storage/{weights}", share=0.98)]
    predictor = Predictor.from_pretrained("hospital/model")
    assert loopback.ranges == ["bytes=10485760-"], "the client keeps what came in pieces of 10 MiB"
    assert predictor.engine.name == "onnx"


def test_half_a_download_is_never_used_and_a_second_try_succeeds(kept, loopback, unplugged, gray):
    repo = kept()
    weights = repo.at("main").files["model.onnx"].sha256
    loopback.cuts = [Cut("GET", f"/storage/{weights}", hard=True)]
    assert refused() == "the connection broke off, and nothing half is used: try again."
    assert Predictor.from_pretrained("hospital/model")(gray).label
    assert loopback.cuts[0].times == 0


def test_half_a_download_is_told_apart_where_the_rest_cannot_be_fetched(kept, loopback, monkeypatch):
    from huggingface_hub import constants

    repo = kept()
    weights = repo.at("main").files["model.onnx"].sha256
    loopback.cuts = [Cut("GET", f"/storage/{weights}", hard=True)]
    refused()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert refused().startswith("HF_HUB_OFFLINE forbids to ask the Hub, and the cache has not all of it")


def test_what_is_no_image_classifier_is_refused_before_its_weights_are_fetched(kept, loopback):
    repo = kept()
    files = dict(repo.at("main").files)
    content = json.loads(files["config.json"].content)
    content["architectures"] = ["LlamaForCausalLM"]
    files["config.json"] = File(json.dumps(content).encode(), False)
    repo.commit("main", "another", files)
    assert "is no image classifier: its config.json says LlamaForCausalLM" in refused()
    weights = {files[name].sha256 for name in ("model.onnx", "model.safetensors")}
    assert not [path for _, path, _ in loopback.requests if path.rpartition("/")[2] in weights]


def test_what_is_no_model_at_all_is_refused(kept):
    kept(leave_out=("config.json",))
    assert "has no config.json; it is no image classifier" in refused()


def test_a_model_with_pickles_alone_is_refused_without_fetching_them(kept, loopback):
    repo = kept(leave_out=("model.onnx", "model.safetensors"))
    repo.commit("main", "a pickle", {**repo.at("main").files, "pytorch_model.bin": File(b"pickle", False)})
    assert "has neither model.onnx nor model.safetensors, and other weights are not read" in refused()
    assert not [path for _, path, _ in loopback.requests if path.endswith(".bin")]


@pytest.mark.parametrize(("engine", "weights"), [("onnx", "model.onnx"), ("torch", "model.safetensors")])
def test_weights_that_are_damaged_on_the_hub_are_named_without_the_folder_of_the_cache(
    kept, loopback, local_hub, engine, weights
):
    repo = kept()
    repo.commit("main", "damage", {**repo.at("main").files, weights: File(b"nonsense", False)})
    with pytest.raises(CheckpointError, match="hospital/model@") as caught:
        Predictor.from_pretrained("hospital/model", engine=engine)
    assert str(local_hub.cache) not in str(caught.value)


@pytest.fixture
def plain(kept):
    kept("hospital/plain", leave_out=("spinealign.json", "novelty.safetensors", "model.onnx", "metrics.json"))
    return "hospital/plain"


def test_a_plain_classifier_loads_and_says_what_it_lacks(plain, gray, caplog):
    with caplog.at_level(logging.WARNING):
        predictor = Predictor.from_pretrained(plain)
    assert "knows nothing of spinealign: its probabilities are not calibrated" in caplog.text
    assert sum(predictor(gray).probabilities.values()) == pytest.approx(1)
    content = describe(predictor.checkpoint, "onnx")
    assert content["calibration"].startswith("none: the model knows nothing of spinealign")
    assert content["unknown images"].startswith("not recognised")


def test_a_model_of_spinealign_says_how_it_was_calibrated(tiny_checkpoint, caplog):
    content = describe(find_checkpoint(tiny_checkpoint), "onnx")
    assert content["calibration"].startswith("temperature 1.000")
    assert content["unknown images"].startswith("not accepted beyond a novelty of ")
    Predictor.from_pretrained(tiny_checkpoint)
    assert "knows nothing" not in caplog.text


def test_an_image_of_more_classes_is_named_by_the_most_probable(kept, tiny_backbone, loopback):
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
