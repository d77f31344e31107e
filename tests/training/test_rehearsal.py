from __future__ import annotations

from importlib.util import find_spec

import pytest
import torch
from conftest import training_options

import spinealign
from spinealign.errors import CohortError
from spinealign.labels import binary_target
from spinealign.training.backbone import create_backbone
from spinealign.training.rehearsal import check_setup, rehearse
from spinealign.training.setup import make_setup

TARGET = binary_target("normal", "fracture")


@pytest.fixture
def setup_of(tmp_path, tiny_backbone):
    def build(**options):
        return make_setup("nowhere", tmp_path / "out", **{**training_options(tiny_backbone), **options})

    return build


@pytest.mark.skipif(find_spec("wandb") is not None, reason="wandb is installed")
def test_a_missing_package_for_logging_is_named(setup_of):
    with pytest.raises(ValueError, match=r"report_to wandb cannot be used: .*pip install wandb"):
        check_setup(setup_of(report_to="wandb"))


def test_an_output_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"file cannot be written .*; choose another output_dir"):
        check_setup(make_setup("nowhere", tmp_path / "file" / "out"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optim": "adamw_bnb_8bit"}, "bitsandbytes"),
        ({"dataloader_persistent_workers": True}, "num_workers > 0"),
        ({"dataloader_num_workers": 1, "dataloader_multiprocessing_context": "thread"}, "start method"),
        ({"metric_for_best_model": "eval_dice"}, "eval_dice"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_setting_that_cannot_work_is_found_by_the_rehearsal(setup_of, options, message):
    setup = setup_of(**options)
    network, preprocessing = create_backbone(setup.model, TARGET, enhancement=setup.enhancement)
    with pytest.raises(ValueError, match=rf"A step of the training fails with these options .*{message}"):
        rehearse(setup, network, target=TARGET, preprocessing=preprocessing)


def test_a_network_that_cannot_be_exported_fails_before_reading(setup_of):
    setup = setup_of()
    network, preprocessing = create_backbone(setup.model, TARGET, enhancement=setup.enhancement)

    class Branching(type(network)):
        def forward(self, pixel_values, **options):
            return super().forward(pixel_values * (2 if pixel_values.sum() > 0 else 1), **options)

    network.__class__ = Branching
    with pytest.raises(ValueError, match="A step of the training fails"):
        rehearse(setup, network, target=TARGET, preprocessing=preprocessing)


def test_a_rehearsal_changes_neither_the_network_nor_the_setup(setup_of, tmp_path):
    setup = setup_of(bf16=True, weights_dtype="bfloat16")
    network, preprocessing = create_backbone(setup.model, TARGET, enhancement=setup.enhancement)
    before, options = {name: value.clone() for name, value in network.state_dict().items()}, setup.training.to_dict()
    rehearse(setup, network, target=TARGET, preprocessing=preprocessing)
    assert setup.training.to_dict() == options
    assert not (tmp_path / "out").exists()
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_too_few_images_for_a_full_batch_are_reported_at_once(phantom_folder, tiny_backbone, tmp_path):
    options = {**training_options(tiny_backbone), "per_device_train_batch_size": 32, "dataloader_drop_last": True}
    with pytest.raises(CohortError, match="24 training images and a batch has 32"):
        spinealign.train(phantom_folder, tmp_path / "out", **options)
