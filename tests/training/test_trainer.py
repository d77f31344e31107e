from __future__ import annotations

import pytest
import torch
from conftest import training_options

from spinealign.labels import binary_target
from spinealign.training.backbone import create_backbone
from spinealign.training.setup import make_setup
from spinealign.training.trainer import build_trainer

TARGET = binary_target("normal", "fracture")


@pytest.fixture
def trainer_of(tmp_path, tiny_backbone, noise):
    def build(**options):
        setup = make_setup("noise", tmp_path / "out", **{**training_options(tiny_backbone), **options})
        torch.manual_seed(0)
        network, _ = create_backbone(setup.model, TARGET, enhancement=setup.enhancement)
        return build_trainer(setup, network, target=TARGET, train=[noise], validation=[noise])

    return build


def batch_of(trainer):
    return next(iter(trainer.get_eval_dataloader()))


def test_a_rare_class_has_the_weight_of_the_common_one(trainer_of):
    trainer = trainer_of()
    batch = batch_of(trainer)
    logits = trainer.model(pixel_values=batch["pixel_values"]).logits
    codes = batch["labels"][:, 0]
    losses = torch.nn.functional.cross_entropy(logits, codes, reduction="none")
    expected = (losses[codes == 1].mean() + losses[codes == 0].mean()) / 2
    torch.testing.assert_close(trainer.compute_loss(trainer.model, batch), expected)


def test_label_smoothing_mixes_in_the_other_class(trainer_of):
    plain, smooth = trainer_of(balance=False), trainer_of(balance=False, label_smoothing_factor=0.2)
    batch = batch_of(plain)
    swapped = {**batch, "labels": 1 - batch["labels"]}
    right, wrong, mixed = (
        trainer.compute_loss(trainer.model, inputs)
        for trainer, inputs in ((plain, batch), (plain, swapped), (smooth, batch))
    )
    torch.testing.assert_close(mixed, 0.9 * right + 0.1 * wrong)
    assert mixed != right


def test_every_image_is_evaluated_if_the_last_batch_is_dropped(trainer_of):
    trainer = trainer_of(dataloader_drop_last=True, per_device_train_batch_size=4, per_device_eval_batch_size=4)
    assert len(trainer.get_train_dataloader()) == 1
    assert len(trainer.get_eval_dataloader()) == 2
    assert trainer.predicted_logits().shape == (6, 2)


def test_accumulated_batches_count_as_one(trainer_of):
    def weights(**batches):
        options = {"eval_strategy": "no", "save_strategy": "no", "load_best_model_at_end": False, "report_to": "none"}
        steps = {"num_train_epochs": 1, "optim": "sgd", "learning_rate": 0.5, "max_grad_norm": 0.1}
        trainer = trainer_of(**options, **steps, **batches)
        trainer.train()
        return trainer.trained_network().state_dict()

    whole = weights(per_device_train_batch_size=4)
    parts = weights(per_device_train_batch_size=2, gradient_accumulation_steps=2)
    for name, value in whole.items():
        torch.testing.assert_close(parts[name], value, rtol=0, atol=1e-5)
