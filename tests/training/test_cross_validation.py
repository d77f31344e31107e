from __future__ import annotations

import json

import numpy as np
import pytest
from conftest import training_words

from spinealign.errors import CohortError
from spinealign.labels import binary_target
from spinealign.training import pipeline
from spinealign.training.cross_validation import cross_validate
from spinealign.training.pipeline import run_training
from spinealign.training.setup import make_setup, parse_training_setup

TARGET = binary_target("normal", "fracture")


def words(data, backbone, output, *more):
    return training_words(data, backbone, output, "--num_train_epochs", "1", "--folds", "3", *more)


@pytest.mark.slow
def test_each_image_is_scored_by_a_model_not_trained_on_it(phantom_folder, tiny_backbone, tmp_path):
    result = run_training(parse_training_setup(words(phantom_folder, tiny_backbone, tmp_path / "out")))
    (crossed,) = result.cross_validations
    assert [item.split for item in crossed.folds] == ["fold 1", "fold 2", "fold 3"]
    assert sum(item.images for item in crossed.folds) == crossed.pooled.images == 44
    assert crossed.pooled.thumbnail_ridge is not None
    stored = json.loads((tmp_path / "out" / "metrics.json").read_text())["cross_validations"]
    assert stored == json.loads(json.dumps([crossed.to_dict()]))
    assert "| phantoms (3 folds) | 44 | 44 |" in (tmp_path / "out" / "README.md").read_text()
    assert not list((tmp_path / "out" / "training").glob("fold-*"))


@pytest.mark.slow
def test_a_killed_run_keeps_its_finished_folds(phantom_folder, tiny_backbone, tmp_path, monkeypatch):
    setup = parse_training_setup(words(phantom_folder, tiny_backbone, tmp_path / "out"))

    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "save_checkpoint", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_training(setup)
    kept = sorted((tmp_path / "out" / "training").glob("fold-*/logits.json"))
    assert len(kept) == 3
    content = json.loads(kept[0].read_text())
    content["logits"] = [np.tile([1.0, 0.0], (len(content["logits"][0]), 1)).tolist()]
    kept[0].write_text(json.dumps(content))
    (crossed,) = run_training(setup).cross_validations
    assert crossed.folds[0].scores["sensitivity"] == 0, "the stored fold is used"


def test_more_folds_than_sources_are_refused(noise, tmp_path):
    with pytest.raises(CohortError, match="5 folds"):
        cross_validate(make_setup("noise", tmp_path / "out", folds=5), TARGET, collections=[noise])
