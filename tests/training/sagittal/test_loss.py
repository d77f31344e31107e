from __future__ import annotations

import pytest
import torch

from spinealign.training.sagittal.loss import segmenter_loss


def masks() -> torch.Tensor:
    wanted = torch.zeros(2, 5, 8, 8, dtype=torch.uint8)
    wanted[:, :, 2:5, 2:5] = 1
    return wanted


def test_the_loss_of_a_perfect_answer_is_near_zero():
    wanted = masks()
    known = torch.zeros_like(wanted)
    perfect = segmenter_loss(20.0 * (2 * wanted.float() - 1), wanted=wanted, ignored=known)
    wrong = segmenter_loss(-20.0 * (2 * wanted.float() - 1), wanted=wanted, ignored=known)
    assert perfect == pytest.approx(0, abs=1e-3)
    assert wrong > 10


def test_ignored_pixels_do_not_count():
    wanted, ignored = masks(), torch.zeros(2, 5, 8, 8, dtype=torch.uint8)
    ignored[:, :, 6:] = 1
    maps = torch.randn(2, 5, 8, 8, generator=torch.Generator().manual_seed(0), requires_grad=True)
    segmenter_loss(maps, wanted=wanted, ignored=ignored).backward()
    assert not maps.grad[:, :, 6:].any()
    assert maps.grad[:, :, :6].all()
