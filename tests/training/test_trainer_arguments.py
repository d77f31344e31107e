from __future__ import annotations

import numpy as np
import pytest
from transformers import TrainingArguments

from spinealign.cohort.cohort import Cohort
from spinealign.cohort.loading import LoadedCohort
from spinealign.config import EnhancementConfig, PreprocessingConfig
from spinealign.training.arguments import DataArguments, ModelArguments
from spinealign.training.augmentation import AugmentationConfig
from spinealign.training.describing import command_line, describe_input
from spinealign.training.resuming import describe_run
from spinealign.training.setup import TrainingSetup, make_setup, parse_training_setup

REFUSED = {
    "auto_find_batch_size": True, "average_tokens_across_devices": False, "batch_eval_metrics": True,
    "bf16_full_eval": True, "dataloader_in_order": False, "enable_jit_checkpoint": True,
    "eval_do_concat_batches": False, "eval_on_start": True, "eval_use_gather_object": True, "fsdp": "full_shard",
    "hub_always_push": True, "hub_strategy": "checkpoint", "ignore_data_skip": True, "include_for_metrics": ["inputs"],
    "include_num_input_tokens_seen": "all", "label_names": ["targets"], "length_column_name": "size",
    "neftune_noise_alpha": 5.0, "prediction_loss_only": True, "resume_from_checkpoint": "somewhere",
    "save_only_model": True, "train_sampling_strategy": "group_by_length", "use_cache": True, "use_liger_kernel": True,
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_an_option_that_would_be_ignored_is_refused(name, tmp_path):
    with pytest.raises(ValueError, match=rf"^{name} .* is not supported: .*\. Leave {name} out\.$"):
        make_setup("nowhere", tmp_path, use_cpu=True, **{name: REFUSED[name]})


@pytest.mark.parametrize("way", ["dataclasses", "arguments", "keywords", "words"])
def test_required_options_are_set_whatever_the_caller_does(way, tmp_path):
    args = TrainingArguments(str(tmp_path))
    setup = {
        "dataclasses": lambda: TrainingSetup(
            DataArguments(["a"]), ModelArguments(), AugmentationConfig(), EnhancementConfig(), args
        ),
        "arguments": lambda: make_setup("a", args=args),
        "keywords": lambda: make_setup("a", tmp_path, remove_unused_columns=True),
        "words": lambda: parse_training_setup(["--data_dir", "a", "--remove_unused_columns", "True"]),
    }[way]()
    assert setup.training.remove_unused_columns is False
    assert setup.training.restore_callback_states_from_checkpoint is True
    assert setup.training.hub_strategy == "end"
    assert args.remove_unused_columns, "the caller's object is not changed"


def test_loader_settings_do_not_belong_to_the_run(tmp_path):
    plain = make_setup("a", tmp_path)
    loading = {"dataloader_num_workers": 2, "dataloader_persistent_workers": True, "dataloader_prefetch_factor": 4}
    other = make_setup("a", tmp_path, **loading)
    assert describe_run(other, []) == describe_run(plain, [])
    assert command_line(other) == command_line(plain)
    assert describe_run(make_setup("a", tmp_path, dataloader_drop_last=True), []) != describe_run(plain, [])


def test_the_command_names_changed_settings_of_accelerate(tmp_path):
    setup = make_setup("a", tmp_path, accelerator_config={"split_batches": True})
    assert """--accelerator_config '{"split_batches": true}'""" in command_line(setup)


@pytest.mark.parametrize(
    ("found", "stated", "takes"),
    [
        (["MR"], None, "MR"),
        (["MR"], "CT", "CT"),
        (["MR", "CT"], None, None),
        ([None, "CT"], None, None),
        (["OT"], None, None),
    ],
)
def test_a_model_takes_the_modality_of_its_images(found, stated, takes, tmp_path, caplog):
    setup = make_setup("data", tmp_path, use_cpu=True, modality=stated)
    none = np.zeros((0, 1, 1), np.uint8)
    collections = [LoadedCohort(Cohort("set", ()), none, PreprocessingConfig(), modality=name) for name in found]
    caplog.set_level("INFO")
    assert describe_input(setup, collections).modality == takes
    assert ("All images are MR" in caplog.text) == (found == ["MR"] and stated is None)
