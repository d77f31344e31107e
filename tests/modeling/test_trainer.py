from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from spinealign.cohort.cohort import class_weights
from spinealign.modeling.trainer import last_whole_checkpoint, weighted_loss


def test_a_class_that_is_rare_counts_as_much_as_the_common_one():
    labels = torch.tensor([0] * 9 + [1])
    logits = torch.zeros(10, 2, requires_grad=True)
    loss = weighted_loss(class_weights(labels.tolist(), 2))(SimpleNamespace(logits=logits), labels)
    loss.backward()
    assert loss.item() == pytest.approx(torch.log(torch.tensor(2.0)).item())
    assert logits.grad[:9].abs().sum() == pytest.approx(logits.grad[9:].abs().sum().item())


def test_a_half_written_checkpoint_is_passed_over(tmp_path):
    assert last_whole_checkpoint(tmp_path / "nothing") is None
    for name, content in (("checkpoint-3", "{}"), ("checkpoint-6", "{"), ("checkpoint-9", None)):
        (tmp_path / name).mkdir()
        if content is not None:
            (tmp_path / name / "trainer_state.json").write_text(content)
    assert last_whole_checkpoint(tmp_path) == str(tmp_path / "checkpoint-3")
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-3"]
