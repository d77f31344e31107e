from __future__ import annotations

import shutil

import pytest

from spinealign import Predictor
from spinealign.cli import main
from spinealign.errors import CheckpointError
from spinealign.hub.pushing import push_to_hub
from spinealign.page import build_demo
from spinealign.page.handlers import choose
from spinealign.page.models import Models


@pytest.fixture
def models(toy_model):
    return Models(Predictor.from_pretrained(toy_model), allow_others=True)


def test_other_models_are_refused_unless_allowed(toy_model):
    models = Models(Predictor.from_pretrained(toy_model))
    assert models.get("") is models.load("  ") is models.own
    for ask in (models.get, models.load):
        with pytest.raises(CheckpointError, match="does not allow other models"):
            ask(str(toy_model))


def test_a_model_is_loaded_once_and_named_without_its_path(models, toy_model):
    assert models.load(str(toy_model)) is models.get(str(toy_model))
    assert models.own.checkpoint.name == "toy"


def test_a_chosen_hub_model_stays_at_its_commit(models, local_hub, tiny_checkpoint, tmp_path):
    repo_id = local_hub.new_id()
    first = push_to_hub(tiny_checkpoint, repo_id)
    kept, said, _ = choose(models, repo_id)
    assert kept == f"{repo_id}@{first.oid}"
    assert kept in said
    changed = tmp_path / "changed"
    shutil.copytree(tiny_checkpoint, changed)
    (changed / "learning_curves.png").write_bytes(b"\x89PNG\r\n\x1a\nanother picture")
    second = push_to_hub(changed, repo_id)
    assert choose(models, repo_id)[0] == f"{repo_id}@{second.oid}"
    assert choose(models, f"{repo_id}@{first.oid}")[0] == kept
    assert Models(models.own, allow_others=True).get(kept).model == kept, "after the server has dropped it"


def test_a_failed_choice_names_the_model_in_use(models):
    kept, said, _ = choose(models, "no/such/folder")
    assert kept == ""
    assert "no/such/folder" in said
    assert "Answers come from <code>toy</code>" in said


@pytest.mark.parametrize("kind", ["multi_class", "ordinal", "multi_label", "mixed"])
def test_a_model_that_is_not_binary_is_refused(models, models_of_every_kind, capsys, kind):
    folder = str(models_of_every_kind[kind])
    assert main(["app", "--model", folder]) == 1
    sentence = f"The page only shows binary models, and {kind} is {kind}; use spinealign predict or Predictor instead."
    assert capsys.readouterr().err == f"error: {sentence}\n"
    assert sentence in choose(models, folder)[1]
    with pytest.raises(CheckpointError, match="only shows binary models"):
        build_demo(Predictor.from_pretrained(folder))
