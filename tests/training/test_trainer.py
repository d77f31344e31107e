from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from spinealign.cohort.cohort import balanced_weights
from spinealign.training.trainer import StrictTrainer


def test_a_rare_class_has_the_weight_of_the_common_one():
    labels = torch.tensor([0] * 9 + [1])
    logits = torch.zeros(10, 2, requires_grad=True)
    inputs = {"pixel_values": None, "labels": labels, "weights": torch.tensor(balanced_weights(labels.tolist()))}
    loss = StrictTrainer.compute_loss(None, lambda pixel_values: SimpleNamespace(logits=logits), inputs)
    loss.backward()
    assert loss.item() == pytest.approx(torch.log(torch.tensor(2.0)).item())
    assert logits.grad[:9].abs().sum() == pytest.approx(logits.grad[9:].abs().sum().item())
