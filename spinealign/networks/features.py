"""Features of an image in a hidden layer, used for novelty detection."""

from __future__ import annotations

from typing import Any

import torch

# The last layers keep only what separates the classes, so an image unlike all classes is not an outlier there. At 60 %
# of the depth, features still describe the whole image.
_DEPTH = 0.6


def logits_and_features(network: Any, pixel_values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Run an image classifier on `pixel_values` of shape (N, C, S, S).

    Returns:
        Logits of shape (N, classes), and features of shape (N, F): the hidden state at 60 % of the depth, averaged over
        all tokens or positions, or the logits of a network that returns no hidden states.
    """
    output = network(pixel_values=pixel_values, output_hidden_states=True)
    states = output.hidden_states or (output.logits,)
    middle = states[round(_DEPTH * (len(states) - 1))]
    if middle.ndim == 4:  # a map of shape (N, F, H, W)
        middle = middle.flatten(2).transpose(1, 2)
    return output.logits, middle.mean(dim=1) if middle.ndim == 3 else middle
