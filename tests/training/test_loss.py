from __future__ import annotations

import pytest
import torch
from torch import nn

from spinealign.labels import MISSING, Label, Target
from spinealign.training.loss import emd_losses, target_loss

GRADE = Label("grade", "ordinal", ("0", "1", "2", "3"))
ARCH = Label("arch", "binary", ("no", "yes"), "yes")
FINDING = Label("finding", "multi_class", ("gap", "displaced", "normal"))
MIXED = Target("mixed", (GRADE, ARCH, FINDING))


def certain(grade):
    return 100 * nn.functional.one_hot(torch.tensor([grade]), 4).float()


@pytest.mark.parametrize(("predicted", "truth", "distance"), [(0, 0, 0), (0, 1, 1), (0, 3, 3), (3, 1, 2)])
def test_a_certain_prediction_costs_its_distance_in_grades(predicted, truth, distance):
    assert emd_losses(certain(predicted), torch.tensor([truth])).item() == pytest.approx(distance)


def test_smoothing_of_grades_favors_an_uncertain_prediction():
    loss = emd_losses(torch.tensor([[9.0, 0.0, 0.0, 0.0]]), torch.tensor([0]), smoothing=0.2)
    assert emd_losses((torch.tensor([[0.85, 0.05, 0.05, 0.05]])).log(), torch.tensor([0]), smoothing=0.2) < 1e-9 < loss


def loss_of(logits, codes, *, target=MIXED):
    return target_loss(logits, codes, weights=torch.ones(codes.shape), target=target)


def test_the_loss_is_the_sum_over_the_labels():
    logits, codes = torch.randn(3, 8), torch.tensor([[0, 1, 2], [3, 0, 1], [1, 1, 0]])
    arch = nn.functional.binary_cross_entropy_with_logits(logits[:, 4], codes[:, 1].float())
    finding = nn.functional.cross_entropy(logits[:, 5:], codes[:, 2])
    expected = emd_losses(logits[:, :4], codes[:, 0]).mean() + arch + finding
    torch.testing.assert_close(loss_of(logits, codes), expected)


def test_the_log_odds_are_those_of_the_positive_class():
    first = Target("multi_label", (Label("arch", "binary", ("yes", "no"), "yes"),))
    logits, codes = torch.tensor([[2.0], [-1.0]]), torch.tensor([[0], [1]])
    expected = nn.functional.binary_cross_entropy_with_logits(logits, 1 - codes.float())
    torch.testing.assert_close(loss_of(logits, codes, target=first), expected)


def test_missing_values_change_neither_loss_nor_gradient():
    logits = torch.randn(4, 8, requires_grad=True)
    codes = torch.tensor([[0, 1, 2], [3, MISSING, 1], [MISSING, MISSING, MISSING], [1, 0, MISSING]])
    loss_of(logits, codes).backward()
    assert not logits.grad[2].any()
    assert not logits.grad[1, 4]
    kept = [codes[:, number] != MISSING for number in range(3)]
    parts = [emd_losses(logits[kept[0], :4], codes[kept[0], 0]).mean(),
             nn.functional.binary_cross_entropy_with_logits(logits[kept[1], 4], codes[kept[1], 1].float()),
             nn.functional.cross_entropy(logits[kept[2], 5:], codes[kept[2], 2])]  # fmt: skip
    torch.testing.assert_close(loss_of(logits, codes), sum(parts))


def test_a_batch_without_any_value_has_no_loss():
    logits = torch.randn(2, 8, requires_grad=True)
    loss = loss_of(logits, torch.full((2, 3), MISSING))
    loss.backward()
    assert loss == 0
    assert not logits.grad.any()
