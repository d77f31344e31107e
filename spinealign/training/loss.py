"""Loss of a target: one term for each label."""

from __future__ import annotations

import torch
from torch import nn

from spinealign.labels import MISSING, Label, Target


def target_loss(
    logits: torch.Tensor, codes: torch.Tensor, *, weights: torch.Tensor, target: Target, smoothing: float = 0.0
) -> torch.Tensor:
    """Return the sum over the labels of the mean loss of the images that have a value.

    Binary and multi-class labels have the cross entropy, ordinal labels the squared earth mover's distance. The outputs
    have the shape (N, outputs); classes, or `MISSING`, and weights have the shape (N, labels).
    """
    total = logits.new_zeros((), dtype=torch.float32)
    for number, (label, columns) in enumerate(zip(target.labels, target.columns)):
        known = codes[:, number] != MISSING
        losses = _losses(label, logits[:, columns].float(), codes[:, number].clamp(min=0), smoothing)
        total = total + (losses * weights[:, number] * known).sum() / known.sum().clamp(min=1)
    return total


def _losses(label: Label, outputs: torch.Tensor, codes: torch.Tensor, smoothing: float) -> torch.Tensor:
    """Return the loss of each image, shape (N,)."""
    if outputs.shape[1] == 1:  # the log-odds of the positive class
        outputs = nn.functional.pad(outputs, (1, 0) if label.positive_index else (0, 1))
    if label.kind == "ordinal":
        return emd_losses(outputs, codes, smoothing=smoothing)
    return nn.functional.cross_entropy(outputs, codes, reduction="none", label_smoothing=smoothing)


def emd_losses(logits: torch.Tensor, codes: torch.Tensor, *, smoothing: float = 0.0) -> torch.Tensor:
    """Return the squared earth mover's distance of the predicted from the true grade (Hou et al., arXiv:1611.05916).

    It is the sum of the squared differences of the cumulative probabilities, shape (N,), for logits of the K grades in
    ascending order, shape (N, K). `smoothing` is the share of the true distribution that is uniform.
    """
    grades = logits.shape[1]
    truth = nn.functional.one_hot(codes, grades) * (1 - smoothing) + smoothing / grades
    difference: torch.Tensor = (logits.softmax(dim=1) - truth).cumsum(dim=1)
    return difference.square().sum(dim=1)
