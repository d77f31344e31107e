"""Options of `transformers.TrainingArguments`: our defaults, what the training requires, and what it refuses."""

from __future__ import annotations

import re
from copy import copy
from typing import Any

import torch
from transformers import TrainingArguments
from transformers.trainer_utils import HubStrategy

DEFAULTS: dict[str, Any] = {
    "output_dir": "spinealign-model",
    "num_train_epochs": 3.0,
    "learning_rate": 2e-4,
    "weight_decay": 0.05,
    "warmup_steps": 0.1,
    "lr_scheduler_type": "cosine",
    "per_device_train_batch_size": 16,
    "per_device_eval_batch_size": 64,
    "eval_strategy": "epoch",
    "save_strategy": "epoch",
    "save_total_limit": 2,
    "load_best_model_at_end": True,
    "metric_for_best_model": "eval_loss",
    "logging_steps": 10,
    "report_to": "tensorboard",
}
# Values that replace those of the caller, whose defaults in transformers do not suit this training.
REQUIRED = {
    "remove_unused_columns": False,  # the network does not take the weights of the loss
    "restore_callback_states_from_checkpoint": True,  # otherwise a resumed run forgets its early-stopping count
    "hub_strategy": HubStrategy.END,
}
# Options that do not change the trained network: a card leaves them out, and they may change when a run continues.
WITHOUT_EFFECT = re.compile(
    "output_dir|disable_tqdm|report_to|run_name|project|push_to_hub|hub_|log|local_rank|trackio|do_|skip_memory"
    "|torch_empty_cache|dataloader_(?!drop_last)"
)
_RESUMED = "a resumed run would differ from an uninterrupted one"
_SCORES = "each epoch is scored on all images"
_PUSH = "the finished checkpoint is pushed once, at the end; pushes of the Trainer contain pickles"
_TEXT = "it applies to text"
_SHARDED = "the checkpoints of a sharded network cannot be restored"
# Options that this loss or loop would ignore, or that would break what it promises: accepted values, and the reason.
_ACCEPTED: dict[str, tuple[tuple[Any, ...], str]] = {
    "auto_find_batch_size": ((False,), "the run would start again from a partly trained network"),
    "average_tokens_across_devices": ((True,), _TEXT),
    "batch_eval_metrics": ((False,), _SCORES),
    "bf16_full_eval": ((False,), "the Trainer ignores it during a training; bf16 also applies to the evaluation"),
    "dataloader_in_order": ((True,), "the order of the images would vary from run to run"),
    "deepspeed": ((None,), _SHARDED),
    "enable_jit_checkpoint": ((False,), "a stopped training would be saved as a finished one"),
    "eval_do_concat_batches": ((True,), _SCORES),
    "eval_on_start": ((False,), _RESUMED),
    "eval_use_gather_object": ((False,), "all predictions are tensors"),
    "fp16_full_eval": ((False,), "the Trainer ignores it during a training; fp16 also applies to the evaluation"),
    "fsdp": ((None, False, "", []), _SHARDED),
    "fsdp_config": ((None, {}), _SHARDED),
    "hub_always_push": ((False,), _PUSH),
    "hub_strategy": ((HubStrategy.END, HubStrategy.EVERY_SAVE), _PUSH),  # the second is the default of transformers
    "ignore_data_skip": ((False,), _RESUMED),
    "include_for_metrics": (([],), "the scores need only predictions and labels"),
    "include_num_input_tokens_seen": (("no",), _TEXT),
    "label_names": ((None, ["labels"]), "the labels come from the collection"),
    "length_column_name": (("length",), _TEXT),
    "liger_kernel_config": ((None,), _TEXT),
    "neftune_noise_alpha": ((None,), _TEXT),
    "parallelism_config": ((None,), _SHARDED),
    "prediction_loss_only": ((False,), _SCORES),
    "resume_from_checkpoint": ((None, False), "a killed training continues when it is started again"),
    "save_only_model": ((False,), "a killed training could not continue"),
    "train_sampling_strategy": (("random", "sequential"), "all images have the same size"),
    "use_cache": ((False,), _TEXT),
    "use_liger_kernel": ((False,), _TEXT),
}


def checked_arguments(args: TrainingArguments) -> TrainingArguments:
    """Return a copy of the Trainer's options with what this training requires.

    Raises:
        ValueError: If an option has a value that would be ignored or break the training.
    """
    for name, (accepted, reason) in _ACCEPTED.items():
        value = getattr(args, name, accepted[0])  # older versions of transformers lack some options
        if value not in accepted:
            raise ValueError(f"{name} {getattr(value, 'value', value)} is not supported: {reason}. Leave {name} out.")
    checked = copy(args)
    for name, value in REQUIRED.items():
        setattr(checked, name, value)
    checked.dataloader_pin_memory = args.dataloader_pin_memory and torch.cuda.is_available()
    return checked
